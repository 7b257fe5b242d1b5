# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite models whose activations are int16 and weights int8, of every operator that has
them, for tests beside other runtimes."""

import numpy as np

import tflite_cases
import tflite_models
from tflite_cases import LOGISTIC, RNG, TANH, binary, convolution, depthwise, described, function
from tflite_cases import fully_connected, input_of, int32, one, requantized

FORM = "int16"


def with_scale(name, scale, output=None, shape=(1, 6, 5, 4), options="", **values):
    """An operator of one input of `scale`."""
    model = tflite_models.Model(RNG)
    x = model.input(FORM, shape, scale)
    return model.finish(model.add(name, [x], described(FORM, shape, output), options, **values))


def mixed_types():
    """Float in and out, int16 and int8 between."""
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 6, 5, 4))
    shape = (1, 6, 5, 4)
    q = model.add("QUANTIZE", [x], described(FORM, shape), "QuantizeOptions")
    narrow = model.add("QUANTIZE", [q], described("int8", shape), "QuantizeOptions")
    wide = model.add("QUANTIZE", [narrow], described(FORM, shape), "QuantizeOptions")
    return model.finish(model.add("DEQUANTIZE", [wide], {"dtype": "float32", "shape": shape},
                                  "DequantizeOptions"))


def network():
    """Layers in a row, from floats to floats."""
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 8, 8, 3))
    x = model.add("QUANTIZE", [x], described(FORM, (1, 8, 8, 3)), "QuantizeOptions")
    weights = model.weights(FORM, (8, 3, 3, 3), 1.9e-4, 0, 8)
    x = model.add("CONV_2D", [x, *weights], described(FORM, (1, 8, 8, 8), (3e-4, 0)),
                  "Conv2DOptions", strideH=1, strideW=1, fusedActivationFunction=1)
    weights = model.weights(FORM, (1, 3, 3, 8), 3e-4, 3, 8)
    y = model.add("DEPTHWISE_CONV_2D", [x, *weights], described(FORM, (1, 8, 8, 8), (3e-4, 0)),
                  "DepthwiseConv2DOptions", strideH=1, strideW=1, depthMultiplier=1)
    x = model.add("ADD", [x, y], described(FORM, (1, 8, 8, 8), (5e-4, 0)), "AddOptions",
                  potScaleInt16=False)
    x = model.add("AVERAGE_POOL_2D", [x], described(FORM, (1, 1, 1, 8), (5e-4, 0)),
                  "Pool2DOptions", padding=1, strideH=8, strideW=8, filterHeight=8, filterWidth=8)
    x = model.add("RESHAPE", [x, model.constant(int32(-1, 8))], described(FORM, (1, 8), (5e-4, 0)),
                  "ReshapeOptions")
    weights = model.weights(FORM, (10, 8), 5e-4, 0, 10)
    x = model.add("FULLY_CONNECTED", [x, *weights], described(FORM, (1, 10), (2e-4, 0)),
                  "FullyConnectedOptions")
    x = model.add("SOFTMAX", [x], described(FORM, (1, 10), LOGISTIC[FORM]), "SoftmaxOptions",
                  beta=1.0)
    return model.finish(model.add("DEQUANTIZE", [x], {"dtype": "float32", "shape": (1, 10)},
                                  "DequantizeOptions"))


def cases():
    """As tflite_cases.cases."""
    for name, build, steps in unnamed_cases():
        yield f"{FORM}/{name}", build, steps


def unnamed_cases():
    """The same in every profile: XNNPACK does not have them, and LiteRT's optimized kernels give
    what its reference kernels give, but for a QUANTIZE near halves, LOGISTIC and TANH of scales that
    are powers of two, and SUM."""
    yield "conv", lambda: convolution(FORM), 0
    yield "conv_valid_relu6", lambda: convolution(
        FORM, padding="VALID", stride=(2, 1), activation="relu6"), 0
    yield "conv_dilated_relu", lambda: convolution(FORM, dilation=(2, 2), activation="relu"), 0
    yield "conv_pointwise", lambda: convolution(FORM, kernel=(1, 1), out=32), 0
    yield "conv_per_tensor", lambda: convolution(FORM, per_channel=False), 0
    yield "conv_deep", lambda: convolution(FORM, shape=(1, 5, 5, 96), kernel=(3, 3), out=8), 0
    yield "depthwise", lambda: depthwise(FORM), 0
    yield "depthwise_strided", lambda: depthwise(
        FORM, stride=(2, 2), padding="VALID", activation="relu6"), 0
    yield "depthwise_multiplier", lambda: depthwise(FORM, multiplier=3), 0
    yield "fully_connected", lambda: fully_connected(FORM), 0
    yield "fully_connected_per_channel", lambda: fully_connected(FORM, per_channel=True), 0
    yield "fully_connected_relu", lambda: fully_connected(FORM, activation="relu"), 0
    yield "fully_connected_kept", lambda: fully_connected(FORM, (1, 3, 8), keep=True), 0
    yield "fully_connected_wide", lambda: fully_connected(FORM, (1, 1500)), 0
    yield "fully_connected_without_bias", lambda: fully_connected(FORM, bias=False), 0
    for name in ("ADD", "SUB", "MUL"):
        options = f"{name.capitalize()}Options"
        pot = {} if name == "MUL" else {"potScaleInt16": False}
        for activation in ("", "relu", "relu6"):
            yield f"{name.lower()}_{activation}", lambda n=name, a=activation, o=options, p=pot: \
                binary(n, FORM, a, options=o, **p), 0
        yield f"{name.lower()}_channel", lambda n=name, o=options, p=pot: binary(
            n, FORM, constant=True, options=o, shape=(4,), **p), 0
    for kind in ("AVERAGE", "MAX"):
        for padding, size in (("SAME", (3, 3)), ("VALID", (2, 2))):
            yield f"{kind.lower()}_pool_{padding.lower()}", lambda k=kind, p=padding, s=size: one(
                f"{k}_POOL_2D", FORM, (1, *s, 4), "Pool2DOptions", padding=int(p == "VALID"),
                strideH=2, strideW=2, filterHeight=3, filterWidth=2), 0
    yield "mean", lambda: one("MEAN", FORM, (1, 4), "ReducerOptions", extra=[int32(1, 2)]), 0
    yield "mean_rescaled", lambda: one(
        "MEAN", FORM, (1, 1, 1, 4), "ReducerOptions", extra=[int32(1, -2)], keepDims=True,
        output=(1e-4, 0)), 0
    yield "mean_wide", lambda: one(
        "MEAN", FORM, (1, 3), "ReducerOptions", shape=(1, 70, 61, 3), extra=[int32(1, 2)],
        output=(1e-5, 0)), 0
    yield "sum", lambda: one(
        "SUM", FORM, (1, 4), "ReducerOptions", extra=[int32(1, 2)], output=(1.4e-3, 0)), 0
    yield "softmax", lambda: with_scale("SOFTMAX", 1.9e-4, LOGISTIC[FORM], (1, 40),
                                        "SoftmaxOptions", beta=1.0), 0
    yield "softmax_beta", lambda: with_scale("SOFTMAX", 8e-4, LOGISTIC[FORM], (1, 3, 9),
                                             "SoftmaxOptions", beta=0.5), 0
    yield "softmax_wide", lambda: with_scale("SOFTMAX", 5e-5, LOGISTIC[FORM], (1, 3000),
                                             "SoftmaxOptions", beta=1.0), 0
    for name, output in (("LOGISTIC", LOGISTIC), ("TANH", TANH)):
        for scale in (1.9e-4, 2**-12, 2**-11, 2**-13, 1e-5, 2e-3):
            yield f"{name.lower()}_{scale:.3g}", lambda n=name, s=scale, o=output: with_scale(
                n, s, o[FORM], (1, 40, 40, 40)), 0
    for name in ("RELU", "RELU6"):
        yield name.lower(), lambda n=name: function(n, FORM), 0
        yield f"{name.lower()}_rescaled", lambda n=name: function(n, FORM, {FORM: (1.3e-4, 0)}), 0
    for alpha in (0.1, -0.3):
        yield f"leaky_relu_{alpha}", lambda a=alpha: function(
            "LEAKY_RELU", FORM, {FORM: (1.7e-4, 0)}, options="LeakyReluOptions", alpha=a), 0
    yield "reshape", lambda: one(
        "RESHAPE", FORM, (1, 20, 6), "ReshapeOptions", extra=[int32(-1, 20, 6)]), 0
    for kind in ("MAX", "MIN"):
        yield f"reduce_{kind.lower()}", lambda k=kind: one(
            f"REDUCE_{k}", FORM, (1, 6, 4), "ReducerOptions", extra=[int32(2)]), 0
    yield "squeeze", lambda: one(
        "SQUEEZE", FORM, (1, 4), "SqueezeOptions", shape=(1, 1, 1, 4), squeezeDims=[1, 2]), 0
    yield "expand_dims", lambda: one(
        "EXPAND_DIMS", FORM, (1, 6, 5, 4, 1), "ExpandDimsOptions", extra=[int32(-1)]), 0
    yield "slice", lambda: one(
        "SLICE", FORM, (1, 3, 5, 2), "SliceOptions",
        extra=[int32(0, 2, 0, 1), int32(1, 3, -1, 2)]), 0
    yield "split_v", lambda: tflite_cases.split_v(FORM), 0
    yield "transpose", lambda: one(
        "TRANSPOSE", FORM, (1, 4, 6, 5), "TransposeOptions", extra=[int32(0, 3, 1, 2)]), 0
    yield "pad", lambda: one(
        "PAD", FORM, (1, 9, 5, 5), "PadOptions",
        extra=[np.array([[0, 0], [1, 2], [0, 0], [1, 0]], np.int32)]), 0
    for mode, name in enumerate(("reflect", "symmetric")):
        yield f"mirror_pad_{name}", lambda m=mode: one(
            "MIRROR_PAD", FORM, (1, 9 + 2 * m, 5, 7), "MirrorPadOptions",
            extra=[np.array([[0, 0], [1 + m, 2 + m], [0, 0], [3, 0]], np.int32)], mode=m), 0
    yield "concatenation", lambda: tflite_cases.concatenation(FORM), 0
    yield "split", lambda: tflite_cases.split(FORM), 0
    yield "maximum", lambda: tflite_cases.same_scale("MAXIMUM", FORM), 0
    yield "minimum", lambda: tflite_cases.same_scale("MINIMUM", FORM), 0
    yield "strided_slice", lambda: one(
        "STRIDED_SLICE", FORM, (1, 2, 5), "StridedSliceOptions",
        extra=[int32(0, 1, 0, -1), int32(0, 5, 0, 0), int32(1, 2, 1, 1)], beginMask=0b101,
        endMask=0b101, shrinkAxisMask=0b1000), 0
    yield "reverse", lambda: one("REVERSE_V2", FORM, (1, 6, 5, 4), extra=[int32(2)]), 0
    yield "through_types", lambda: tflite_cases.through_types(FORM), 0
    yield "mixed_types", mixed_types, 0
    yield "requantized", lambda: requantized(FORM, FORM, (0.7e-4, 0)), 0
    yield "to_int8", lambda: requantized(FORM, "int8", (0.05, 3)), 0
    yield "from_int8", lambda: requantized("int8", FORM, (1.9e-4, 0)), 0
    yield "network", network, 0
