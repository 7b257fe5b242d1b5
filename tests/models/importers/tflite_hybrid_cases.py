# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite models of float activations and integer weights (dynamic range quantization, or
"hybrid"), and of int4 weights, for tests beside LiteRT's reference kernels."""

import flatbuffers
import numpy as np

import tflite_cases
import tflite_models
from tflite_cases import RNG, described, input_of, window


def integer_weights(model, shape, axis, bits=8):
    """With a scale for each index of `axis`, or one (None)."""
    count = 1 if axis is None else shape[axis]
    scale = RNG.uniform(0.002, 0.02, count).astype(np.float32) * (16 if bits == 4 else 1)
    most = 7 if bits == 4 else 127
    q = RNG.integers(-most, most + 1, shape).astype(np.int8)
    return model.int4(q, scale, axis or 0) if bits == 4 else model.constant(q, scale, 0, axis or 0)


def bias_of(model, form, x_scale, weights, channels):
    values = RNG.standard_normal(channels).astype(np.float32)
    if form == "float32":
        return model.constant(values)
    scale = model.graph.tensors[weights].quantization.scale * np.float32(x_scale)
    return model.constant(np.rint(values / scale).astype(np.int32), scale, 0, 0)


def fully_connected(form="float32", shape=(1, 33), out=11, per_channel=True, asymmetric=False,
                    activation="", keep=False, bias=True, bits=8):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    k = shape[-1] if keep else int(np.prod(shape[1:]))
    w = integer_weights(model, (out, k), 0 if per_channel else None, bits)
    b = bias_of(model, form, tflite_cases.FORMS[form][0], w, out) if bias else -1
    y_shape = (*shape[:-1], out) if keep else (shape[0], out)
    y = model.add("FULLY_CONNECTED", [x, w, b],
                  described(form, y_shape, tflite_cases.OUTPUT[form]), "FullyConnectedOptions",
                  keepNumDims=keep, asymmetricQuantizeInputs=asymmetric,
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def convolution(form="float32", shape=(1, 9, 8, 6), kernel=(3, 2), out=7, stride=(1, 1),
                padding="SAME", activation="", groups=1, per_channel=True, bits=8):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    w = integer_weights(model, (out, *kernel, shape[3] // groups), 0 if per_channel else None, bits)
    b = bias_of(model, form, tflite_cases.FORMS[form][0], w, out)
    size = [window(n, k, s, 1, padding)
            for n, k, s in zip(shape[1:3], kernel, stride, strict=True)]
    y = model.add("CONV_2D", [x, w, b],
                  described(form, (shape[0], *size, out), tflite_cases.OUTPUT[form]),
                  "Conv2DOptions", padding=0 if padding == "SAME" else 1, strideH=stride[0],
                  strideW=stride[1],
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def depthwise(form="float32", shape=(1, 9, 8, 6), kernel=(3, 3), multiplier=1, stride=(1, 1),
              padding="SAME", activation="", bits=8):
    model = tflite_models.Model(RNG)
    x = input_of(model, form, shape)
    out = shape[3] * multiplier
    w = integer_weights(model, (1, *kernel, out), 3, bits)
    b = bias_of(model, form, tflite_cases.FORMS[form][0], w, out)
    size = [window(n, k, s, 1, padding)
            for n, k, s in zip(shape[1:3], kernel, stride, strict=True)]
    y = model.add("DEPTHWISE_CONV_2D", [x, w, b],
                  described(form, (1, *size, out), tflite_cases.OUTPUT[form]),
                  "DepthwiseConv2DOptions", padding=0 if padding == "SAME" else 1,
                  strideH=stride[0], strideW=stride[1], depthMultiplier=multiplier,
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def dequantized():
    """Weights of int4 behind a DEQUANTIZE, as those of weight-only models are."""
    model = tflite_models.Model(RNG)
    x = model.input("float32", (1, 12))
    w = integer_weights(model, (5, 12), None, 4)
    wide = model.add("DEQUANTIZE", [w], {"dtype": "float32", "shape": (5, 12)},
                     "DequantizeOptions")
    return model.finish(model.add("FULLY_CONNECTED", [x, wide, -1],
                                  {"dtype": "float32", "shape": (1, 5)}, "FullyConnectedOptions"))


def widened(model: bytes) -> bytes:
    """The model with its int4 weights as int8."""
    schema = tflite_models.schema
    stored = schema.ModelT.InitFromObj(schema.Model.GetRootAs(model))
    for tensor in stored.subgraphs[0].tensors:
        if tensor.type != tflite_models.TYPES["int4"]:
            continue
        tensor.type = tflite_models.TYPES["int8"]
        packed = np.asarray(stored.buffers[tensor.buffer].data, np.uint8)
        nibbles = np.stack([packed & 0xF, packed >> 4], -1).reshape(-1)[:np.prod(tensor.shape)]
        stored.buffers[tensor.buffer].data = ((nibbles ^ 8) - np.uint8(8)).astype(np.uint8)
    builder = flatbuffers.Builder(1 << 16)
    builder.Finish(stored.Pack(builder), b"TFL3")
    return bytes(builder.Output())


def cases():
    """As tflite_cases.cases, against LiteRT's reference kernels."""
    for bits in (8, 4):
        name = "hybrid" if bits == 8 else "hybrid_int4"
        for asymmetric in (False, True):
            kind = f"{name}/fully_connected_{'a' if asymmetric else ''}symmetric"
            yield kind, lambda a=asymmetric, b=bits: fully_connected(asymmetric=a, bits=b), 0
            yield f"{kind}_per_tensor", lambda a=asymmetric, b=bits: fully_connected(
                asymmetric=a, bits=b, per_channel=False, activation="relu"), 0
            yield f"{kind}_kept", lambda a=asymmetric, b=bits: fully_connected(
                shape=(1, 3, 9), asymmetric=a, bits=b, keep=True, bias=False, activation="relu6"), 0
            yield f"{kind}_image", lambda a=asymmetric, b=bits: fully_connected(
                shape=(1, 4, 3, 2), asymmetric=a, bits=b, activation="tanh"), 0
        yield f"{name}/conv", lambda b=bits: convolution(bits=b), 0
        yield f"{name}/conv_valid_relu6", lambda b=bits: convolution(
            padding="VALID", stride=(2, 1), activation="relu6", bits=b), 0
        yield f"{name}/conv_per_tensor", lambda b=bits: convolution(per_channel=False, bits=b), 0
        yield f"{name}/conv_pointwise", lambda b=bits: convolution(
            kernel=(1, 1), out=32, bits=b), 0
    yield "hybrid/conv_groups", lambda: convolution(out=8, groups=2), 0
    yield "hybrid/depthwise", depthwise, 0
    yield "hybrid/depthwise_strided", lambda: depthwise(
        stride=(2, 2), padding="VALID", activation="relu"), 0
    yield "hybrid/depthwise_multiplier", lambda: depthwise(multiplier=3), 0
    yield "int4/dequantized", dequantized, 0


def integer_cases():
    """Of int8 activations and int4 weights."""
    yield "int8/int4_fully_connected", lambda: fully_connected("int8", bits=4), 0
    yield "int8/int4_fully_connected_per_tensor", lambda: fully_connected(
        "int8", bits=4, per_channel=False, activation="relu"), 0
    yield "int8/int4_conv", lambda: convolution("int8", bits=4), 0
    yield "int8/int4_conv_relu6", lambda: convolution(
        "int8", bits=4, shape=(1, 5, 5, 3), out=5, activation="relu6"), 0
    yield "int8/int4_depthwise", lambda: depthwise("int8", bits=4), 0
