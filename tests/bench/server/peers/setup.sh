#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the server's peers into build/peers/serving, each in an environment of its own because
# their packages do not go together. A peer that cannot be installed is left out, and said so: the
# benchmark measures beside the others. What is there stays.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
readonly here=tests/bench/server/peers serving=build/peers/serving
mkdir -p "$serving"

say() { echo "octet benchmark set-up: $*" >&2; }

# install NAME PIP_FLAG...: requirements-NAME.txt into $serving/NAME.
install() {
  local name=$1 venv=$serving/$1 list=$here/requirements-$1.txt log=$serving/$1.log
  shift
  cmp -s "$list" "$venv/.complete" && return
  say "installing $name into $venv"
  rm -f "$venv/.complete"
  if { [ -x "$venv/bin/pip" ] || python3 -m venv "$venv"; } >"$log" 2>&1 &&
    "$venv/bin/pip" install -q --disable-pip-version-check "$@" -r "$list" >>"$log" 2>&1; then
    cp "$list" "$venv/.complete"
  else
    say "without $name: pip could not install $list; check the network ($log)"
  fi
}

# ONNX Runtime's library and headers, for the backend of Triton.
tests/bench/engine/peers/setup.sh || say "without triton: its backend needs ONNX Runtime"
# Only its program and libraries are wanted, not what its Python side needs.
install triton --no-deps
install kserve
install mlserver
