# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite models of recurrent layers, for tests beside LiteRT and TensorFlow Lite Micro."""

import numpy as np

import tflite_models
from tflite_cases import RNG


def lstm(shape=(1, 9, 5), units=7, activation="tanh", clip=10.0, scale=0.5):
    model = tflite_models.Model(RNG)
    x = model.input("float32", shape)

    def constants(*dims):
        return [model.constant((RNG.standard_normal(dims) * scale).astype(np.float32))
                for _ in range(4)]

    weights, recurrent = constants(units, shape[2]), constants(units, units)
    biases = constants(units)
    states = []
    for name in ("h", "c"):
        states.append(model.tensor("float32", (shape[0], units), name=name))
        model.graph.tensors[-1].isVariable = True
    y = model.add("UNIDIRECTIONAL_SEQUENCE_LSTM",
                  [x, *weights, *recurrent, -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1],
                  {"dtype": "float32", "shape": (*shape[:2], units)},
                  "UnidirectionalSequenceLSTMOptions", cellClip=clip,
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def hybrid_lstm(shape=(1, 9, 5), units=7, activation="tanh", clip=10.0, weight_scale=0.006,
                asymmetric=True):
    """Float activations, which are quantized step by step, and int8 weights."""
    model = tflite_models.Model(RNG)
    x = model.input("float32", shape)

    def weights(*dims):
        scales = RNG.uniform(0.5, 1.5, 4) * weight_scale
        return [model.constant(RNG.integers(-127, 128, dims).astype(np.int8), scale)
                for scale in scales]

    kernel, recurrent = weights(units, shape[2]), weights(units, units)
    biases = [model.constant((RNG.standard_normal(units) * 0.3).astype(np.float32))
              for _ in range(4)]
    states = []
    for _ in range(2):
        states.append(model.tensor("float32", (shape[0], units)))
        model.graph.tensors[-1].isVariable = True
    y = model.add("UNIDIRECTIONAL_SEQUENCE_LSTM",
                  [x, *kernel, *recurrent, -1, -1, -1, *biases, -1, -1, *states, -1, -1, -1, -1],
                  {"dtype": "float32", "shape": (*shape[:2], units)},
                  "UnidirectionalSequenceLSTMOptions", cellClip=clip,
                  asymmetricQuantizeInputs=asymmetric,
                  fusedActivationFunction=tflite_models.ACTIVATIONS[activation])
    return model.finish(y)


def hybrid_cases():
    """Of dynamic range. Beside LiteRT's own kernels, which are the same in all of its sets."""
    yield "hybrid/lstm", hybrid_lstm, 0
    yield "hybrid/lstm_of_one_step", lambda: hybrid_lstm((1, 1, 3), 4), 0
    yield "hybrid/lstm_long", lambda: hybrid_lstm((1, 40, 3), 6), 0
    yield "hybrid/lstm_wide", lambda: hybrid_lstm((1, 12, 40), 33, weight_scale=0.003), 0
    yield "hybrid/lstm_clipped", lambda: hybrid_lstm((1, 20, 3), clip=0.3, weight_scale=0.02), 0
    yield "hybrid/lstm_symmetric", lambda: hybrid_lstm(asymmetric=False), 0
    yield "hybrid/lstm_symmetric_wide", lambda: hybrid_lstm(
        (1, 12, 40), 33, weight_scale=0.003, asymmetric=False), 0
    yield "hybrid/lstm_relu", lambda: hybrid_lstm((1, 5, 6), activation="relu"), 0


def cases():
    """As tflite_cases.cases."""
    yield "lstm/tanh", lstm, 0
    yield "lstm/clipped", lambda: lstm(shape=(1, 30, 3), clip=0.4, scale=1.5), 0
    yield "lstm/without_clip", lambda: lstm(clip=0.0, units=16), 0
    yield "lstm/relu", lambda: lstm(shape=(1, 4, 6), activation="relu"), 0


def add_integer_lstm(model, x, shape, units, *, x_scale=(0.02, -9), output=(0.0078, 3), state=None,
                     cell=-11, weight_scale=0.006, clip=10.0, biases=2000):
    """Adds one of int8, as a converter writes it. `output` and `state`, by default the same, are scales
    and zero points, and the cell state has the scale 2^cell."""
    state = state or output

    def weights(*dims):
        scales = RNG.uniform(0.5, 1.5, 4) * weight_scale
        return [model.constant(RNG.integers(-127, 128, dims).astype(np.int8), scale)
                for scale in scales]

    def variable(dtype, scale, zero_point):
        index = model.tensor(dtype, (shape[0], units), scale, zero_point)
        model.graph.tensors[-1].isVariable = True
        return index

    kernel, recurrent = weights(units, shape[2]), weights(units, units)
    bias = [model.constant(RNG.integers(-biases, biases + 1, units).astype(np.int32),
                           x_scale[0] * weight_scale) for _ in range(4)]
    states = [variable("int8", *state), variable("int16", 2.0**cell, 0)]
    inputs = [x, *kernel, *recurrent, -1, -1, -1, *bias, -1, -1, *states, -1, -1, -1, -1]
    # Of the gates, which only layer normalization has, and of the output.
    intermediates = [model.tensor("float32", (0,)) for _ in range(4)]
    intermediates.append(model.tensor("int8", (0,), *output))
    y = model.add("UNIDIRECTIONAL_SEQUENCE_LSTM", inputs,
                  {"dtype": "int8", "shape": (*shape[:2], units), "scale": output[0],
                   "zero_point": output[1]},
                  "UnidirectionalSequenceLSTMOptions", cellClip=clip,
                  fusedActivationFunction=tflite_models.ACTIVATIONS["tanh"])
    model.graph.operators[-1].intermediates = intermediates
    return y


def integer_lstm(shape=(1, 9, 5), units=7, **options):
    model = tflite_models.Model(RNG)
    x = model.input("int8", shape, *options.get("x_scale", (0.02, -9)))
    return model.finish(add_integer_lstm(model, x, shape, units, **options))


def reverse(model, x, shape, quantization):
    return model.add("REVERSE_V2", [x, model.constant(np.array([1], np.int32))],
                     {"dtype": "int8", "shape": shape, "scale": quantization[0],
                      "zero_point": quantization[1]})


def bidirectional(shape=(1, 12, 5), units=6):
    """As a converter writes Keras's: the scales of one direction are declared for the other one too."""
    model = tflite_models.Model(RNG)
    output, other = (0.0078, 2), (0.0061, -4)
    x = model.input("int8", shape, 0.02, -9)
    y_shape = (*shape[:2], units)
    backward = add_integer_lstm(model, reverse(model, x, shape, (0.02, -9)), shape, units,
                                output=other)
    backward = reverse(model, backward, y_shape, output)
    forward = add_integer_lstm(model, x, shape, units, output=output, state=(0.0069, 2))
    return model.finish(model.add("CONCATENATION", [forward, backward],
                                  {"dtype": "int8", "shape": (*shape[:2], 2 * units),
                                   "scale": output[0], "zero_point": output[1]},
                                  "ConcatenationOptions", axis=2))


def stacked(shape=(1, 10, 4), units=8):
    """Two, and the last step alone."""
    model = tflite_models.Model(RNG)
    x = model.input("int8", shape, 0.02, -9)
    middle = (0.0079, -1)
    x = add_integer_lstm(model, x, shape, units, output=middle)
    x = add_integer_lstm(model, x, (*shape[:2], units), 3, x_scale=middle, cell=-12)
    bounds = [model.constant(np.array(values, np.int32)) for values in
              ((0, -1, 0), (0, 0, 0), (1, 1, 1))]
    return model.finish(model.add("STRIDED_SLICE", [x, *bounds],
                                  {"dtype": "int8", "shape": (shape[0], 3), "scale": 0.0078,
                                   "zero_point": 3},
                                  "StridedSliceOptions", beginMask=0b101, endMask=0b101,
                                  shrinkAxisMask=0b10))


def integer_cases():
    """Of int8: the default profile is TensorFlow Lite Micro's to the bit, xnnpack LiteRT's."""
    yield "int8/lstm", integer_lstm, 0
    yield "int8/lstm_of_one_step", lambda: integer_lstm((1, 1, 3), 4), 0
    yield "int8/lstm_of_one_unit", lambda: integer_lstm((1, 6, 1), 1), 0
    # Units and steps that fill no block of a kernel, and more of both.
    yield "int8/lstm_long", lambda: integer_lstm((1, 70, 3), 5), 0
    yield "int8/lstm_wide", lambda: integer_lstm((1, 20, 64), 48, weight_scale=0.002), 0
    yield "int8/lstm_odd", lambda: integer_lstm((1, 33, 17), 35, weight_scale=0.004), 0
    yield "int8/lstm_batch", lambda: integer_lstm((3, 8, 5), 6), 0
    for cell in (-15, -14, -12, -9):
        yield f"int8/lstm_cell_{-cell}", lambda c=cell: integer_lstm(cell=c), 0
    yield "int8/lstm_clipped", lambda: integer_lstm((1, 30, 3), clip=0.4, weight_scale=0.02), 0
    yield "int8/lstm_without_clip", lambda: integer_lstm(clip=0.0), 0
    # Gates beyond what they hold, with scales above 1, and an output that saturates.
    yield "int8/lstm_saturated", lambda: integer_lstm(
        (1, 20, 8), 16, x_scale=(0.2, 100), weight_scale=0.05, output=(0.004, -60),
        biases=100000), 0
    yield "int8/lstm_small", lambda: integer_lstm(
        x_scale=(0.001, -128), weight_scale=0.0002, output=(1e-5, 0), biases=10), 0
    yield "int8/lstm_state", lambda: integer_lstm(output=(0.0078, 3), state=(0.0051, -7)), 0
    yield "int8/lstm_bidirectional", bidirectional, 0
    yield "int8/lstm_stacked", stacked, 0
    yield "int8/lstm_stacked_batch", lambda: stacked((2, 10, 4)), 0
