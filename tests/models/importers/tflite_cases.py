# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite models of every operator, for tests beside other runtimes."""

import numpy as np

import tflite_models

RNG = np.random.default_rng(2026)
FORMS = {"float32": (None, 0), "int8": (0.05, 3), "uint8": (0.05, 131), "int16": (1.9e-4, 0)}
# Of an output, wide enough for what most cases give.
OUTPUT = {"float32": (None, 0), "int8": (0.08, -5), "uint8": (0.08, 123), "int16": (3.1e-4, 0)}


def described(form, shape, quantization=None, **more):
    scale, zero_point = quantization or FORMS[form]
    return {"dtype": form, "shape": shape, "scale": scale, "zero_point": zero_point, **more}


def input_of(model, form, shape, **options):
    scale, zero_point = FORMS[form]
    return model.input(form, shape, scale, zero_point, **options)


def convolution(form, shape=(1, 9, 8, 6), kernel=(3, 2), out=7, stride=(1, 1), dilation=(1, 1),
                padding="SAME", activation="", groups=1, per_channel=True, bias=True):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    axis = 0 if per_channel and form in ("int8", "int16") else None
    weights = model.weights(form, (out, *kernel, shape[3] // groups), FORMS[form][0] or 1, axis,
                            out)
    size = [window(n, k, s, d, padding)
            for n, k, s, d in zip(shape[1:3], kernel, stride, dilation, strict=True)]
    y = model.add("CONV_2D", [x, *weights[:2 if bias else 1]],
                  described(form, (shape[0], *size, out), OUTPUT[form]), "Conv2DOptions",
                  padding=0 if padding == "SAME" else 1, strideH=stride[0], strideW=stride[1],
                  dilationHFactor=dilation[0], dilationWFactor=dilation[1],
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def depthwise(form, shape=(1, 9, 8, 6), kernel=(3, 3), multiplier=1, stride=(1, 1),
              padding="SAME", activation="", dilation=(1, 1)):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    out = shape[3] * multiplier
    weights = model.weights(form, (1, *kernel, out), FORMS[form][0] or 1,
                            3 if form in ("int8", "int16") else None, out)
    size = [window(n, k, s, d, padding)
            for n, k, s, d in zip(shape[1:3], kernel, stride, dilation, strict=True)]
    y = model.add("DEPTHWISE_CONV_2D", [x, *weights],
                  described(form, (1, *size, out), OUTPUT[form]), "DepthwiseConv2DOptions",
                  padding=0 if padding == "SAME" else 1, strideH=stride[0], strideW=stride[1],
                  depthMultiplier=multiplier, dilationHFactor=dilation[0],
                  dilationWFactor=dilation[1],
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def window(size, kernel, stride, dilation, padding):
    reach = (kernel - 1) * dilation + 1
    return -(-size // stride) if padding == "SAME" else (size - reach) // stride + 1


def fully_connected(form, shape=(1, 33), out=11, activation="", per_channel=False, keep=False,
                    bias=True):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    k = shape[-1] if keep else int(np.prod(shape[1:]))
    weights = model.weights(form, (out, k), FORMS[form][0] or 1, 0 if per_channel else None, out)
    y_shape = (*shape[:-1], out) if keep else (shape[0], out)
    y = model.add("FULLY_CONNECTED", [x, weights[0], weights[1] if bias else -1],
                  described(form, y_shape, OUTPUT[form]), "FullyConnectedOptions",
                  keepNumDims=keep, fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def one(name, form, y_shape, options="", shape=(1, 6, 5, 4), output=None, extra=(), **values):
    """An operator of one input, and constants."""
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    constants = [model.constant(np.asarray(data)) for data in extra]
    y = model.add(name, [x, *constants], described(form, y_shape, output), options, **values)
    return model.finish(y)


def function(name, form, output=None, **values):
    return one(name, form, (1, 6, 5, 4), output=output and output.get(form), **values)


LOGISTIC = {"int8": (1 / 256, -128), "uint8": (1 / 256, 0), "int16": (1 / 32768, 0)}
TANH = {"int8": (1 / 128, 0), "uint8": (1 / 128, 128), "int16": (1 / 32768, 0)}
LOG_SOFTMAX = {"int8": (16 / 256, 127), "uint8": (16 / 256, 255)}


def binary(name, form, activation="", constant=False, options="", shape=(1, 6, 5, 4), **more):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, (1, 6, 5, 4))
    other = {"float32": (None, 0), "int8": (0.03, -7), "uint8": (0.03, 121),
             "int16": (1.2e-4, 0)}[form]
    if constant:
        data = (RNG.uniform(0.5, 2, shape).astype(np.float32) if form == "float32" else
                RNG.integers(2, 120, shape).astype(form) * (1 if form != "int16" else 250))
        b = model.constant(data, *other)
    else:
        b = model.input(form, shape, *other, name="b")
    values = {"fusedActivationFunction": tflite_models.ACTIVATIONS[activation]} if options else {}
    y = model.add(name, [x, b], described(form, (1, 6, 5, 4), OUTPUT[form]), options, **values,
                  **more)
    return model.finish(y)


def same_scale(name, form):
    """MAXIMUM and MINIMUM, whose tensors have one quantization."""
    model = tflite_models.Model(RNG)
    a, b = input_of(model, form, (1, 7)), input_of(model, form, (1, 7), name="b")
    return model.finish(model.add(name, [a, b], described(form, (1, 7)), "MaximumMinimumOptions"))


def concatenation(form, axis=3):
    model = tflite_models.Model(RNG)
    a = input_of(model, form, (1, 4, 4, 3))
    b = input_of(model, form, (1, 4, 4, 3), name="b")
    shape = [1, 4, 4, 3]
    shape[axis] *= 2
    return model.finish(model.add("CONCATENATION", [a, b], described(form, shape),
                                  "ConcatenationOptions", axis=axis - 4))


def split(form):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, (1, 4, 6))
    axis = model.constant(np.int32(2).reshape(()))
    outputs = [model.tensor(**described(form, (1, 4, 2)), name=f"part{i}") for i in range(3)]
    model.operator("SPLIT", [axis, x], outputs, tflite_models.schema.SplitOptionsT(),
                   "SplitOptions", numSplits=3)
    return model.finish(*outputs)


def split_v(form):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, (1, 4, 6))
    sizes = model.constant(np.array([1, -1, 2], np.int32))
    axis = model.constant(np.int32(-1).reshape(()))
    outputs = [model.tensor(**described(form, (1, 4, n)), name=f"part{i}")
               for i, n in enumerate((1, 3, 2))]
    model.operator("SPLIT_V", [x, sizes, axis], outputs, tflite_models.schema.SplitVOptionsT(),
                   "SplitVOptions", numSplits=3)
    return model.finish(*outputs)


def float16_weights():
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 12))
    w = RNG.standard_normal((5, 12)).astype(np.float16)
    b = RNG.standard_normal(5).astype(np.float16)
    wide = [model.add("DEQUANTIZE", [model.constant(half)],
                      {"dtype": "float32", "shape": half.shape}, "DequantizeOptions")
            for half in (w, b)]
    return model.finish(model.add("FULLY_CONNECTED", [x, *wide],
                                  {"dtype": "float32", "shape": (1, 5)}, "FullyConnectedOptions"))


def through_types(form):
    """Float in and out, quantized between."""
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 6, 5, 4))
    q = model.add("QUANTIZE", [x], described(form, (1, 6, 5, 4)), "QuantizeOptions")
    y = model.add("DEQUANTIZE", [q], {"dtype": "float32", "shape": (1, 6, 5, 4)},
                  "DequantizeOptions")
    return model.finish(y)


def requantized(source, to, quantization):
    model = tflite_models.Model(RNG)
    x = input_of(model, source, (1, 300))
    return model.finish(model.add("QUANTIZE", [x], described(to, (1, 300), quantization),
                                  "QuantizeOptions"))


def reshape_by_shape():
    """Flattened as a converter writes it where the batch is open."""
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 4, 3), signature=[-1, 4, 3])
    shape = model.add("SHAPE", [x], {"dtype": "int32", "shape": (3,)}, "ShapeOptions",
                      outType=tflite_models.TYPES["int32"])
    parts = [model.constant(np.array([n], np.int32)) for n in (0, 1, 1)]
    batch = model.add("STRIDED_SLICE", [shape, *parts], {"dtype": "int32", "shape": ()},
                      "StridedSliceOptions", shrinkAxisMask=1)
    twelve = model.constant(np.int32(12).reshape(()))
    packed = model.add("PACK", [batch, twelve], {"dtype": "int32", "shape": (2,)}, "PackOptions",
                       valuesCount=2)
    return model.finish(model.add("RESHAPE", [x, packed],
                                  {"dtype": "float32", "shape": (1, 12), "signature": [-1, 12]},
                                  "ReshapeOptions"))


def gather():
    model = tflite_models.Model(RNG)
    x = model.input("int32", (1, 3))
    table = model.constant(RNG.standard_normal((128, 4)).astype(np.float32))
    return model.finish(model.add("GATHER", [table, x], {"dtype": "float32", "shape": (1, 3, 4)},
                                  "GatherOptions"))


def prelu():
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 6, 5, 4))
    alpha = model.constant(RNG.uniform(0, 1, (1, 1, 4)).astype(np.float32))
    return model.finish(model.add("PRELU", [x, alpha],
                                  {"dtype": "float32", "shape": (1, 6, 5, 4)}))


def batch_matmul(adj_y):
    model = tflite_models.Model(RNG)
    a = model.input("float32", (1, 4, 3))
    b = model.input("float32", (1, 5, 3) if adj_y else (1, 3, 5), name="b")
    return model.finish(model.add("BATCH_MATMUL", [a, b], {"dtype": "float32", "shape": (1, 4, 5)},
                                  "BatchMatMulOptions", adjY=adj_y))


def int32(*values):
    return np.array(values, np.int32)


def cases():
    """Names, models, and how many steps integers may differ."""
    for form in ("float32", "int8", "uint8"):
        yield f"{form}/conv", lambda f=form: convolution(f), 0
        yield f"{form}/conv_valid_relu6", lambda f=form: convolution(
            f, padding="VALID", stride=(2, 1), activation="relu6"), 0
        yield f"{form}/conv_dilated_relu", lambda f=form: convolution(
            f, dilation=(2, 2), activation="relu"), 0
        yield f"{form}/conv_pointwise", lambda f=form: convolution(f, kernel=(1, 1), out=32), 0
        yield f"{form}/depthwise", lambda f=form: depthwise(f), 0
        yield f"{form}/depthwise_strided", lambda f=form: depthwise(
            f, stride=(2, 2), padding="VALID", activation="relu6"), 0
        yield f"{form}/depthwise_multiplier", lambda f=form: depthwise(f, multiplier=3), 0
        yield f"{form}/fully_connected", lambda f=form: fully_connected(f), 0
        yield f"{form}/fully_connected_relu", lambda f=form: fully_connected(f, activation="relu"), 0
        yield f"{form}/fully_connected_image", lambda f=form: fully_connected(f, (1, 3, 2, 4)), 0
        yield f"{form}/fully_connected_kept", lambda f=form: fully_connected(
            f, (1, 3, 8), keep=True), 0
        for activation in ("", "relu", "relu6"):
            yield f"{form}/add_{activation}", lambda f=form, a=activation: binary(
                "ADD", f, a, options="AddOptions"), 1
        yield f"{form}/mul", lambda f=form: binary("MUL", f, options="MulOptions"), 1
        yield f"{form}/sub", lambda f=form: binary("SUB", f, options="SubOptions"), 1
        yield f"{form}/add_channel", lambda f=form: binary(
            "ADD", f, constant=True, options="AddOptions", shape=(4,)), 1
        yield f"{form}/mul_channel", lambda f=form: binary(
            "MUL", f, constant=True, options="MulOptions", shape=(4,)), 1
        yield f"{form}/maximum", lambda f=form: same_scale("MAXIMUM", f), 0
        yield f"{form}/minimum", lambda f=form: same_scale("MINIMUM", f), 0
        for kind in ("AVERAGE", "MAX"):
            for padding, size in (("SAME", (3, 3)), ("VALID", (2, 2))):
                yield f"{form}/{kind}_pool_{padding}", lambda f=form, k=kind, p=padding, s=size: \
                    one(f"{k}_POOL_2D", f, (1, *s, 4), "Pool2DOptions", padding=int(p == "VALID"),
                        strideH=2, strideW=2, filterHeight=3, filterWidth=2), 0
        yield f"{form}/mean", lambda f=form: one(
            "MEAN", f, (1, 4), "ReducerOptions", extra=[int32(1, 2)]), 1
        yield f"{form}/mean_rescaled", lambda f=form: one(
            "MEAN", f, (1, 1, 1, 4), "ReducerOptions", extra=[int32(1, -2)], keepDims=True,
            output=(0.02, FORMS[f][1]) if FORMS[f][0] else None), 1
        yield f"{form}/softmax", lambda f=form: one(
            "SOFTMAX", f, (1, 40), "SoftmaxOptions", shape=(1, 40), beta=1.0,
            output=LOGISTIC.get(f)), 1
        yield f"{form}/softmax_beta", lambda f=form: one(
            "SOFTMAX", f, (1, 3, 9), "SoftmaxOptions", shape=(1, 3, 9), beta=0.5,
            output=LOGISTIC.get(f)), 1
        yield f"{form}/log_softmax", lambda f=form: one(
            "LOG_SOFTMAX", f, (1, 9), "LogSoftmaxOptions", shape=(1, 9),
            output=LOG_SOFTMAX.get(f)), 1
        yield f"{form}/logistic", lambda f=form: function("LOGISTIC", f, LOGISTIC), 1
        yield f"{form}/tanh", lambda f=form: function("TANH", f, TANH), 1
        yield f"{form}/relu", lambda f=form: function("RELU", f), 0
        yield f"{form}/relu6", lambda f=form: function("RELU6", f), 0
        yield f"{form}/reshape", lambda f=form: one(
            "RESHAPE", f, (1, 20, 6), "ReshapeOptions", extra=[int32(-1, 20, 6)]), 0
        yield f"{form}/squeeze", lambda f=form: one(
            "SQUEEZE", f, (1, 4), "SqueezeOptions", shape=(1, 1, 1, 4), squeezeDims=[1, 2]), 0
        yield f"{form}/expand_dims", lambda f=form: one(
            "EXPAND_DIMS", f, (1, 6, 5, 4, 1), "ExpandDimsOptions", extra=[int32(-1)]), 0
        yield f"{form}/transpose", lambda f=form: one(
            "TRANSPOSE", f, (1, 4, 6, 5), "TransposeOptions", extra=[int32(0, 3, 1, 2)]), 0
        yield f"{form}/pad", lambda f=form: one(
            "PAD", f, (1, 9, 5, 5), "PadOptions",
            extra=[np.array([[0, 0], [1, 2], [0, 0], [1, 0]], np.int32)]), 0
        for mode, name in enumerate(("reflect", "symmetric")):
            yield f"{form}/mirror_pad_{name}", lambda f=form, m=mode: one(
                "MIRROR_PAD", f, (1, 9 + 2 * m, 5, 7), "MirrorPadOptions",
                extra=[np.array([[0, 0], [1 + m, 2 + m], [0, 0], [3, 0]], np.int32)], mode=m), 0
        yield f"{form}/concatenation", lambda f=form: concatenation(f), 0
        yield f"{form}/concatenation_height", lambda f=form: concatenation(f, axis=1), 0
        yield f"{form}/split", lambda f=form: split(f), 0
        yield f"{form}/slice", lambda f=form: one(
            "SLICE", f, (1, 3, 5, 2), "SliceOptions",
            extra=[int32(0, 2, 0, 1), int32(1, 3, -1, 2)]), 0
        yield f"{form}/strided_slice", lambda f=form: one(
            "STRIDED_SLICE", f, (1, 2, 5), "StridedSliceOptions",
            extra=[int32(0, 1, 0, -1), int32(0, 5, 0, 0), int32(1, 2, 1, 1)], beginMask=0b101,
            endMask=0b101, shrinkAxisMask=0b1000), 0
    yield "float32/split_v", lambda: split_v("float32"), 0
    yield "float32/div", lambda: binary("DIV", "float32", constant=True, options="DivOptions"), 0
    yield "float32/prelu", prelu, 0
    yield "float32/batch_matmul", lambda: batch_matmul(False), 0
    yield "float32/batch_matmul_transposed", lambda: batch_matmul(True), 0
    yield "float32/gather", gather, 0
    yield "float32/reshape_by_shape", reshape_by_shape, 0
    yield "float32/float16_weights", float16_weights, 0
    yield "float32/conv_relu_n1_to_1", lambda: convolution("float32", activation="relu_n1_to_1"), 0
    yield "float32/conv_groups", lambda: convolution("float32", out=8, groups=2), 0
    yield "float32/leaky_relu", lambda: function("LEAKY_RELU", "float32",
                                                 options="LeakyReluOptions", alpha=0.1), 0
    for name, options in (("HARD_SWISH", "HardSwishOptions"), ("ELU", ""),
                          ("EXP", "ExpOptions"), ("ABS", "AbsOptions"), ("NEG", "NegOptions"),
                          ("SQUARE", "SquareOptions"), ("RELU_N1_TO_1", "")):
        yield f"float32/{name.lower()}", lambda n=name, o=options: function(
            n, "float32", options=o), 0
    for approximate in (False, True):
        yield f"float32/gelu_{approximate}", lambda a=approximate: function(
            "GELU", "float32", options="GeluOptions", approximate=a), 0
    for kind in ("SUM", "REDUCE_MAX", "REDUCE_MIN"):
        yield f"float32/{kind.lower()}", lambda k=kind: one(
            k, "float32", (1, 6, 4), "ReducerOptions", extra=[int32(2)]), 0
    for name, half in (("BILINEAR", True), ("NEAREST_NEIGHBOR", False)):
        option = "ResizeBilinearOptions" if half else "ResizeNearestNeighborOptions"
        yield f"float32/resize_{name.lower()}", lambda n=name, h=half, o=option: one(
            f"RESIZE_{n}", "float32", (1, 12, 10, 4), o, extra=[int32(12, 10)],
            halfPixelCenters=h), 0
    yield "int8/fully_connected_per_channel", lambda: fully_connected("int8", per_channel=True), 0
    yield "int8/conv_per_tensor", lambda: convolution("int8", per_channel=False), 0
    yield "int8/conv_groups", lambda: convolution("int8", out=8, groups=2), 0
    yield "int8/leaky_relu", lambda: function("LEAKY_RELU", "int8", options="LeakyReluOptions",
                                              alpha=0.1), 1
    yield "int8/leaky_relu_negative", lambda: function(
        "LEAKY_RELU", "int8", {"int8": (0.03, 20)}, options="LeakyReluOptions", alpha=-0.3), 1
    yield "int8/relu_rescaled", lambda: function("RELU", "int8", {"int8": (0.031, -100)}), 1
    yield "int8/hard_swish", lambda: function(
        "HARD_SWISH", "int8", {"int8": (0.03, -90)}, options="HardSwishOptions"), 1
    yield "int8/relu_n1_to_1", lambda: function("RELU_N1_TO_1", "int8"), 0
    yield "int8/abs", lambda: function("ABS", "int8", options="AbsOptions"), 0
    yield "int8/sum", lambda: one(
        "SUM", "int8", (1, 4), "ReducerOptions", extra=[int32(1, 2)], output=(0.9, -7)), 1
    yield "int8/sub_channel", lambda: binary(
        "SUB", "int8", constant=True, options="SubOptions", shape=(4,)), 1
    yield "int8/sub_relu", lambda: binary("SUB", "int8", "relu", options="SubOptions"), 1
    yield "int8/through_types", lambda: through_types("int8"), 0
    yield "uint8/through_types", lambda: through_types("uint8"), 0
    for form in ("float32", "int8", "uint8"):
        yield f"{form}/reverse", lambda f=form: one(
            "REVERSE_V2", f, (1, 6, 5, 4), extra=[int32(1)]), 0
        yield f"{form}/reverse_last", lambda f=form: one(
            "REVERSE_V2", f, (1, 6, 5, 4), extra=[int32(-1)]), 0
    yield "int8/requantized", lambda: requantized("int8", "int8", (0.07, -20)), 1
    yield "int8/to_uint8", lambda: requantized("int8", "uint8", (0.05, 131)), 0
    yield "uint8/to_int8", lambda: requantized("uint8", "int8", (0.05, 3)), 0


def random_input(details, rows):
    shape = (rows, *details["shape"][1:])
    dtype = np.dtype(details["dtype"])
    if dtype.kind == "f":
        return RNG.standard_normal(shape).astype(dtype) * 2
    if dtype.itemsize > 1 and dtype != np.int16:
        return RNG.integers(0, 100, shape).astype(dtype)
    limits = np.iinfo(dtype)
    return RNG.integers(limits.min, limits.max + 1, shape).astype(dtype)
