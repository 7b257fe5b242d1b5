#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Measures octet-server over loopback beside a bare gRPC echo on the same API, in one run.
# Usage: run.sh BUILD_FOLDER [MODEL]
set -euo pipefail
cd "$(dirname "$0")/../../.."
readonly built=${1:?usage: run.sh BUILD_FOLDER [MODEL]}
readonly repository=models/zoo/repository
model=${2:-}
if [ -z "$model" ]; then
  model=$(find "$repository" -mindepth 1 -maxdepth 1 -type d -name '*mlp*int8*' -printf '%f\n' |
    sort | head -n 1)
  model=${model:-digits-int8}
fi
scratch=$(mktemp -d)
pids=()
cleanup() {
  exec 9>&- || true
  if [ ${#pids[@]} -gt 0 ]; then
    kill "${pids[@]}" 2>/dev/null || true
    wait "${pids[@]}" 2>/dev/null || true
  fi
  rm -rf "$scratch"
}
trap cleanup EXIT

# Waits until a line that starts with $2 is in file $1, and prints it.
wait_for() {
  for _ in $(seq 300); do
    if grep -m 1 "^$2" "$1"; then return; fi
    sleep 0.1
  done
  echo "$1 never said $2" >&2
  return 1
}

mkfifo "$scratch/stop"
"$built/tests/bench/server/echo_server" 127.0.0.1:0 1 <"$scratch/stop" >"$scratch/echo" &
pids+=($!)
exec 9>"$scratch/stop"
"$built/bin/octet-server" --model-repository "$repository" --grpc-address 127.0.0.1:0 \
  --http-address 127.0.0.1:0 --metrics-address 127.0.0.1:0 >"$scratch/octet" 2>"$scratch/log" &
pids+=($!)
echo_port=$(wait_for "$scratch/echo" ready | cut -d ' ' -f 2)
address=$(wait_for "$scratch/octet" 'octet-server ready' | sed 's/.*grpc=\([^ ]*\).*/\1/')
"$built/tests/bench/server/endpoint_bench" "$address" "$model" "127.0.0.1:$echo_port" "${OCTET_BENCH_SECONDS:-5}"
