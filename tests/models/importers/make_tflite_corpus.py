# SPDX-License-Identifier: Apache-2.0
"""Writes the corpus of the fuzzer of the TensorFlow Lite importer: small models of most operators.

    make_tflite_corpus.py FOLDER
"""

import itertools
import pathlib
import sys

import tflite_cases
import tflite_hybrid_cases
import tflite_int16_cases
import tflite_lstm_cases

CASES = ("float32/conv_valid_relu6", "int8/conv_dilated_relu", "uint8/depthwise_multiplier",
         "int8/fully_connected_per_channel", "float32/float16_weights", "int8/add_relu",
         "uint8/concatenation", "float32/reshape_by_shape", "int8/strided_slice", "int8/pad",
         "float32/split_v", "float32/gather", "int8/mean_rescaled", "int8/MAX_pool_SAME",
         "uint8/softmax", "float32/resize_bilinear", "int16/network", "int16/leaky_relu_-0.3",
         "int16/sub_channel", "int16/mixed_types", "hybrid/fully_connected_symmetric",
         "hybrid_int4/fully_connected_asymmetric_kept", "hybrid/conv_groups",
         "hybrid/depthwise_multiplier", "int8/int4_conv", "lstm/clipped",
         "int8/lstm", "int8/lstm_bidirectional", "hybrid/lstm")


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    cases = itertools.chain(tflite_cases.cases(), tflite_int16_cases.cases(),
                            tflite_hybrid_cases.cases(), tflite_hybrid_cases.integer_cases(),
                            tflite_lstm_cases.cases(), tflite_lstm_cases.integer_cases(),
                            tflite_lstm_cases.hybrid_cases())
    models = {name: build for name, build, _ in cases}
    for name in CASES:
        (folder / f"{name.replace('/', '_').lower()}.tflite").write_bytes(models[name]())


if __name__ == "__main__":
    main()
