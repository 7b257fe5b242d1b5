#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# What `make test` and CI run, cheap first. The first step that fails ends it.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly jobs=${OCTET_JOBS:-$(nproc)}
# Where ccache is installed, another clone of the same files finds what this one compiled.
export CCACHE_BASEDIR=$PWD CCACHE_NOHASHDIR=1
# The tests whose subject reads untrusted bytes or indexes memory by hand.
readonly sanitized='^(kernels|models|fuzz|server)/'

step() { printf '\n=== %s (%dm%02ds)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

step "checks of the source"
tests/run/source_checks.sh

step "build, optimized and with asserts"
cmake/setup/configure.sh check
cmake --build build/check -j "$jobs"

step "unit, integration and peer tests"
ctest --preset check -j "$jobs" -LE slow

# The steps above ran on the best set of this CPU.
best_set=$(build/check/bin/octet inspect models/zoo/repository/digits-mlp-fp32/1 |
  sed -n 's/^kernel set //p')
for set in reference avx2 avx512vnni amx; do
  if [ "$set" = "$best_set" ]; then
    step "kernel set $set: this CPU's best, ran above"
    continue
  fi
  if ! tests/run/cpu_has.sh "$set"; then
    step "kernel set $set: skipped, this CPU lacks it"
    continue
  fi
  step "kernel set $set, forced"
  OCTET_KERNEL_SET=$set ctest --preset check -j "$jobs" -LE 'slow|any_set' -R '^(kernels|models|integration)/'
done

step "AddressSanitizer and UndefinedBehaviorSanitizer"
cmake/setup/configure.sh asan
cmake --build build/asan -j "$jobs" --target tests_kernels tests_models tests_fuzz tests_server
ctest --preset asan -j "$jobs" -L unit -R "$sanitized"

step "all passed"
