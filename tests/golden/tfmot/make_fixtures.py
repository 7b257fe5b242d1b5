# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with the real TensorFlow Model Optimization toolkit: small networks trained
with quantization in mind, whole ones and annotated layers, as Keras saved them and what they answer
themselves, and for some of them converted to TensorFlow Lite and what LiteRT's reference kernels answer.

    make_fixtures.py [FOLDER]

NAME.h5 or NAME.keras, NAME.x.npy and NAME.fake0.npy, ...; NAME.tflite and NAME.y.npy. It wants requirements.txt installed.
"""

import os
import pathlib
import sys

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
import tensorflow_model_optimization as tfmot  # noqa: E402
from tensorflow_model_optimization.python.core.quantization.keras import (  # noqa: E402
    quantize_config, quantize_layer, quantize_wrapper)
from tensorflow_model_optimization.python.core.quantization.keras.default_8bit import (  # noqa: E402
    default_8bit_quantize_configs, default_8bit_quantize_registry)
from tensorflow_model_optimization.python.core.quantization.keras.experimental.default_n_bit import (  # noqa: E402
    default_n_bit_quantize_scheme)

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


def registry():
    """The other classes that the toolkit's default scheme quantizes or passes."""
    image = tf.keras.Input((12, 12, 3))
    x = layers.ZeroPadding2D(1)(image)
    x = layers.Conv2DTranspose(6, 3, strides=2, padding="same", activation="tanh")(x)
    x = layers.SeparableConv2D(8, 3)(layers.Cropping2D(2)(x))
    x = layers.Activation("relu")(layers.BatchNormalization()(x))
    y = layers.LeakyReLU(0.1)(layers.Conv2D(8, 1, padding="same")(x))
    x = layers.AveragePooling2D(2)(layers.Concatenate()([x, y]))
    x = layers.UpSampling2D(2)(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2, activation="swish")(x)
    x = layers.SpatialDropout2D(0.1)(layers.Dropout(0.1)(x))
    x = layers.Conv2D(6, 3, activation="gelu")(layers.Permute((2, 1, 3))(x))
    x = layers.Activation("sigmoid")(layers.Conv2D(4, 3)(x))
    x = layers.GlobalAveragePooling1D()(layers.Reshape((-1, 4))(x))
    x = layers.Dense(5)(layers.Dense(6, activation="relu")(x))
    return quantization.quantize_model(tf.keras.Model(image, layers.Softmax()(x)))


def pools():
    """Two outputs."""
    image = tf.keras.Input((8, 8, 3))
    x = layers.Conv2D(4, 3, activation="relu")(image)
    y = layers.GlobalMaxPooling2D()(x)
    z = layers.AveragePooling1D(2)(layers.Reshape((-1, 4))(x))
    z = layers.GlobalMaxPooling1D()(layers.Cropping1D(1)(layers.ZeroPadding1D(2)(z)))
    return quantization.quantize_model(tf.keras.Model(
        image, [layers.Dense(3)(layers.Concatenate()([y, z])), layers.Add()([y, z])]))


def with_bits(weights, activations, model):
    scheme = default_n_bit_quantize_scheme.DefaultNBitQuantizeScheme(
        num_bits_weight=weights, num_bits_activation=activations)
    return quantization.quantize_apply(quantization.quantize_annotate_model(model), scheme)


def few_bits():
    return with_bits(4, 6, tf.keras.Sequential([
        layers.Conv2D(6, 3, activation="relu", input_shape=(8, 8, 3)), layers.Flatten(),
        layers.Dense(7, activation="relu"), layers.Dense(4)]))


def many_bits():
    return with_bits(10, 16, tf.keras.Sequential([
        layers.Dense(12, activation="relu", input_shape=(20,)), layers.Dense(4)]))


def by_hand():
    """The quantizers and configs that no scheme puts there, and a layer that is annotated alone."""
    quantizers = quantization.quantizers
    wrap = quantize_wrapper.QuantizeWrapperV2
    config = default_8bit_quantize_registry.Default8BitQuantizeConfig(
        ["kernel"], ["activation"], False)
    per_axis = default_8bit_quantize_registry.Default8BitConvQuantizeConfig(
        ["kernel"], ["activation"], True)
    output = default_8bit_quantize_configs.Default8BitOutputQuantizeConfig()
    vector = tf.keras.Input((20,))
    x = quantize_layer.QuantizeLayer(quantizers.FixedQuantizer(4, -2.0, 3.0, True))(vector)
    x = quantize_wrapper.QuantizeWrapper(layers.Dense(12, activation="relu"), config)(x)
    x = quantize_layer.QuantizeLayer(quantizers.LastValueQuantizer(5, True, False, False))(x)
    x = wrap(layers.Dense(9, activation="sigmoid"), per_axis)(x)
    x = wrap(layers.Dense(9), quantize_config.FixedQuantizeConfig(config, 8, -1.5, 2.5, False))(x)
    x = quantization.quantize_annotate_layer(layers.Dense(8))(x)
    x = quantize_layer.QuantizeLayer(None)(x)
    x = wrap(layers.Dense(7, activation="relu"), quantize_config.OutputOnlyConfig(config))(x)
    x = quantize_layer.QuantizeLayer(quantizers.MovingAverageQuantizer(8, False, True, True))(x)
    return tf.keras.Model(vector, wrap(layers.Reshape((7,)), output)(x))


CONVERTED = (dense, convolutional, annotated)
AS_TRAINED = (registry, pools, few_bits, many_bits, by_hand)
ARCHIVED = (by_hand, pools)


def train(model, x):
    model.compile("adam", tf.keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    classes = [np.arange(len(x)) % output.shape[-1] for output in model.outputs]
    model.fit(x, classes if len(classes) > 1 else classes[0], epochs=2, verbose=0)


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
    model.save(folder / f"{make.__name__}.h5", include_optimizer=False)
    if make in ARCHIVED:
        model.save(folder / f"{make.__name__}.keras")
    np.save(folder / f"{make.__name__}.x.npy", x[:8])
    outputs = model.predict(x[:8], verbose=0)
    for i, y in enumerate(outputs if isinstance(outputs, list) else [outputs]):
        np.save(folder / f"{make.__name__}.fake{i}.npy", y)
    if make in CONVERTED:
        convert(folder, make.__name__, model, x[:8])


def convert(folder, name, model, x):
    converter = tf.lite.TFLiteConverter.from_keras_model(model)
    converter.optimizations = [tf.lite.Optimize.DEFAULT]
    path = folder / f"{name}.tflite"
    path.write_bytes(converter.convert())
    np.save(folder / f"{name}.y.npy", answers(path, x))


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    for make in CONVERTED + AS_TRAINED:
        write(folder, make)


if __name__ == "__main__":
    main()
