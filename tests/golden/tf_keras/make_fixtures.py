# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with the real Keras 2 (tf-keras): for each kind of input one model with an output
for every layer that takes it, as HDF5 and as a .keras archive, with inputs and what Keras answers.

    make_fixtures.py [FOLDER [each]]

NAME.h5, NAME.keras, NAME.x0.npy, ... and NAME.y.npz, with an answer for each layer. It wants
../tfmot/requirements.txt installed. With `each` every layer becomes a model of its own, which tells more where one
fails.
"""

import os
import pathlib
import sys

os.environ.update(TF_USE_LEGACY_KERAS="1", TF_CPP_MIN_LOG_LEVEL="3", CUDA_VISIBLE_DEVICES="")

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

keras = tf.keras
L = keras.layers
FOLDER = pathlib.Path(__file__).resolve().parent
RNG = np.random.default_rng(2025)
# A sequence of padded ends, which Masking and mask_zero skip.
KEPT = np.arange(7) < np.array([[7], [4], [2], [7]])

INPUTS = {
    "vectors": [RNG.standard_normal((4, 6))],
    "images": [RNG.standard_normal((2, 9, 10, 4))],
    "sequences": [RNG.standard_normal((4, 7, 6)) * KEPT[..., None]],
    "tokens": [RNG.integers(1, 13, (4, 7)) * KEPT],
    "videos": [RNG.standard_normal((2, 3, 6, 6, 2))],
    "pairs": [RNG.standard_normal((4, 7, 6)), RNG.standard_normal((4, 7, 6)),
              RNG.standard_normal((4, 6)), RNG.standard_normal((4, 6))],
    "cells": [2 * RNG.standard_normal((4, 7, 6)) * KEPT[..., None]],
}
ACTIVATIONS = ("relu", "elu", "selu", "gelu", "swish", "sigmoid", "hard_sigmoid", "tanh", "softplus",
               "softsign", "softmax", "exponential", "linear", "mish")


def functions(names):
    return {f"activation_{name}": (lambda name: lambda x: L.Activation(name)(x))(name)
            for name in names}


def vectors():
    return {
        **functions(ACTIVATIONS),
        "dense": lambda x: L.Dense(7, activation="relu")(x),
        "dense_softmax": lambda x: L.Dense(7, activation="softmax", use_bias=False)(x),
        "relu": lambda x: L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2)(x),
        "leaky_relu": lambda x: L.LeakyReLU(0.2)(x),
        "elu": lambda x: L.ELU(0.7)(x),
        "softmax": lambda x: L.Softmax()(x),
        "repeat_vector": lambda x: L.RepeatVector(3)(x),
        "dropout": lambda x: L.Dropout(0.5)(x),
        "alpha_dropout": lambda x: L.AlphaDropout(0.5)(x),
        "gaussian": lambda x: L.GaussianDropout(0.5)(L.GaussianNoise(0.5)(x)),
        "activity_regularization": lambda x: L.ActivityRegularization(0.1)(x),
        "identity": lambda x: L.Identity()(x),
        "nested": lambda x: keras.Sequential(
            [L.Dense(5, activation="relu"), L.BatchNormalization(), L.Dense(3)], name="inner")(x),
        "nested_twice": nested_twice,
        "shared": shared,
    }


def nested_twice(x):
    """Models within models, one with a layer that is not trained, whose variables come last."""
    first = keras.Input((6,))
    inner = keras.Model(first, L.Dense(4)(first), name="deep")
    second = keras.Input((6,))
    y = L.Concatenate()([inner(second), L.BatchNormalization()(second)])
    outer = keras.Model(second, L.Dense(3)(y), name="outer")
    frozen = keras.Sequential([L.Dense(5), L.BatchNormalization(), L.Dense(2)], name="frozen")
    frozen.build((None, 3))
    frozen.layers[0].trainable = False
    return frozen(outer(x))


def shared(x):
    layer = L.Dense(6, name="shared")
    return layer(layer(x))


def images():
    return {
        "conv2d": lambda x: L.Conv2D(5, (3, 2), strides=2, padding="same")(x),
        "conv2d_groups": lambda x: L.Conv2D(6, 3, groups=2, dilation_rate=2)(x),
        "depthwise_conv2d": lambda x: L.DepthwiseConv2D(3, depth_multiplier=2, padding="same")(x),
        "separable_conv2d": lambda x: L.SeparableConv2D(5, 3, strides=2, padding="same")(x),
        "conv2d_transpose": lambda x: L.Conv2DTranspose(4, 3, strides=2, padding="same")(x),
        "batch_normalization": lambda x: L.BatchNormalization()(x),
        "batch_normalization_bare": lambda x: L.BatchNormalization(scale=False, center=False)(x),
        "group_normalization": lambda x: L.GroupNormalization(2)(x),
        "max_pooling2d": lambda x: L.MaxPooling2D(2)(x),
        "average_pooling2d": lambda x: L.AveragePooling2D(3, strides=2, padding="same")(x),
        "global_average_pooling2d": lambda x: L.GlobalAveragePooling2D(keepdims=True)(x),
        "global_max_pooling2d": lambda x: L.GlobalMaxPooling2D()(x),
        "flatten": lambda x: L.Flatten()(x),
        "permute": lambda x: L.Permute((3, 1, 2))(x),
        "zero_padding2d": lambda x: L.ZeroPadding2D(((1, 2), (0, 3)))(x),
        "cropping2d": lambda x: L.Cropping2D(((1, 2), (0, 3)))(x),
        "up_sampling2d": lambda x: L.UpSampling2D((2, 3))(x),
        "up_sampling2d_bilinear": lambda x: L.UpSampling2D(2, interpolation="bilinear")(x),
        "resizing": lambda x: L.Resizing(6, 12)(x),
        "rescaling": lambda x: L.Rescaling(0.1, offset=2.0)(x),
        "normalization": lambda x: L.Normalization(mean=[1.0, 2.0, 3.0, 0.5],
                                                   variance=[2.0, 3.0, 0.5, 1.0])(x),
        "normalization_adapted": adapted,
        "spatial_dropout2d": lambda x: L.SpatialDropout2D(0.5)(x),
        "augmented": lambda x: L.RandomBrightness(0.1)(L.RandomContrast(0.1)(L.RandomFlip()(
            L.RandomRotation(0.1)(L.RandomTranslation(0.1, 0.1)(L.RandomZoom(0.1)(x)))))),
    }


def adapted(x):
    layer = L.Normalization()
    layer.adapt(INPUTS["images"][0].astype("float32"))
    return layer(x)


def sequences():
    return {
        "conv1d": lambda x: L.Conv1D(5, 3, padding="same", activation="relu")(x),
        "conv1d_causal": lambda x: L.Conv1D(5, 3, padding="causal", dilation_rate=2)(x),
        "conv1d_transpose": lambda x: L.Conv1DTranspose(4, 3, strides=2)(x),
        "depthwise_conv1d": lambda x: L.DepthwiseConv1D(3, depth_multiplier=2)(x),
        "separable_conv1d": lambda x: L.SeparableConv1D(5, 3, activation="elu")(x),
        "layer_normalization": lambda x: L.LayerNormalization()(x),
        "unit_normalization": lambda x: L.UnitNormalization()(x),
        "prelu": lambda x: L.PReLU(alpha_initializer="random_uniform", shared_axes=[1])(x),
        "softmax": lambda x: L.Softmax(axis=1)(x),
        "einsum_dense": lambda x: L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5),
                                                bias_axes="de")(x),
        "max_pooling1d": lambda x: L.MaxPooling1D(3, strides=2, padding="same")(x),
        "average_pooling1d": lambda x: L.AveragePooling1D(2)(x),
        "global_average_pooling1d": lambda x: L.GlobalAveragePooling1D()(x),
        "global_max_pooling1d": lambda x: L.GlobalMaxPooling1D()(x),
        "reshape": lambda x: L.Reshape((3, -1))(x),
        "zero_padding1d": lambda x: L.ZeroPadding1D((1, 2))(x),
        "cropping1d": lambda x: L.Cropping1D((1, 2))(x),
        "up_sampling1d": lambda x: L.UpSampling1D(3)(x),
        "spatial_dropout1d": lambda x: L.SpatialDropout1D(0.5)(x),
        "lstm": lambda x: L.LSTM(5)(L.Masking()(x)),
        "lstm_sequences": lambda x: L.LSTM(5, go_backwards=True, return_sequences=True)(x),
        "gru": lambda x: L.GRU(5, return_sequences=True)(x),
        "gru_before": lambda x: L.GRU(5, reset_after=False)(x),
        "simple_rnn": lambda x: L.SimpleRNN(5)(x),
        "rnn_lstm": lambda x: L.RNN(L.LSTMCell(4))(x),
        "rnn_gru": lambda x: L.RNN(L.GRUCell(4), return_sequences=True)(x),
        "rnn_simple": lambda x: L.RNN(L.SimpleRNNCell(4))(x),
        **{f"bidirectional_{mode}": (lambda mode: lambda x: L.Bidirectional(
            L.LSTM(4, return_sequences=True), merge_mode=mode)(x))(mode)
           for mode in ("concat", "sum", "ave", "mul")},
        "bidirectional_gru": lambda x: L.Bidirectional(L.GRU(4), backward_layer=L.GRU(
            4, go_backwards=True))(L.Masking()(x)),
        "time_distributed": lambda x: L.TimeDistributed(L.Dense(3))(x),
        "time_distributed_norm": lambda x: L.TimeDistributed(L.BatchNormalization())(x),
        "multi_head_attention": lambda x: L.MultiHeadAttention(2, 4, value_dim=3)(x, x),
        "multi_head_attention_causal": lambda x: L.MultiHeadAttention(2, 4)(
            x, x, use_causal_mask=True),
        "nested_recurrent": nested_recurrent,
    }


def nested_recurrent(x):
    """Wrappers and attention within a model within a model."""
    first = keras.Input((7, 6))
    y = L.Bidirectional(L.GRU(3, return_sequences=True))(first)
    y = L.TimeDistributed(L.Dense(6))(L.MultiHeadAttention(2, 3)(y, y))
    return keras.Model(first, L.LayerNormalization()(y), name="block")(x)


def tokens():
    return {
        "embedding": lambda x: L.Embedding(13, 6)(x),
        "embedding_mask": lambda x: L.GRU(5)(L.Embedding(13, 6, mask_zero=True)(x)),
        "embedding_mask_average": lambda x: L.GlobalAveragePooling1D()(
            L.Embedding(13, 6, mask_zero=True)(x)),
        "embedding_mask_bidirectional": lambda x: L.Bidirectional(L.LSTM(3))(
            L.Embedding(13, 6, mask_zero=True)(x)),
    }


def videos():
    return {"time_distributed_conv": lambda x: L.TimeDistributed(L.Conv2D(2, 3))(x),
            "spatial_dropout3d": lambda x: L.SpatialDropout3D(0.5)(x)}


def pairs():
    """Of two sequences and two vectors."""
    merged = {name.lower(): (lambda cls: lambda a, b, u, v: cls()([a, b, a]))(getattr(L, name))
              for name in ("Add", "Multiply", "Average", "Maximum", "Minimum")}
    return {
        **merged,
        "subtract": lambda a, b, u, v: L.Subtract()([a, b]),
        "concatenate": lambda a, b, u, v: L.Concatenate(axis=1)([a, b]),
        "dot_vectors": lambda a, b, u, v: L.Dot(axes=1, normalize=True)([u, v]),
        "dot_matrices": lambda a, b, u, v: L.Dot(axes=2)([a, b]),
        "attention": lambda a, b, u, v: L.Attention()([a, b]),
        "multi_head_attention": lambda a, b, u, v: L.MultiHeadAttention(2, 4)(a, b),
        "lstm_initial": lambda a, b, u, v: L.LSTM(6)(a, initial_state=[u, v]),
        "lstm_states": lambda a, b, u, v: L.Concatenate()(L.LSTM(5, return_state=True)(a)),
    }


def cells():
    """Recurrent layers with the hard sigmoid of Keras 2."""
    hard = {"recurrent_activation": "hard_sigmoid"}
    return {
        "lstm": lambda x: L.LSTM(5, return_sequences=True, **hard)(x),
        "lstm_masked": lambda x: L.LSTM(5, activation="hard_sigmoid", **hard)(L.Masking()(x)),
        "lstm_leaky": lambda x: L.LSTM(5, activation=L.LeakyReLU(0.4), **hard)(x),
        "gru": lambda x: L.GRU(5, return_sequences=True, **hard)(x),
        "gru_before": lambda x: L.GRU(5, reset_after=False, activation="hard_sigmoid", **hard)(x),
        "simple_rnn": lambda x: L.SimpleRNN(5, activation="hard_sigmoid")(x),
        "rnn": lambda x: L.RNN(L.LSTMCell(4, **hard))(x),
        "bidirectional": lambda x: L.Bidirectional(L.GRU(4, **hard))(x),
    }


KINDS = (vectors, images, sequences, tokens, videos, pairs, cells)


def shake(model):
    """Gives fresh biases, scales and statistics values that show in the outputs."""
    for variable in model.variables:
        # What Normalization adapted to is computed with from then on, whatever its variables say.
        if variable.dtype != tf.float32 or variable.name in ("mean:0", "variance:0"):
            continue
        if "variance" in variable.name:
            variable.assign(RNG.uniform(0.5, 1.5, variable.shape))
        else:
            variable.assign(variable + 0.1 * RNG.standard_normal(variable.shape))


def write(folder, name, arrays, builders):
    keras.backend.clear_session()
    keras.utils.set_random_seed(5)
    specs = [keras.Input(x.shape[1:], dtype=x.dtype.name, name=f"x{i}")
             for i, x in enumerate(arrays)]
    outputs = [L.Activation("linear", name=f"out_{key}")(build(*specs))
               for key, build in builders.items()]
    model = keras.Model(specs, outputs)
    shake(model)
    answers = model(arrays if len(arrays) > 1 else arrays[0], training=False)
    for path in (folder / f"{name}.h5", folder / f"{name}.keras"):
        model.save(path)
    for i, x in enumerate(arrays):
        np.save(folder / f"{name}.x{i}.npy", x)
    np.savez_compressed(folder / f"{name}.y.npz", **{
        key: y.numpy() for key, y in
        zip(builders, answers if isinstance(answers, (list, tuple)) else [answers])})


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    for kind in KINDS:
        arrays = [x.astype("int32" if kind is tokens else "float32")
                  for x in INPUTS[kind.__name__]]
        if sys.argv[2:] != ["each"]:
            write(folder, kind.__name__, arrays, kind())
            continue
        for key, build in kind().items():
            write(folder, f"{kind.__name__}-{key}", arrays, {key: build})


if __name__ == "__main__":
    main()
