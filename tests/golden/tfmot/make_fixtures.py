# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with the real TensorFlow Model Optimization toolkit: small networks trained
with quantization in mind, whole ones and annotated layers, converted to TensorFlow Lite, and what LiteRT's
reference kernels answer.

    make_fixtures.py [FOLDER]

NAME.tflite, NAME.x.npy and NAME.y.npy. It wants requirements.txt installed.
"""

import os
import pathlib
import sys

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
layers = tf.keras.layers
quantization = tfmot.quantization.keras


def dense():
    return quantization.quantize_model(tf.keras.Sequential([
        layers.Dense(20, activation="relu", input_shape=(20,)), layers.Flatten(),
        layers.Dense(10)]))


def convolutional():
    image = tf.keras.Input((16, 16, 3))
    x = layers.Conv2D(8, 3, padding="same", use_bias=False)(image)
    x = layers.ReLU()(layers.BatchNormalization()(x))
    x = layers.Add()([x, layers.DepthwiseConv2D(3, padding="same")(x)])
    x = layers.Conv2D(12, 3, strides=2, activation="relu")(layers.MaxPooling2D()(x))
    x = layers.GlobalAveragePooling2D()(x)
    model = tf.keras.Model(image, layers.Dense(5, activation="softmax")(x))
    return quantization.quantize_model(model)


def annotated():
    """Only the last two layers are quantized."""
    return quantization.quantize_apply(tf.keras.Sequential([
        layers.Dense(16, activation="relu", input_shape=(20,)),
        quantization.quantize_annotate_layer(layers.Dense(12, activation="relu")),
        quantization.quantize_annotate_layer(layers.Dense(4))]))


def train(model, x):
    classes = model.output_shape[-1]
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    model.fit(x, np.arange(len(x)) % classes, epochs=2, verbose=0)


def answers(path, x):
    interpreter = tf.lite.Interpreter(
        str(path),
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_REF)
    source = interpreter.get_input_details()[0]["index"]
    interpreter.resize_tensor_input(source, x.shape)
    interpreter.allocate_tensors()
    interpreter.set_tensor(source, x)
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def write(folder, make):
    tf.keras.utils.set_random_seed(5)
    model = make()
    x = np.random.default_rng(3).normal(size=(64, *model.input_shape[1:])).astype(np.float32)
    train(model, x)
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path = folder / f"{make.__name__}.tflite"
    path.write_bytes(converter.convert())
    np.save(folder / f"{make.__name__}.x.npy", x[:8])
    np.save(folder / f"{make.__name__}.y.npy", answers(path, x[:8]))


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    for make in (dense, convolutional, annotated):
        write(folder, make)


if __name__ == "__main__":
    main()
