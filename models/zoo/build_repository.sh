#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
# Makes the zoo's bundles from its .keras files and calibration images: the same bytes every time.
#
#   models/zoo/build_repository.sh OCTET REPOSITORY      OCTET is the program
set -euo pipefail
[ $# -eq 2 ] || { sed -n '3,5p' "$0" | cut -c3-; exit 2; }
octet=$1
repository=$2
zoo=$(cd "$(dirname "$0")" && pwd)
# Self-tests are what the reference kernels answer; calibration runs on them, too, whatever this
# machine has.
export OCTET_KERNEL_SET=reference
images=$zoo/data/digits_calibration_images.npy

for model in digits:digits_cnn digits-mlp:digits_mlp; do
  name=${model%%:*}
  file=$zoo/keras/${model##*:}.keras
  float=$repository/$name-fp32/1
  "$octet" import "$file" --output "$float" --input "$images" --replace
  for mode in int8:int8-dynamic int8-static:int8-static int4:int4; do
    output=$repository/$name-${mode%%:*}/1
    "$octet" quantize "$float" --mode "${mode##*:}" \
      --calibration "$images" --output "$output" --replace
  done
done
for bundle in "$repository"/digits-*/1; do
  "$octet" evaluate "$bundle" --input "$zoo/data/digits_test_images.npy" \
    --labels "$zoo/data/digits_test_labels.npy" --data-set "digits test" --record
done
