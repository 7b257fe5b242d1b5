#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# The long checks, before an issue is called resolved. FUZZ_SECONDS is for each fuzzer.
set -euo pipefail
cd "$(dirname "$0")/../.."
readonly jobs=${OCTET_JOBS:-$(nproc)}

step() { printf '\n=== %s (%dm%02ds)\n' "$1" $((SECONDS / 60)) $((SECONDS % 60)); }

step "every header compiles on its own"
cmake/setup/configure.sh check
cmake --build build/check -j "$jobs" --target all_verify_interface_header_sets

step "Clang: thread-safety analysis, warnings as errors"
cmake/setup/configure.sh clang
cmake --build build/clang -j "$jobs"

step "clang-tidy"
run-clang-tidy -quiet -j "$jobs" -p build/clang \
  "$PWD/(kernels|models|server|client)/.*\.cc$" >build/clang/clang-tidy.log 2>&1 || {
  grep -E '(warning|error):' build/clang/clang-tidy.log | sort -u >&2
  exit 1
}

step "ThreadSanitizer, unit tests (gRPC is prebuilt: none of those that run it)"
cmake/setup/configure.sh tsan
cmake --build build/tsan -j "$jobs" --target tests_models tests_server_scheduling \
  tests_server_metrics tests_server_repository tests_server_inference
ctest --preset tsan -j "$jobs" -L unit -R '^(models|server/(scheduling|metrics|repository|inference))/'

step "fuzzers, ${FUZZ_SECONDS:-60} s each"
cmake/setup/configure.sh fuzz
cmake --build build/fuzz -j "$jobs" --target tests_fuzz
for fuzzer in build/fuzz/bin/fuzz_*_libfuzzer; do
  name=${fuzzer##*/fuzz_}
  name=${name%_libfuzzer}
  mkdir -p "build/fuzz/found/$name"
  "$fuzzer" -max_total_time="${FUZZ_SECONDS:-60}" -timeout=10 -rss_limit_mb=2048 -verbosity=0 \
    -artifact_prefix="build/fuzz/found/$name-" "build/fuzz/found/$name" "tests/fuzz/corpus/$name"
done

step "deployment: rules, manifests and chart; the image, built and run"
cmake --build build/check -j "$jobs" --target octet octet-server
OCTET_REQUIRE_ALL=1 ctest --preset check -R '^deploy/'
tests/deploy/image_test.sh build/check/bin

step "slow tests: ${OCTET_SOAK_SECONDS:-120} s of everything at once; the fixtures of every Keras; clients of others"
OCTET_REQUIRE_ALL=1 ctest --preset check -L slow

if [ -e build/peers/serving/triton/.complete ]; then
  step "the peers of the server's benchmark answer as Octet does"
  cmake/setup/configure.sh bench -DOCTET_BENCHMARK_PEERS=ON
  cmake --build build/bench -j "$jobs" --target octet octet-server tests_bench_server
  ctest --test-dir build/bench --output-on-failure -R '^bench/server/'
else
  step "the peers of the server's benchmark: skipped, tests/bench/server/peers/setup.sh installs them"
fi

step "all passed"
