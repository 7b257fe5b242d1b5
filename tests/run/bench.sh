#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Benchmarks: `engine` (kernels, then the zoo's bundles, in process) or `server` (over loopback).
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly built=build/bench
cmake/setup/configure.sh bench
cmake --build $built -j "${OCTET_JOBS:-$(nproc)}" --target octet octet-server tests_bench

case "${1:-}" in
  engine)
    for benchmark in "$built"/tests/bench/micro/*_bench; do
      "$benchmark" --benchmark_min_time=0.2
    done
    for bundle in models/zoo/repository/*/1; do
      echo "== $bundle"
      $built/bin/octet bench --bundle "$bundle"
    done
    ;;
  server) tests/bench/server/run.sh $built ;;
  *) echo "usage: $0 engine|server" >&2; exit 2 ;;
esac
