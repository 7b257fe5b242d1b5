# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite models of recurrent layers, for tests beside LiteRT."""

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


def cases():
    """As tflite_cases.cases."""
    yield "lstm/tanh", lstm, 0
    yield "lstm/clipped", lambda: lstm(shape=(1, 30, 3), clip=0.4, scale=1.5), 0
    yield "lstm/without_clip", lambda: lstm(clip=0.0, units=16), 0
    yield "lstm/relu", lambda: lstm(shape=(1, 4, 6), activation="relu"), 0
