#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Installs the peers into build/peers: their wheels in venv/, ONNX Runtime's C++ headers (its wheel
# has none) in include/, libraries in lib/. What is there stays.
set -euo pipefail
cd "$(dirname "$0")/../../../.."
readonly here=tests/bench/engine/peers peers=build/peers
readonly stamp=$peers/.complete
cmp -s "$here/requirements.txt" "$stamp" && exit
mkdir -p "$peers/lib" "$peers/include"

fail() {
  echo "octet benchmark set-up: $*" >&2
  exit 1
}

echo "octet benchmark set-up: installing the peers into $peers"
[ -x "$peers/venv/bin/pip" ] || python3 -m venv "$peers/venv"
"$peers/venv/bin/pip" install -q --disable-pip-version-check -r "$here/requirements.txt" \
  >"$peers/pip.log" 2>&1 ||
  fail "pip could not install $here/requirements.txt: check the network ($peers/pip.log)"

# The headers: Debian 13's package, unpacked, not installed. They are older than the library, whose
# C interface keeps what it had.
if [ ! -e "$peers/include/onnxruntime/onnxruntime_cxx_api.h" ]; then
  "$here/fetch_onnxruntime_headers.sh" "$peers" >"$peers/headers.log" 2>&1 ||
    fail "could not fetch ONNX Runtime's headers: check the network ($peers/headers.log)"
fi
packages=$("$peers/venv/bin/python" -c 'import numpy, os; print(os.path.dirname(os.path.dirname(numpy.__file__)))')
ln -sfn "$packages"/onnxruntime/capi/libonnxruntime.so.1.* "$peers/lib/libonnxruntime.so.1"
ln -sfn libonnxruntime.so.1 "$peers/lib/libonnxruntime.so"
ln -sfn "$packages/openvino" "$peers/openvino"
cp "$here/requirements.txt" "$stamp"
