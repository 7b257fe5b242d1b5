#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Configures build/PRESET, if it is not yet; Ninja itself does it again where a CMake file changed.
#
#   cmake/setup/configure.sh PRESET [CMAKE_ARGUMENT...]
set -euo pipefail
cd "$(dirname "$0")/../.."
preset=$1; shift
folder=build/$preset
[ -e "$folder/build.ninja" ] && [ $# -eq 0 ] && exit 0
mkdir -p "$folder"
cmake --preset "$preset" "$@" >"$folder/configure.log" 2>&1 || {
  cat "$folder/configure.log" >&2
  exit 1
}
