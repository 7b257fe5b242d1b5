# SPDX-License-Identifier: Apache-2.0
"""uint8 with one scale and zero point for each tensor, weights included: what TensorFlow's
quantization-aware training wrote before int8 with a scale for each channel."""
import dataclasses
import pathlib

import numpy as np

import octet_models
from networks import Layer, Network


@dataclasses.dataclass
class Quantization:
    """real = scale * (q - zero_point), q in [0, 255]."""
    scale: float  # exactly a float32
    zero_point: int

    @classmethod
    def of_range(cls, low: float, high: float) -> "Quantization":
        low, high = min(low, 0.0), max(high, 0.0)
        scale = np.float32((high - low) / 255)
        return cls(float(scale), int(np.clip(round(-low / scale), 0, 255)))

    def quantize(self, x: np.ndarray) -> np.ndarray:
        return np.clip(np.rint(x / self.scale) + self.zero_point, 0, 255).astype(np.uint8)


@dataclasses.dataclass
class Weights:
    """Of a layer; `w` lies as the float ones do."""
    w: np.ndarray
    quantization: Quantization
    b: np.ndarray  # int32
    bias_scale: np.float32

    @classmethod
    def of_layer(cls, layer: Layer, x: Quantization) -> "Weights":
        quantization = Quantization.of_range(float(layer.w.min()), float(layer.w.max()))
        bias_scale = np.float32(quantization.scale) * np.float32(x.scale)
        return cls(quantization.quantize(layer.w), quantization,
                   np.rint(layer.b / bias_scale).astype(np.int32), bias_scale)


_OPERATORS = {"conv": "Conv2d", "depthwise": "DepthwiseConv2d", "dense": "FullyConnected",
              "add": "Add"}


def write_network(network: Network, ranges: dict[str, tuple[float, float]],
                  folder: pathlib.Path) -> None:
    """As an importer of such a model would: Octet's activations are int8, 128 less."""
    quantization = {name: Quantization.of_range(*range_) for name, range_ in ranges.items()}

    def output(layer_name: str) -> dict:
        of = quantization[layer_name]
        return {"output_scale": of.scale, "output_zero_point": of.zero_point - 128}

    graph = octet_models.Graph()
    graph.input("input", "FP32", [-1, *network.input_shape])
    graph.add("Quantize", ["input"], "x", scale=quantization["x"].scale,
              zero_point=quantization["x"].zero_point - 128)
    for layer in network.layers:
        if layer.kind == "average_pool":
            graph.add("Reduce", layer.inputs, layer.name, kind="mean", axes=[1, 2], keep_dims=1)
        elif layer.kind == "flatten":
            graph.add("Reshape", layer.inputs, layer.name, shape=[0, -1])
        elif layer.kind == "add":
            graph.add("Add", layer.inputs, layer.name, activation=layer.activation,
                      **output(layer.name))
        else:
            weights = Weights.of_layer(layer, quantization[layer.inputs[0]])
            w = graph.constant(f"{layer.name}.w", weights.w)
            b = graph.constant(f"{layer.name}.b", weights.b)
            scale = graph.constant(f"{layer.name}.scale",
                                   np.array([weights.quantization.scale], np.float32))
            zero_point = graph.constant(f"{layer.name}.zero_point",
                                        np.array([weights.quantization.zero_point], np.uint8))
            is_dense = layer.kind == "dense"
            inputs = [w, scale, zero_point, b] if is_dense else [w, scale, b, zero_point]
            window = {} if is_dense else {"strides": list(layer.strides), "padding": "same"}
            graph.add(_OPERATORS[layer.kind], [*layer.inputs, *inputs], layer.name,
                      activation=layer.activation, activation_quantization="static",
                      scale_convention="multiply", **window, **output(layer.name))
    graph.add("Dequantize", [network.output], "output")
    graph.save(folder, "output")
