# SPDX-License-Identifier: Apache-2.0
"""Octet's form of a network that was quantized elsewhere: what an importer would make of it."""
import pathlib
from typing import Protocol

import numpy as np

import octet_models
from networks import Layer, Network

_OPERATORS = {"conv": "Conv2d", "depthwise": "DepthwiseConv2d", "dense": "FullyConnected",
              "add": "Add"}


class Form(Protocol):
    """How the tensors of a network are quantized."""

    def attributes(self, name: str, prefix: str = "") -> dict:
        """The attributes of a Quantize node, or with a prefix of a layer, that makes `name`."""

    def constants(self, layer: Layer) -> dict[str, np.ndarray]:
        """"w", "scale" and "b" of a layer, and "zero_point" where its weights have some."""


def write(network: Network, form: Form, folder: pathlib.Path) -> None:
    graph = octet_models.Graph()
    graph.input("input", "FP32", [-1, *network.input_shape])
    graph.add("Quantize", ["input"], "x", **form.attributes("x"))
    shapes = {layer.name: layer.shape for layer in network.layers}
    for layer in network.layers:
        if layer.kind == "average_pool":
            graph.add("AveragePool2d", layer.inputs, layer.name, padding="valid",
                      pool_size=shapes[layer.inputs[0]][:2], strides=[1, 1])
        elif layer.kind == "flatten":
            graph.add("Reshape", layer.inputs, layer.name, shape=[0, -1])
        elif layer.kind == "softmax":
            graph.add("Softmax", [graph.add("Dequantize", layer.inputs, f"{layer.name}.x")],
                      layer.name)
        elif layer.kind == "add":
            graph.add("Add", layer.inputs, layer.name, activation=layer.activation,
                      **form.attributes(layer.name, "output_"))
        else:
            names = {key: graph.constant(f"{layer.name}.{key}", value)
                     for key, value in form.constants(layer).items()}
            is_dense = layer.kind == "dense"
            order = ("w", "scale", "zero_point", "b") if is_dense else (
                "w", "scale", "b", "zero_point")
            inputs = [names.get(key, "") for key in order]
            window = {} if is_dense else {"strides": list(layer.strides), "padding": "same"}
            graph.add(_OPERATORS[layer.kind], [*layer.inputs, *inputs], layer.name,
                      activation=layer.activation, activation_quantization="static",
                      scale_convention="multiply", **window,
                      **form.attributes(layer.name, "output_"))
    output = network.output
    if network.layers[-1].kind != "softmax":
        output = graph.add("Dequantize", [output], "output")
    graph.save(folder, output)
