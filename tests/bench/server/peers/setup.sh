#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the server's peers into build/peers/serving, each in an environment of its own because
# their packages do not go together. A peer that cannot be installed is left out, and said so: the
# benchmark measures beside the others. What is there stays.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
readonly here=tests/bench/server/peers serving=build/peers/serving

tests/bench/engine/peers/setup.sh # ONNX Runtime's library and headers, and Python's packages
mkdir -p "$serving"

# install NAME PIP_FLAG...: requirements-NAME.txt into $serving/NAME.
install() {
  local name=$1 venv=$serving/$1 list=$here/requirements-$1.txt
  shift
  cmp -s "$list" "$venv/.complete" && return
  echo "octet benchmark set-up: installing $name into $venv"
  if python3 -m venv "$venv" &&
    "$venv/bin/pip" install -q --disable-pip-version-check "$@" -r "$list" >"$serving/$name.log" 2>&1; then
    cp "$list" "$venv/.complete"
  else
    echo "octet benchmark set-up: without $name: pip could not install $list ($serving/$name.log)" >&2
  fi
}

install runner
# Only its program and libraries are wanted, not what its Python side needs.
install triton --no-deps
install kserve
install mlserver
