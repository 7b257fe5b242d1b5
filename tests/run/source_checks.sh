#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The checks of the source that need no build: format, spelling, scripts, YAML, architecture.
set -uo pipefail
cd "$(dirname "$0")/../.." || exit
readonly tools=build/venv/bin
failed=()

# Runs a check, named $1, and goes on after a failure: all of them are told in one run.
check() {
  local name=$1; shift
  echo "== $name"
  "$@" || failed+=("$name")
}

format() { git ls-files -z '*.h' '*.cc' | xargs -0 -r "$tools/clang-format" --style=file --dry-run -Werror; }
spelling() { git ls-files -z | xargs -0 "$tools/codespell" --config .codespellrc; }
scripts() { git ls-files -z '*.sh' .ci/run | xargs -0 shellcheck; }
yaml() {
  git ls-files -z '*.yaml' '*.yml' '.clang-tidy' | grep -zv '^helm/.*/templates/' |
    xargs -0 -r "$tools/yamllint" -d relaxed --no-warnings
}

check "format (make format mends it)" format
check "spelling" spelling
check "shell scripts" scripts
check "YAML" yaml
for test in layering completeness conventions docs; do
  check "architecture: $test" "$tools/python" "tests/architecture/${test}_test.py"
done
if [ ${#failed[@]} -ne 0 ]; then
  printf 'failed: %s\n' "${failed[@]}" >&2
  exit 1
fi
