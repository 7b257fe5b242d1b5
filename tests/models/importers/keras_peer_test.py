# SPDX-License-Identifier: Apache-2.0
"""Keras against Octet: random models of every layer, imported and run by the real program.

    keras_peer_test.py [OCTET [FILTER]]

OCTET is the path of the program `octet`, OCTET_BIN_DIR/octet if not given. Only models whose
name contains FILTER are tried.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ["KERAS_BACKEND"] = "numpy"
warnings.filterwarnings("ignore")

try:
    import keras
    import numpy as np
    from keras import layers, ops
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

FLOAT_BOUND = 1e-5
# One layer on identical inputs: the integers are the same, the rest is float32 rounding.
INT8_BOUND = 2e-6
# Keras computes in bfloat16, whose steps are 2^-8.
BFLOAT16_BOUND = 2e-2
# The same, and an input of a later layer may be rounded to the next of 127 integers.
INT8_FROM_BFLOAT16_BOUND = 3e-2

RNG = np.random.default_rng(2025)


def sequence(channels=6, length=7):
    return RNG.standard_normal((4, length, channels)).astype("float32")


def image(channels=3, size=9):
    return RNG.standard_normal((4, size, size + 1, channels)).astype("float32")


def volume(channels=3):
    return RNG.standard_normal((4, 5, 6, 7, channels)).astype("float32")


def rows(width=6):
    return RNG.standard_normal((5, width)).astype("float32")


def tokens(length=7):
    ids = RNG.integers(1, 13, (4, length)).astype("int32")
    ids[1, 4:] = 0
    ids[2, 2:] = 0
    return ids


def padded(channels=6, length=7):
    x = sequence(channels, length)
    x[1, 4:] = 0
    x[2, 2:] = 0
    return x


def one(layer, *inputs):
    """A Functional model of one layer."""
    specs = [keras.Input(x.shape[1:], dtype=x.dtype.name) for x in inputs]
    return keras.Model(specs if len(specs) > 1 else specs[0],
                       layer(specs if len(specs) > 1 else specs[0])), inputs


def functional(build, *inputs):
    specs = [keras.Input(x.shape[1:], dtype=x.dtype.name) for x in inputs]
    return keras.Model(specs if len(specs) > 1 else specs[0], build(*specs)), inputs


def open_length(build, x):
    spec = keras.Input((None,) + x.shape[2:], dtype=x.dtype.name)
    return keras.Model(spec, build(spec)), (x,)


def open_lengths(build, *inputs):
    """A Functional model whose inputs are sequences of any lengths."""
    specs = [keras.Input((None,) + x.shape[2:], dtype=x.dtype.name) for x in inputs]
    return keras.Model(specs, build(*specs)), inputs


def reversible(**options):
    """Looked up, and multiplied back to the vocabulary."""
    layer = L.ReversibleEmbedding(13, 6, **options)
    return functional(lambda x: layer(layer(x), reverse=True), tokens())


def reversible_vectors(**options):
    """The reversed call alone."""
    layer = L.ReversibleEmbedding(13, 6, **options)
    layer.build()
    return functional(lambda x: layer(x, reverse=True), sequence())


def reversible_by_policy(config, **options):
    """With grouped int4 from the start, which then has Keras's own activation quantizer."""
    source = L.ReversibleEmbedding(13, 6, **options)
    source.build()
    source.quantize("int4", config=config)
    policy = f"int4/{config.block_size}_from_float32"
    layer = L.ReversibleEmbedding(13, 6, dtype=policy, **options)
    result = functional(lambda x: layer(layer(x), reverse=True), tokens())
    for variable, value in zip(layer.variables, source.variables, strict=True):
        assert variable.name == value.name
        variable.assign(value)
    return result


def with_policy(policy):
    """Two layers that Keras keeps and computes in another float type."""
    return functional(
        lambda x: L.Dense(5, dtype=policy)(L.Dense(9, activation="relu", dtype=policy)(x)),
        rows(33))


def embedded(ids):
    """As most models begin: padded tokens, whose mask goes with them."""
    return L.Embedding(13, 8, mask_zero=True)(ids)


def attention(*arguments, dropout=0.0, **keywords):
    return L.MultiHeadAttention(2, 4, dropout=dropout)(*arguments, **keywords)


def layer_add(x, y):
    return L.Add()([x, y])


def operator_add(x, y):
    return x + y


def encoder_block(x, add, dropout=0.0, first=False):
    """A transformer encoder's block, normalized first or last; `add` as a layer or as ops.Add."""
    y = L.LayerNormalization()(x) if first else x
    x = add(x, attention(y, y, dropout=dropout))
    x = x if first else L.LayerNormalization()(x)
    y = L.LayerNormalization()(x) if first else x
    y = L.Dropout(dropout)(L.Dense(8)(L.Dense(16, activation="gelu")(y)))
    x = add(x, y)
    return x if first else L.LayerNormalization()(x)


def encoder(add, **options):
    def build(ids):
        x = embedded(ids)
        for _ in range(2):
            x = encoder_block(x, add, **options)
        return L.Dense(3, activation="softmax")(L.GlobalAveragePooling1D()(x))
    return open_length(build, tokens())


def parallel_attention(x):
    """Which of the two sees the mask depends on the order in which Keras runs them."""
    one, other = attention(x, x), attention(x, x)
    return L.Add()([other, one, L.Dropout(0.1)(x)])


def open_image(build, x):
    spec = keras.Input((None, None) + x.shape[3:], dtype=x.dtype.name)
    return keras.Model(spec, build(spec)), (x,)


def text_classifier(x, hidden):
    """Embedding, convolution, pooling, `hidden` and a head, for texts of any length."""
    y = L.Embedding(13, 6)(x)
    y = L.Conv1D(8, 3, activation="relu")(y)
    y = L.MaxPooling1D(2)(y)
    return L.Dense(3, activation="softmax")(hidden(y))


def fully_convolutional(x):
    y = L.Conv2D(8, 3, strides=2, padding="same", use_bias=False)(x)
    y = L.ReLU(6.0)(L.BatchNormalization()(y))
    shortcut = y
    y = L.DepthwiseConv2D(3, padding="same", activation="relu")(y)
    y = L.Conv2D(8, 1)(y)
    y = L.Add()([y, shortcut])
    y = L.MaxPooling2D(3, strides=2, padding="same")(y)
    y = L.SeparableConv2D(7, (3, 2), dilation_rate=2, padding="same", activation="elu")(y)
    return L.AveragePooling2D(2)(y)


L = layers
ACTIVATIONS = ["relu", "relu6", "leaky_relu", "elu", "selu", "gelu", "silu", "sigmoid",
               "hard_sigmoid", "hard_silu", "tanh", "softplus", "softsign", "softmax",
               "log_softmax", "exponential", "mish", "celu", "hard_tanh", "tanh_shrink",
               "soft_shrink", "hard_shrink", "squareplus", "log_sigmoid", "sparse_plus"]

FLOAT_MODELS = {
    "dense": lambda: one(L.Dense(7, activation="relu"), rows()),
    "dense_no_bias": lambda: one(L.Dense(7, use_bias=False), sequence()),
    "einsum_heads": lambda: one(
        L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5), bias_axes="de"), sequence()),
    "einsum_swapped": lambda: one(
        L.EinsumDense("abc,cde->aebd", output_shape=(4, None, 3), bias_axes="e"), sequence()),
    "einsum_over_time": lambda: one(
        L.EinsumDense("abc,bd->adc", output_shape=(5, 6), bias_axes="d"), sequence()),
    "einsum_ellipsis": lambda: one(
        L.EinsumDense("...x,xy->...y", output_shape=4, bias_axes="y", activation="tanh"),
        sequence()),
    "embedding": lambda: one(L.Embedding(13, 6), tokens()),
    "reversible_embedding": reversible,
    "reversible_embedding_untied": lambda: reversible(tie_weights=False, logit_soft_cap=2.0),
    "reversible_embedding_untied_forward": lambda: one(
        L.ReversibleEmbedding(13, 6, tie_weights=False), tokens()),
    "reversible_embedding_reverse": reversible_vectors,
    "reversible_embedding_untied_reverse": lambda: reversible_vectors(tie_weights=False),
    "conv1d": lambda: one(L.Conv1D(5, 3, padding="same", activation="relu"), sequence()),
    "conv1d_causal": lambda: one(L.Conv1D(5, 3, padding="causal", dilation_rate=2), sequence()),
    "conv1d_strided": lambda: one(L.Conv1D(5, 3, strides=2), sequence()),
    "conv2d": lambda: one(L.Conv2D(5, (3, 2), strides=2, padding="same"), image()),
    "conv2d_groups": lambda: one(L.Conv2D(6, 3, groups=3, dilation_rate=2), image()),
    "depthwise_conv1d": lambda: one(L.DepthwiseConv1D(3, depth_multiplier=2), sequence()),
    "depthwise_conv2d": lambda: one(L.DepthwiseConv2D(3, depth_multiplier=2, padding="same"),
                                    image()),
    "separable_conv1d": lambda: one(L.SeparableConv1D(5, 3, activation="elu"), sequence()),
    "separable_conv2d": lambda: one(L.SeparableConv2D(5, 3, strides=2, padding="same"), image()),
    "conv2d_transpose": lambda: one(L.Conv2DTranspose(4, 3, strides=2, padding="same"), image()),
    "conv2d_transpose_valid": lambda: one(L.Conv2DTranspose(4, 3, strides=2), image()),
    "conv1d_transpose": lambda: one(L.Conv1DTranspose(4, 3, strides=2), sequence()),
    "conv3d": lambda: one(L.Conv3D(5, (3, 2, 3), strides=2, padding="same"), volume()),
    "conv3d_groups": lambda: one(L.Conv3D(6, 2, groups=3, dilation_rate=(1, 2, 3),
                                          activation="softmax"), volume()),
    "conv3d_channels_first": lambda: one(
        L.Conv3D(4, 2, strides=(2, 1, 1), data_format="channels_first"), volume()),
    "conv3d_transpose": lambda: one(L.Conv3DTranspose(4, 3, strides=2, padding="same"), volume()),
    "conv3d_transpose_valid": lambda: one(L.Conv3DTranspose(4, (2, 3, 1), strides=(3, 2, 1),
                                                            activation="relu"), volume()),
    "batch_normalization": lambda: one(L.BatchNormalization(), image()),
    "layer_normalization": lambda: one(L.LayerNormalization(), sequence()),
    "group_normalization": lambda: one(L.GroupNormalization(2), image(4)),
    "rms_normalization": lambda: one(L.RMSNormalization(), sequence()),
    "unit_normalization": lambda: one(L.UnitNormalization(), sequence()),
    "relu_options": lambda: one(L.ReLU(max_value=1.5, negative_slope=0.1, threshold=0.2), rows()),
    "leaky_relu_layer": lambda: one(L.LeakyReLU(0.2), rows()),
    "prelu": lambda: one(L.PReLU(alpha_initializer="random_uniform", shared_axes=[1]), sequence()),
    "elu_layer": lambda: one(L.ELU(0.7), rows()),
    "softmax_layer": lambda: one(L.Softmax(axis=1), sequence()),
    "max_pooling1d": lambda: one(L.MaxPooling1D(3, strides=2, padding="same"), sequence()),
    "max_pooling2d": lambda: one(L.MaxPooling2D(2), image()),
    "average_pooling1d": lambda: one(L.AveragePooling1D(2), sequence()),
    "average_pooling2d_same": lambda: one(L.AveragePooling2D(3, strides=2, padding="same"),
                                          image()),
    "global_average_pooling1d": lambda: one(L.GlobalAveragePooling1D(), sequence()),
    "global_average_pooling2d": lambda: one(L.GlobalAveragePooling2D(keepdims=True), image()),
    "global_max_pooling1d": lambda: one(L.GlobalMaxPooling1D(), sequence()),
    "global_max_pooling2d": lambda: one(L.GlobalMaxPooling2D(), image()),
    "max_pooling3d": lambda: one(L.MaxPooling3D((2, 3, 1)), volume()),
    "max_pooling3d_same": lambda: one(L.MaxPooling3D(3, strides=2, padding="same"), volume()),
    "average_pooling3d": lambda: one(
        L.AveragePooling3D(2, strides=(1, 2, 3), data_format="channels_first"), volume()),
    "average_pooling3d_same": lambda: one(L.AveragePooling3D(3, strides=2, padding="same"),
                                          volume()),
    "global_average_pooling3d": lambda: one(L.GlobalAveragePooling3D(), volume()),
    "global_max_pooling3d": lambda: one(
        L.GlobalMaxPooling3D(keepdims=True, data_format="channels_first"), volume()),
    "flatten": lambda: one(L.Flatten(), image()),
    "reshape": lambda: one(L.Reshape((3, -1)), sequence(6)),
    "permute": lambda: one(L.Permute((3, 1, 2)), image()),
    "repeat_vector": lambda: one(L.RepeatVector(3), rows()),
    "zero_padding1d": lambda: one(L.ZeroPadding1D((1, 2)), sequence()),
    "zero_padding2d": lambda: one(L.ZeroPadding2D(((1, 2), (0, 3))), image()),
    "zero_padding3d": lambda: one(L.ZeroPadding3D((1, (0, 2), 3)), volume()),
    "cropping1d": lambda: one(L.Cropping1D((1, 2)), sequence()),
    "cropping2d": lambda: one(L.Cropping2D(((1, 2), (0, 3))), image()),
    "cropping3d": lambda: one(L.Cropping3D(((1, 2), (0, 3), (2, 0))), volume()),
    "up_sampling2d": lambda: one(L.UpSampling2D((2, 3)), image()),
    "up_sampling2d_bilinear": lambda: one(L.UpSampling2D(2, interpolation="bilinear"), image()),
    "up_sampling1d": lambda: one(L.UpSampling1D(3), sequence()),
    "up_sampling3d": lambda: one(L.UpSampling3D((2, 1, 3)), volume()),
    "up_sampling3d_channels_first": lambda: one(
        L.UpSampling3D(2, data_format="channels_first"), volume()),
    "resizing": lambda: one(L.Resizing(6, 12), image()),
    "resizing_nearest": lambda: one(L.Resizing(5, 12, interpolation="nearest"), image()),
    "rescaling": lambda: one(L.Rescaling(0.1, offset=[1.0, 2.0, 3.0]), image()),
    "normalization": lambda: one(
        L.Normalization(mean=[1.0, 2.0, 3.0], variance=[2.0, 3.0, 0.5]), image()),
    **{name.lower(): (lambda cls: lambda: one(cls(), sequence(), sequence(), sequence()))(cls)
       for name, cls in (("Add", L.Add), ("Multiply", L.Multiply), ("Average", L.Average),
                         ("Maximum", L.Maximum), ("Minimum", L.Minimum))},
    "subtract": lambda: one(L.Subtract(), sequence(), sequence()),
    "concatenate": lambda: one(L.Concatenate(axis=1), sequence(), sequence(6, 3)),
    "dot_vectors": lambda: one(L.Dot(axes=1, normalize=True), rows(), rows()),
    "dot_matrices": lambda: one(L.Dot(axes=(2, 1)), sequence(6), sequence(4, 6)),
    "dropout": lambda: one(L.Dropout(0.5), rows()),
    "masking_lstm": lambda: functional(lambda x: L.LSTM(5)(L.Masking()(x)), padded()),
    "masking_lstm_sequences": lambda: functional(
        lambda x: L.LSTM(5, return_sequences=True)(L.Masking()(x)), padded()),
    "lstm_states": lambda: functional(lambda x: L.LSTM(5, return_state=True)(x), sequence()),
    "lstm_initial": lambda: functional(
        lambda x, h, c: L.LSTM(6)(x, initial_state=[h, c]), sequence(), rows(6)[:4], rows(6)[:4]),
    "lstm_backwards": lambda: one(L.LSTM(5, go_backwards=True, return_sequences=True), sequence()),
    "gru": lambda: one(L.GRU(5, return_sequences=True), sequence()),
    "gru_before": lambda: one(L.GRU(5, reset_after=False), sequence()),
    "simple_rnn": lambda: one(L.SimpleRNN(5), sequence()),
    "rnn_cell": lambda: one(L.RNN(L.GRUCell(4)), sequence()),
    "embedding_mask_gru": lambda: functional(
        lambda x: L.GRU(5)(L.Embedding(13, 6, mask_zero=True)(x)), tokens()),
    "embedding_mask_average": lambda: functional(
        lambda x: L.GlobalAveragePooling1D()(L.Embedding(13, 6, mask_zero=True)(x)), tokens()),
    "open_length_gru": lambda: open_length(lambda x: L.GRU(5)(x), sequence()),
    "open_length_attention": lambda: open_length(
        lambda x: L.MultiHeadAttention(2, 4)(x, x), sequence()),
    "open_lengths_apart": lambda: open_lengths(
        lambda x, y: L.Concatenate()([L.GRU(5)(x), L.GlobalMaxPooling1D()(y)]),
        sequence(6, 7), sequence(6, 11)),
    "open_lengths_attention": lambda: open_lengths(
        lambda x, y: L.MultiHeadAttention(2, 4)(x, y), sequence(6, 7), sequence(5, 4)),
    "open_lengths_masked_attention": lambda: open_lengths(
        lambda x, y: L.GlobalAveragePooling1D()(
            L.MultiHeadAttention(2, 4)(embedded(x), embedded(y))), tokens(7), tokens(9)),
    "open_lengths_dot": lambda: open_lengths(
        lambda x, y: L.GlobalMaxPooling1D()(L.Dot(axes=2)([x, y])),
        sequence(6, 7), sequence(6, 7)),
    "open_lengths_added": lambda: open_lengths(
        lambda x, y: L.GRU(5)(L.Add()([x, y])), sequence(6, 9), sequence(6, 9)),
    "open_lengths_joined": lambda: open_lengths(
        lambda x, y: L.GRU(5)(L.Concatenate(axis=1)([x, y])), sequence(6, 9), sequence(6, 9)),
    **{f"bidirectional_{mode}": (lambda mode: lambda: one(
        L.Bidirectional(L.LSTM(4, return_sequences=True), merge_mode=mode), sequence()))(mode)
       for mode in ("concat", "sum", "ave", "mul")},
    "bidirectional_masked": lambda: functional(
        lambda x: L.Bidirectional(L.GRU(4, return_sequences=True))(L.Masking()(x)), padded()),
    "bidirectional_last": lambda: one(L.Bidirectional(L.GRU(4)), sequence()),
    "time_distributed_dense": lambda: one(L.TimeDistributed(L.Dense(3)), sequence()),
    "open_conv1d_same": lambda: open_length(
        L.Conv1D(5, 3, padding="same", activation="relu"), sequence(6, 11)),
    "open_conv1d_valid": lambda: open_length(L.Conv1D(5, 4, dilation_rate=2), sequence(6, 11)),
    "open_conv1d_strided": lambda: open_length(
        L.Conv1D(5, 3, strides=2, padding="same"), sequence(6, 12)),
    "open_conv1d_causal": lambda: open_length(
        L.Conv1D(5, 3, padding="causal", dilation_rate=2), sequence(6, 3)),
    "open_conv1d_causal_strided": lambda: open_length(
        L.Conv1D(5, 3, padding="causal", strides=2), sequence(6, 10)),
    "open_depthwise_conv1d": lambda: open_length(
        L.DepthwiseConv1D(3, depth_multiplier=2, padding="same"), sequence(6, 9)),
    "open_separable_conv1d": lambda: open_length(
        L.SeparableConv1D(5, 3, strides=2, activation="elu"), sequence(6, 10)),
    "open_max_pooling1d": lambda: open_length(
        L.MaxPooling1D(3, strides=2, padding="same"), sequence(6, 10)),
    "open_average_pooling1d": lambda: open_length(L.AveragePooling1D(2), sequence(6, 11)),
    "open_conv1d_global_pools": lambda: open_length(
        lambda x: L.Concatenate()([L.GlobalMaxPooling1D()(L.Conv1D(5, 3)(x)),
                                   L.GlobalAveragePooling1D()(L.Conv1D(4, 2)(x))]),
        sequence(6, 13)),
    "open_text_gru": lambda: open_length(lambda x: text_classifier(x, L.GRU(5)), tokens(17)),
    "open_text_max": lambda: open_length(
        lambda x: text_classifier(x, L.GlobalMaxPooling1D()), tokens(40)),
    "open_text_dilated": lambda: open_length(
        lambda x: L.Conv1D(4, 2, dilation_rate=4, padding="causal")(
            L.Conv1D(4, 2, dilation_rate=2, padding="causal")(
                L.Embedding(13, 6, mask_zero=True)(x))), tokens(5)),
    "open_text_deep": lambda: open_length(
        lambda x: L.GlobalMaxPooling1D()(L.Conv1D(4, 5)(L.MaxPooling1D(4)(
            L.Conv1D(4, 7)(L.Embedding(13, 6)(x))))), tokens(70)),
    "open_image": lambda: open_image(fully_convolutional, image(3, 21)),
    "open_image_global": lambda: open_image(
        lambda x: L.Dense(4)(L.GlobalAveragePooling2D()(fully_convolutional(x))), image(3, 32)),
    "open_image_groups": lambda: open_image(
        L.Conv2D(6, 3, groups=3, dilation_rate=2), image(3, 14)),
    "open_image_large": lambda: open_image(
        lambda x: L.Conv2D(32, 3, strides=2, padding="same")(L.Conv2D(32, 5)(x)), image(3, 65)),
    "time_distributed_conv": lambda: one(
        L.TimeDistributed(L.Conv2D(2, 3)), RNG.standard_normal((4, 3, 6, 6, 2)).astype("float32")),
    "attention_heads": lambda: functional(
        lambda x, y: L.MultiHeadAttention(2, 4, value_dim=3)(x, y), sequence(), sequence(6, 5)),
    "attention_causal": lambda: functional(
        lambda x: L.MultiHeadAttention(2, 4)(x, x, use_causal_mask=True), sequence()),
    "attention_masked": lambda: functional(
        lambda x: (lambda e: L.MultiHeadAttention(2, 4)(e, e))(
            L.Embedding(13, 6, mask_zero=True)(x)), tokens()),
    "attention_mask_argument": lambda: functional(
        lambda x, m: L.MultiHeadAttention(2, 4)(x, x, attention_mask=m), sequence(),
        np.tril(np.ones((4, 7, 7), bool))),
    "grouped_query_attention": lambda: functional(
        lambda x: L.GroupQueryAttention(4, 4, 2)(x, x), sequence()),
    **{f"encoder_{name}_{add.__name__}": (lambda add, options: lambda: encoder(add, **options))(
        add, options)
       for add in (layer_add, operator_add)
       for name, options in (("last", {}), ("first", {"first": True}), ("dropout", {"dropout": 0.1}),
                             ("first_dropout", {"first": True, "dropout": 0.1}))},
    "attention_parallel": lambda: functional(lambda x: parallel_attention(embedded(x)), tokens()),
    "attention_takes_the_mask": lambda: functional(
        lambda x: (lambda e: L.LSTM(4)(L.Add()([attention(e, e), e])))(L.Dropout(0.1)(embedded(x))),
        tokens()),
    "attention_dropout": lambda: functional(
        lambda x: (lambda e: attention(e, e, dropout=0.1))(embedded(x)), tokens()),
    "attention_dropout_causal": lambda: functional(
        lambda x: (lambda e: attention(e, e, dropout=0.1, use_causal_mask=True))(embedded(x)),
        tokens()),
    "grouped_query_attention_dropout": lambda: functional(
        lambda x: (lambda e: L.GroupQueryAttention(4, 4, 2, dropout=0.1)(e, e))(embedded(x)),
        tokens()),
    "grouped_query_attention_twice": lambda: functional(
        lambda x: (lambda e: (lambda y: L.GroupQueryAttention(4, 4, 2)(y, y))(
            L.Add()([L.GroupQueryAttention(4, 4, 2)(e, e), e])))(embedded(x)), tokens()),
    "concatenate_masked": lambda: functional(
        lambda x: L.GlobalAveragePooling1D()(L.Concatenate()([embedded(x), embedded(x)])),
        tokens()),
    "luong_attention": lambda: one(L.Attention(), sequence(), sequence(6, 5)),
    "luong_attention_causal": lambda: functional(
        lambda x, y: L.Attention()([x, y], use_causal_mask=True), sequence(), sequence()),
    "nested": lambda: functional(
        lambda x: keras.Sequential([L.Dense(5, activation="relu"), L.Dense(3)])(x), rows()),
    "shared": lambda: functional(
        (lambda d: lambda x, y: L.Concatenate()([d(x), d(y)]))(L.Dense(5)), rows(), rows()),
    "several_outputs": lambda: functional(
        lambda x: [L.Dense(3, name="a")(x), L.Dense(2, name="b")(x)], rows()),
    "operations": lambda: functional(
        lambda x, y: ops.softmax(ops.concatenate(
            [ops.relu(x * 2.0 + 1.0) / 3.0, ops.transpose(y, (0, 1, 2))[:, ::-1]], axis=-1)),
        sequence(), sequence()),
    "operations_on_constants": lambda: functional(
        lambda x: (x + RNG.standard_normal((7, 6)).astype("float32")) * np.arange(1, 7), sequence()),
    "positions_added": lambda: functional(
        lambda x: embedded(x) + L.Embedding(7, 8)(np.arange(7)), tokens()),
    "open_length_first": lambda: open_length(
        lambda x: L.Dense(3)(L.LSTM(4, return_sequences=True)(x)[:, 0]), sequence()),
    "open_length_last": lambda: open_length(lambda x: L.Dense(3)(x[:, -1]) + x[:, 2, :3], sequence()),
    "open_length_middle": lambda: open_length(
        lambda x: L.GlobalMaxPooling1D()(x[:, 1:-2]) + x[:, 3:][:, 0], sequence()),
    "operations_reduce": lambda: functional(
        lambda x: ops.mean(x, axis=1) - ops.max(x, axis=1) + ops.sum(x, axis=(1, 2),
                                                                     keepdims=True)[:, 0],
        sequence()),
    "operations_shape": lambda: functional(
        lambda x: ops.matmul(ops.expand_dims(ops.squeeze(x[:, 2:3], 1), -1),
                             ops.reshape(x[:, -1], (-1, 1, 6))), sequence()),
    "operations_elementwise": lambda: functional(
        lambda x: ops.sqrt(ops.abs(x)) + ops.square(x) - ops.exp(-x) + ops.gelu(x)
        + ops.clip(x, -0.5, 0.5) + ops.power(ops.sigmoid(x), 3.0) + ops.where(x > 0.1, x, 0.0),
        rows()),
    **{f"activation_{name}": (lambda name: lambda: one(L.Activation(name), rows()))(name)
       for name in ACTIVATIONS},
}

QUANTIZED_MODELS = {
    "dense": lambda: one(L.Dense(9, activation="relu"), rows(33)),
    "dense_sequence": lambda: one(L.Dense(9), sequence(33)),
    "einsum_heads": lambda: one(
        L.EinsumDense("abc,cde->abde", output_shape=(None, 2, 5), bias_axes="de"), sequence(12)),
    "einsum_back": lambda: one(
        L.EinsumDense("abcd,cde->abe", output_shape=(None, 10), bias_axes="e"),
        RNG.standard_normal((4, 5, 3, 4)).astype("float32")),
    "embedding": lambda: one(L.Embedding(13, 6), tokens()),
    "reversible_embedding": reversible,
    "reversible_embedding_untied": lambda: reversible(tie_weights=False),
    "reversible_embedding_untied_forward": lambda: one(
        L.ReversibleEmbedding(13, 6, tie_weights=False), tokens()),
    "reversible_embedding_reverse": reversible_vectors,
    "reversible_embedding_untied_reverse": lambda: reversible_vectors(tie_weights=False),
}
# Layers that are made of quantized ones: inputs of the later ones differ by rounding.
QUANTIZED_BLOCKS = {
    "attention_heads": lambda: functional(
        lambda x: L.MultiHeadAttention(2, 4)(x, x), sequence(8)),
    "grouped_query_attention": lambda: functional(
        lambda x: L.GroupQueryAttention(4, 4, 2)(x, x), sequence(8)),
}
BLOCK_BOUND = 2e-2


def shake(model):
    """Gives fresh biases, scales and statistics values that show in the outputs."""
    for variable in model.variables:
        if variable.name == "moving_variance":
            variable.assign(RNG.uniform(0.5, 1.5, variable.shape))
        elif len(variable.shape) > 0 and not any(
                word in variable.path for word in ("seed", "_scale", "_zero", "g_idx")):
            variable.assign(variable + 0.1 * RNG.standard_normal(variable.shape))


def run_program(*arguments):
    subprocess.run([str(argument) for argument in arguments], check=True, capture_output=True,
                   text=True)


def import_model(octet, model, inputs, folder):
    """The bundle, and each input as NAME=FILE.npy."""
    path = folder / "model.keras"
    model.save(path)
    bundle = folder / "model" / "1"
    run_program(octet, "import", path, "--output", bundle, "--replace")
    files = []
    for spec, x in zip(model.inputs, inputs):
        name = spec._keras_history.operation.name  # of the input layer
        np.save(folder / f"{name}.npy", x)
        files.append(f"{name}={folder / name}.npy")
    return bundle, files


def run_octet(octet, model, inputs, folder):
    bundle, files = import_model(octet, model, inputs, folder)
    run_program(octet, "run", bundle, "--output", folder / "out",
                *(part for file in files for part in ("--input", file)))
    return {file.stem: np.load(file) for file in (folder / "out").glob("*.npy")}


def compare(name, octet, build, bound, quantize=None):
    keras.backend.clear_session()
    model, inputs = build()
    shake(model)
    if quantize is not None:
        model.quantize(*quantize[0], **quantize[1])
    wanted = model(list(inputs) if len(inputs) > 1 else inputs[0])
    wanted = wanted if isinstance(wanted, (list, tuple)) else [wanted]
    with tempfile.TemporaryDirectory() as folder:
        got = run_octet(octet, model, inputs, pathlib.Path(folder))
    # By shape, since layers with several outputs have names of Octet's own.
    worst = 0.0
    left = dict(sorted(got.items()))
    for y in wanted:
        y = np.asarray(y, "float32")
        candidates = [(np.abs(g - y).max() / max(np.abs(y).max(), 1e-30), key)
                      for key, g in left.items() if g.shape == y.shape]
        if not candidates:
            raise AssertionError(f"no output of shape {y.shape} among "
                                 f"{ {k: v.shape for k, v in got.items()} }")
        difference, key = min(candidates)
        del left[key]
        worst = max(worst, difference)
    if not worst <= bound:
        raise AssertionError(f"difference {worst:.3g}, wants at most {bound:.3g}")
    return worst


MODES = ("int8-dynamic", "int8-static", "int8-weight-only", "int4", "int4-dynamic")
# Every class whose weights `octet quantize` turns to integers, and layers made of them.
RECORDED = ("dense", "einsum_heads", "embedding", "reversible_embedding",
            "reversible_embedding_untied", "reversible_embedding_untied_forward",
            "reversible_embedding_reverse", "reversible_embedding_untied_reverse", "conv1d",
            "conv2d", "depthwise_conv1d", "depthwise_conv2d", "separable_conv1d",
            "separable_conv2d", "time_distributed_dense", "time_distributed_conv",
            "attention_heads", "grouped_query_attention", "open_image_global", "nested", "shared",
            "open_text_gru", "encoder_last_layer_add")


def float_records_of_integers(bundle):
    """The nodes of a bundle with integer weights whose layer's record says that it is float."""
    graph = json.loads((bundle / "graph.json").read_text())
    layers = json.loads((bundle / "layers.json").read_text())["layers"]
    types = {value["name"]: value["data_type"] for value in graph["values"]
             if "constant" in value}
    wrong = []
    found = 0
    for node in graph["nodes"]:
        inputs = node.get("inputs", [])
        if len(inputs) < 3 or types.get(inputs[1]) not in ("INT8", "INT4") or inputs[2] not in types:
            continue
        found += 1
        # A layer that is called again has nodes with numbers behind its path.
        owners = [layer for layer in layers
                  if node["name"].startswith(layer["path"])]
        owner = max(owners, key=lambda layer: len(layer["path"]), default={"mode": "none"})
        if owner.get("mode", "float") in ("none", "float"):
            wrong.append(node["name"])
    assert found, "no node has an integer weight"
    return wrong


def check_records(octet, build):
    keras.backend.clear_session()
    model, inputs = build()
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        bundle, files = import_model(octet, model, inputs, root)
        rows_given = [part for file in files for part in ("--calibration", file)]
        for mode in MODES:
            quantized = root / mode / "1"
            run_program(octet, "quantize", bundle, "--mode", mode, "--output", quantized,
                        *rows_given)
            wrong = float_records_of_integers(quantized)
            if wrong:
                raise AssertionError(f"{mode}: layers.json says float of {wrong}")
    return 0.0


def cases():
    for name, build in FLOAT_MODELS.items():
        yield f"float/{name}", build, FLOAT_BOUND, None
    weight_only = keras.quantizers.Int8QuantizationConfig(activation_quantizer=None)
    per_channel = keras.quantizers.Int4QuantizationConfig(block_size=-1)
    groups = keras.quantizers.Int4QuantizationConfig(block_size=4)
    inputs = keras.quantizers.AbsMaxQuantizer(axis=-1)
    quantizer = keras.quantizers.Int4QuantizationConfig(block_size=-1, activation_quantizer=inputs)
    for name, build in QUANTIZED_MODELS.items():
        yield f"int8/{name}", build, INT8_BOUND, (("int8",), {})
        yield f"int8_weight_only/{name}", build, FLOAT_BOUND, ((), {"config": weight_only})
        yield f"int4/{name}", build, FLOAT_BOUND, (("int4",), {})
        yield f"int4_per_channel/{name}", build, FLOAT_BOUND, ((), {"config": per_channel})
        yield f"int4_grouped/{name}", build, FLOAT_BOUND, ((), {"config": groups})
        yield f"int4_quantizer/{name}", build, INT8_BOUND, ((), {"config": quantizer})
    for tied in (True, False):
        build = (lambda tied: lambda: reversible_by_policy(groups, tie_weights=tied))(tied)
        yield f"int4_policy/reversible_embedding_{tied}", build, INT8_BOUND, None
    for policy in ("bfloat16", "mixed_bfloat16"):
        build = (lambda policy: lambda: with_policy(policy))(policy)
        yield f"{policy}/dense", build, BFLOAT16_BOUND, None
        yield f"int8_from_{policy}/dense", build, INT8_FROM_BFLOAT16_BOUND, (("int8",), {})
    for name, build in QUANTIZED_BLOCKS.items():
        yield f"int8/{name}", build, BLOCK_BOUND, (("int8",), {})
        yield f"int4/{name}", build, FLOAT_BOUND, (("int4",), {})


def main():
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = sys.argv[1] if len(sys.argv) > 1 else str(default)
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    if not pathlib.Path(octet).exists():
        print(f"skipped: {octet} is not there")
        return 77
    keras.utils.set_random_seed(5)
    count = 0
    failures = []
    largest = {}
    checks = [(name, lambda case=case: compare(*case))
              for name, *rest in cases() for case in [(name, octet, *rest)]]
    checks += [(f"records/{name}", lambda build=FLOAT_MODELS[name]: check_records(octet, build))
               for name in RECORDED]
    for name, check in checks:
        if wanted not in name:
            continue
        count += 1
        try:
            difference = check()
            kind = name.split("/")[0]
            largest[kind] = max(largest.get(kind, 0.0), difference)
        except subprocess.CalledProcessError as error:
            failures.append(f"{name}: {error.stderr.strip()}")
        except AssertionError as error:
            failures.append(f"{name}: {error}")
    for failure in failures:
        print("FAILED", failure)
    print(f"Keras {keras.__version__}: {count} models, {len(failures)} failed; largest:",
          ", ".join(f"{kind} {value:.2g}" for kind, value in largest.items()))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
