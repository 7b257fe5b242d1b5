# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with the real tf2onnx: architectures.py's networks as it writes them, and
what TensorFlow answers.

    make_fixtures.py [FOLDER [NAME]...]

NAME.onnx, NAME.INPUT.npy and NAME.y0.npy, ...; without names, of every small network. It wants
tests/golden/tfmot/requirements.txt installed.
"""

import logging
import os
import pathlib
import sys

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tf2onnx  # noqa: E402

import architectures  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
ROWS, LENGTH, SIZE = 3, 9, 20
# Exported with inputs [N, C, H, W].
CHANNELS_FIRST = {"convolutional_channels_first"}


def randomize(model, random):
    """Other biases and statistics than those that a layer begins with."""
    for variable in model.weights:
        if "moving_variance" in variable.name or "gamma" in variable.name:
            variable.assign(random.uniform(0.5, 1.5, variable.shape))
        elif "bias" in variable.name or "beta" in variable.name or "moving_mean" in variable.name:
            variable.assign(random.normal(0, 0.1, variable.shape))


def example(name, spec, random):
    """Rows for an input; an open axis of a sequence, or two of an image, get sizes."""
    open_size = LENGTH if spec.shape.rank < 4 else SIZE
    shape = [ROWS, *(size or open_size for size in spec.shape[1:])]
    if name == "mask":
        return (np.arange(shape[1]) < np.array([[shape[1]], [5], [2]])).astype(np.int32)
    if spec.dtype.is_integer:
        largest = 256 if spec.dtype == tf.uint8 else 10
        return random.integers(0, largest, shape).astype(spec.dtype.as_numpy_dtype)
    return random.normal(size=shape).astype(np.float32)


def write(name, make, opset, folder):
    tf.keras.backend.clear_session()
    tf.keras.utils.set_random_seed(len(name))
    random = np.random.default_rng(len(name))
    model = make()
    if not name.startswith("quantized_"):
        randomize(model, random)
    specs = {x.name: tf.TensorSpec(x.shape, x.dtype, name=x.name) for x in model.inputs}
    inputs = {key: example(key, spec, random) for key, spec in specs.items()}
    turned = sorted(specs) if name in CHANNELS_FIRST else None
    tf2onnx.convert.from_keras(model, input_signature=list(specs.values()), opset=opset,
                               inputs_as_nchw=turned, output_path=str(folder / f"{name}.onnx"))
    answers = model([tf.constant(x) for x in inputs.values()], training=False)
    for i, y in enumerate(answers if isinstance(answers, (list, tuple)) else [answers]):
        np.save(folder / f"{name}.y{i}.npy", y.numpy())
    for key, x in inputs.items():
        if turned:
            x = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
        np.save(folder / f"{name}.{key.split(':')[0]}.npy", x)


def main():
    logging.disable(logging.WARNING)
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    known = {**architectures.SMALL, **architectures.REAL}
    for name in sys.argv[2:] or architectures.SMALL:
        make, opset = known[name]
        write(name, make, opset, folder)
        print(name, flush=True)


if __name__ == "__main__":
    main()
