# SPDX-License-Identifier: Apache-2.0
"""Makes the .keras files beside it, with inputs and the outputs that Keras itself computes.

Run it once for each version of Keras, in an environment of its own:

    pip install keras==3.15.1 numpy h5py scipy jax
    KERAS_BACKEND=numpy python make_fixtures.py

Before Keras 3.14 take the backend jax: masks get lost on the backend numpy there.

It writes NAME.keras, NAME.x0.npy ... and NAME.y.npy into a folder called after the version. The
newest version makes all of them, older ones those whose format differs.

make_fixtures_test.py makes all of them again and compares.
"""

import os
import pathlib
import sys

os.environ.setdefault("KERAS_BACKEND", "jax")

import keras  # noqa: E402
import numpy as np  # noqa: E402
from keras import layers, ops  # noqa: E402

FULL = (3, 15)
VERSION = tuple(int(part) for part in keras.__version__.split(".")[:2])


@keras.saving.register_keras_serializable()
class SimpleScale(keras.layers.Layer):
    """y = x * kernel, after "Writing quantization-compatible layers"."""

    def build(self, input_shape):
        self.input_dim = input_shape[-1]
        if self.quantization_mode == "int8":
            self._int8_build()
        else:
            self._kernel = self.add_weight(
                name="kernel", shape=(self.input_dim,), initializer="random_uniform")

    def _int8_build(self):
        self._kernel = self.add_weight(
            name="kernel", shape=(self.input_dim,), initializer="zeros", dtype="int8",
            trainable=False)
        self.scale = self.add_weight(
            name="scale", shape=(), initializer="ones", trainable=False)

    def call(self, inputs):
        return ops.multiply(inputs, self._kernel)

    def _int8_call(self, inputs, training=None):
        return ops.divide(ops.multiply(inputs, ops.cast(self._kernel, inputs.dtype)), self.scale)

    def quantize(self, mode, **_):
        if mode != "int8":
            raise NotImplementedError(mode)
        kernel, scale = keras.quantizers.abs_max_quantize(
            self._kernel, axis=0, dtype="int8", to_numpy=True)
        self._untrack_variable(self._kernel)
        self._int8_build()
        self._kernel.assign(kernel)
        self.scale.assign(ops.squeeze(scale, 0))
        self._is_quantized = True
        if self.dtype_policy.quantization_mode is None:
            self.dtype_policy = keras.dtype_policies.get(f"{mode}_from_{self.dtype_policy.name}")

    def save_own_variables(self, store):
        store["0"] = self._kernel
        if self.quantization_mode == "int8":
            store["1"] = self.scale


def mlp():
    return keras.Sequential([
        keras.Input((6,), name="features"),
        layers.Dense(9, activation="relu", name="hidden"),
        layers.Dense(5, activation="tanh", name="second"),
        layers.Dense(4, activation="softmax", name="classes"),
    ], name="mlp")


def cnn():
    image = keras.Input((8, 8, 2), name="image")
    x = layers.Conv2D(4, 3, padding="same", strides=2, activation="relu")(image)
    x = layers.BatchNormalization()(x)
    x = layers.DepthwiseConv2D(3, depth_multiplier=2)(x)
    x = layers.MaxPooling2D(2, strides=1)(x)
    x = layers.SeparableConv2D(3, 1, activation="gelu")(x)
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(image, layers.Dense(3, name="logits")(x), name="cnn")


def encoder():
    tokens = keras.Input((5,), dtype="int32", name="tokens")
    x = layers.Embedding(11, 8, mask_zero=True, name="embedding")(tokens)
    attention = layers.MultiHeadAttention(2, 4, name="attention")(x, x)
    x = layers.LayerNormalization(name="first_norm")(layers.Add()([x, attention]))
    y = layers.EinsumDense("abc,cd->abd", output_shape=(None, 12), bias_axes="d",
                           activation="gelu", name="wide")(x)
    y = layers.Dense(8, name="narrow")(y)
    x = layers.LayerNormalization(name="second_norm")(x + y)
    # Steps that are padding are left out: what attention gives there changed with Keras 3.14.
    x = layers.GlobalAveragePooling1D()(x, mask=ops.not_equal(tokens, 0))
    return keras.Model(tokens, layers.Dense(3)(x), name="encoder")


def rnn():
    steps = keras.Input((None, 3), name="steps")
    x = layers.Masking()(steps)
    x = layers.Bidirectional(layers.LSTM(3, return_sequences=True))(x)
    x = layers.GRU(4, return_sequences=True)(x)
    x = layers.TimeDistributed(layers.Dense(4, activation="relu"))(x)
    x = layers.SimpleRNN(3)(x)
    return keras.Model(steps, layers.Dense(2, name="score")(x), name="rnn")


def nested():
    shared = layers.Dense(6, name="shared")
    inner = keras.Sequential([keras.Input((6,)), layers.Dense(6, activation="relu")], name="inner")
    a = keras.Input((6,), name="a")
    b = keras.Input((6,), name="b")
    x = layers.Concatenate()([inner(shared(a)), shared(b)])
    x = ops.reshape(ops.relu(x * 2.0 + 1.0)[:, 1:11], (-1, 5, 2))
    x = ops.mean(x, axis=1)
    return keras.Model([a, b], [layers.Dense(3, name="left")(x), layers.Dense(2, name="right")(x)])


def scale():
    return keras.Sequential([keras.Input((7,)), SimpleScale(name="scale")])


INPUTS = {
    "mlp": lambda r: [r.standard_normal((5, 6))],
    "cnn": lambda r: [r.standard_normal((4, 8, 8, 2))],
    "encoder": lambda r: [np.array([[1, 2, 3, 4, 5], [6, 7, 8, 0, 0], [9, 10, 1, 2, 0],
                                    [3, 3, 0, 0, 0]], "int32")],
    "rnn": lambda r: [r.standard_normal((4, 5, 3)) *
                      (np.arange(5) < np.array([[5], [4], [2], [1]]))[..., None]],
    "nested": lambda r: [r.standard_normal((4, 6)), r.standard_normal((4, 6))],
    "scale": lambda r: [r.standard_normal((4, 7))],
}


def save(folder, name, make, quantize=None):
    keras.utils.set_random_seed(7)
    model = make()
    rng = np.random.default_rng(11)
    # Fresh biases and statistics are zeros and ones: give them values that show in the outputs.
    for variable in model.variables:
        if variable.name == "moving_variance":
            variable.assign(rng.uniform(0.5, 1.5, variable.shape))
        elif len(variable.shape) > 0 and "seed" not in variable.path:
            variable.assign(variable + 0.1 * rng.standard_normal(variable.shape))
    inputs = INPUTS[make.__name__](rng)
    inputs = [x if x.dtype == np.int32 else x.astype("float32") for x in inputs]
    float_outputs = model(inputs if len(inputs) > 1 else inputs[0])
    outputs = None
    if quantize is not None:
        outputs = quantize(model, float_outputs)
    if outputs is None:
        outputs = model(inputs if len(inputs) > 1 else inputs[0])
    outputs = outputs if isinstance(outputs, (list, tuple)) else [outputs]
    model.save(folder / f"{name}.keras")
    for i, x in enumerate(inputs):
        np.save(folder / f"{name}.x{i}.npy", x)
    for i, y in enumerate(outputs):
        np.save(folder / f"{name}.y{i}.npy", np.asarray(y, "float32"))


def mode(name, **kwargs):
    return lambda model, _: model.quantize(name, **kwargs)


def float8(model, float_outputs):
    model.quantize("float8")
    return float_outputs  # the importer reads the weights as floats


def calibrated(name):
    """GPTQ or AWQ as they are after calibration, with random integers."""
    def quantize(model, _):
        rng = np.random.default_rng(3)
        config = {
            "gptq": lambda: keras.quantizers.GPTQConfig(
                dataset=["a"], tokenizer=lambda x: x, weight_bits=4, group_size=3),
            "awq": lambda: keras.quantizers.AWQConfig(
                dataset=["a"], tokenizer=lambda x: x, group_size=3),
        }[name]()
        for layer in model.layers:
            layer.quantize(name, config=config)
            layer.quantized_kernel.assign(
                rng.integers(0, 256, layer.quantized_kernel.shape).astype("uint8"))
            layer.kernel_scale.assign(rng.uniform(0.01, 0.1, layer.kernel_scale.shape))
            layer.kernel_zero.assign(
                rng.integers(0, 16, layer.kernel_zero.shape).astype("uint8"))
            layer.g_idx.assign(np.arange(layer.g_idx.shape[0]) // 3)
            if name == "awq":
                layer.awq_scales.assign(rng.uniform(0.5, 2.0, layer.awq_scales.shape))
            setattr(layer, f"is_{name}_calibrated", True)
            if VERSION >= (3, 14):
                # 3.14 and 3.15 forget kernel_zero when they save; put it where it belongs.
                zero = layer.kernel_zero
                layer._get_kernel_with_merged_lora = lambda zero=zero: (None, None, zero)
    return quantize


def main():
    folder = pathlib.Path(__file__).parent / keras.__version__
    folder.mkdir(exist_ok=True)
    save(folder, "mlp_int8", mlp, mode("int8"))
    save(folder, "mlp_int4", mlp, mode("int4"))
    save(folder, "encoder_int8", encoder, mode("int8"))
    if VERSION >= (3, 12):  # 3.11 leaves embeddings float
        save(folder, "encoder_int4", encoder, mode("int4"))
    if VERSION >= (3, 14):
        per_channel = keras.quantizers.Int4QuantizationConfig(block_size=-1)
        save(folder, "mlp_int4_per_channel", mlp, mode(None, config=per_channel))
    if VERSION == (3, 13):
        save(folder, "mlp_gptq", mlp, calibrated("gptq"))
    if VERSION == (3, 14):
        save(folder, "mlp_awq", mlp, calibrated("awq"))
    if VERSION < FULL:
        return 0
    for make in (mlp, cnn, encoder, rnn, nested, scale):
        save(folder, f"{make.__name__}_float", make)
    save(folder, "cnn_int8", cnn, mode("int8"))
    save(folder, "rnn_int8", rnn, mode("int8", filters="score"))
    save(folder, "scale_int8", scale, mode("int8"))
    weight_only = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    save(folder, "mlp_int8_weight_only", mlp, mode(None, config=weight_only))
    groups = keras.quantizers.Int4QuantizationConfig(block_size=2)
    save(folder, "mlp_int4_grouped", mlp, mode(None, config=groups))
    save(folder, "mlp_float8", mlp, float8)
    keras.config.set_dtype_policy("mixed_bfloat16")
    save(folder, "mlp_mixed_bfloat16", mlp)
    keras.config.set_dtype_policy("bfloat16")
    save(folder, "mlp_bfloat16", mlp)
    return 0


if __name__ == "__main__":
    sys.exit(main())
