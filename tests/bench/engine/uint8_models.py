# SPDX-License-Identifier: Apache-2.0
"""uint8 with one scale and zero point for each tensor, weights included: what TensorFlow's
quantization-aware training wrote before int8 with a scale for each channel."""
import dataclasses
import pathlib

import numpy as np

import quantized_network
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


class _Form:
    """Octet's activations are int8, 128 less."""

    def __init__(self, ranges: dict[str, tuple[float, float]]):
        self._quantization = {name: Quantization.of_range(*range_)
                              for name, range_ in ranges.items()}

    def attributes(self, name: str, prefix: str = "") -> dict:
        of = self._quantization[name]
        return {f"{prefix}scale": of.scale, f"{prefix}zero_point": of.zero_point - 128}

    def constants(self, layer: Layer) -> dict[str, np.ndarray]:
        weights = Weights.of_layer(layer, self._quantization[layer.inputs[0]])
        return {"w": weights.w, "scale": np.array([weights.quantization.scale], np.float32),
                "zero_point": np.array([weights.quantization.zero_point], np.uint8),
                "b": weights.b}


def write_network(network: Network, ranges: dict[str, tuple[float, float]],
                  folder: pathlib.Path) -> None:
    quantized_network.write(network, _Form(ranges), folder)
