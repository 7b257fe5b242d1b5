#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Benchmarks: `engine` (kernels, the zoo's bundles, then the engine beside its peers; in process)
# or `server` (over loopback).
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly built=build/bench peers=build/peers

build() { cmake --build $built -j "${OCTET_JOBS:-$(nproc)}" --target octet octet-server tests_bench; }

# Configures with the peers, once.
configure_with_peers() {
  grep -qs '^OCTET_BENCHMARK_PEERS:BOOL=ON' $built/CMakeCache.txt ||
    cmake/setup/configure.sh bench -DOCTET_BENCHMARK_PEERS=ON
}

case "${1:-}" in
  engine)
    tests/bench/engine/peers/setup.sh
    configure_with_peers
    build
    for benchmark in "$built"/tests/bench/micro/*_bench; do
      "$benchmark" --benchmark_min_time=0.2
    done
    for bundle in models/zoo/repository/*/1; do
      echo "== $bundle"
      $built/bin/octet bench --bundle "$bundle"
    done
    $peers/venv/bin/python tests/bench/engine/run.py $built --markdown $peers/engine.md
    ;;
  server)
    tests/bench/server/peers/setup.sh
    # Without ONNX Runtime, there is no backend for Triton: the other peers are measured.
    if [ -e $peers/.complete ]; then configure_with_peers; else cmake/setup/configure.sh bench; fi
    build
    build/venv/bin/python tests/bench/server/run.py $built --markdown $peers/server.md \
      --json $peers/server.jsonl
    ;;
  *) echo "usage: $0 engine|server" >&2; exit 2 ;;
esac
