# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite's 16x8: int16 activations and int8 weights with one scale for each channel, both
symmetric, and a bias of int64."""
import dataclasses
import pathlib

import numpy as np

import quantized_network
from networks import Layer, Network

SOFTMAX_SCALE = 1 / 32768  # of its result, by definition


def scale_of(low: float, high: float) -> float:
    """Of an activation in that range; exactly a float32."""
    return float(np.float32(max(-low, high) / 32767))


@dataclasses.dataclass
class Weights:
    """Of a layer; `w` lies as the float ones do."""
    w: np.ndarray  # int8
    scale: np.ndarray  # one a channel
    b: np.ndarray  # int64
    bias_scale: np.ndarray

    @classmethod
    def of_layer(cls, layer: Layer, input_scale: float) -> "Weights":
        # Channels lie last; a depthwise filter has a dimension of 1 behind them.
        channels = layer.w.reshape(-1, layer.b.size)
        scale = (np.abs(channels).max(0) / 127).astype(np.float32)
        q = np.clip(np.rint(channels / scale), -127, 127).astype(np.int8)
        bias_scale = scale * np.float32(input_scale)
        return cls(q.reshape(layer.w.shape), scale,
                   np.rint(layer.b / bias_scale.astype(np.float64)).astype(np.int64), bias_scale)


class _Form:

    def __init__(self, ranges: dict[str, tuple[float, float]]):
        self._ranges = ranges

    def attributes(self, name: str, prefix: str = "") -> dict:
        scale = scale_of(*self._ranges[name])
        return {f"{prefix}scale": scale, **({} if prefix else {"to": "INT16"})}

    def constants(self, layer: Layer) -> dict[str, np.ndarray]:
        weights = Weights.of_layer(layer, scale_of(*self._ranges[layer.inputs[0]]))
        return {"w": weights.w, "scale": weights.scale, "b": weights.b}


def write_network(network: Network, ranges: dict[str, tuple[float, float]],
                  folder: pathlib.Path) -> None:
    quantized_network.write(network, _Form(ranges), folder)
