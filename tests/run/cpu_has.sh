#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Exit status 0 if this CPU can run the kernel set $1.
set -euo pipefail
case "${1:-}" in
  reference) needed=() ;;
  avx2) needed=(avx2 fma f16c) ;;
  avx512vnni) needed=(avx2 fma f16c avx512f avx512dq avx512bw avx512vl avx512_vnni) ;;
  amx) needed=(avx2 fma f16c avx512f avx512dq avx512bw avx512vl avx512_vnni amx_tile amx_int8) ;;
  *) echo "usage: $0 reference|avx2|avx512vnni|amx" >&2; exit 2 ;;
esac
flags=" $(sed -n 's/^flags[^:]*: //p;T;q' /proc/cpuinfo) "
for flag in "${needed[@]}"; do
  [[ $flags == *" $flag "* ]] || exit 1
done
