# SPDX-License-Identifier: Apache-2.0
"""Networks of convolutions and dense layers without an engine: their layers, weights from a seed,
and what they answer in floats. Images are NHWC, filters HWIO; padding is TensorFlow's "same"."""
import dataclasses
import math

import numpy as np


@dataclasses.dataclass
class Layer:
    kind: str  # "conv", "depthwise", "dense", "add", "average_pool", "flatten", "softmax"
    name: str  # of its output, too
    inputs: list[str]
    shape: list[int]  # of its output, without the rows
    w: np.ndarray | None = None  # conv [h, w, in, out], depthwise [h, w, channels, 1], dense [k, n]
    b: np.ndarray | None = None
    strides: tuple[int, int] = (1, 1)
    activation: str = "linear"  # "relu", "relu6"


class Network:
    """Layers in the order they are added; each method returns the name of what it computes."""

    def __init__(self, input_shape: list[int], seed: int):
        self.input_shape = input_shape
        self.layers: list[Layer] = []
        self._random = np.random.default_rng(seed)
        self._shapes = {"x": input_shape}

    def conv(self, x: str, channels: int, kernel: int | tuple[int, int], stride=1,
             activation="relu") -> str:
        height, width = (kernel, kernel) if isinstance(kernel, int) else kernel
        return self._windowed("conv", x, (height, width, self._shapes[x][-1], channels),
                              height * width * self._shapes[x][-1], channels, stride, activation)

    def depthwise(self, x: str, kernel: int, stride=1, activation="relu") -> str:
        channels = self._shapes[x][-1]
        return self._windowed("depthwise", x, (kernel, kernel, channels, 1), kernel * kernel,
                              channels, stride, activation)

    def dense(self, x: str, n: int, activation="linear") -> str:
        k = self._shapes[x][-1]
        return self._append("dense", [x], [n], w=self._normal(math.sqrt(2 / k), k, n),
                            b=self._normal(0.1, n), activation=activation)

    def add(self, a: str, b: str, activation="linear") -> str:
        return self._append("add", [a, b], self._shapes[a], activation=activation)

    def average_pool(self, x: str) -> str:
        """Of the whole image."""
        return self._append("average_pool", [x], [1, 1, self._shapes[x][-1]])

    def flatten(self, x: str) -> str:
        return self._append("flatten", [x], [math.prod(self._shapes[x])])

    def softmax(self, x: str) -> str:
        return self._append("softmax", [x], self._shapes[x])

    def inputs(self, rows: int, seed: int) -> np.ndarray:
        """Like pictures: neighbours are alike."""
        random = np.random.default_rng(seed)
        if len(self.input_shape) == 1:
            return random.normal(0, 1, (rows, *self.input_shape)).astype(np.float32)
        height, width, channels = self.input_shape
        coarse = random.uniform(-1, 1, (rows, height // 8 + 1, width // 8 + 1, channels))
        image = coarse.repeat(8, 1).repeat(8, 2)[:, :height, :width]
        return (image + random.normal(0, 0.1, image.shape)).clip(-1, 1).astype(np.float32)

    @property
    def output(self) -> str:
        return self.layers[-1].name

    @property
    def operations(self) -> int:
        """Of one row: two for each multiplication."""
        total = 0
        for layer in self.layers:
            if layer.kind == "dense":
                total += 2 * layer.w.size
            elif layer.w is not None:
                total += 2 * layer.w.size * layer.shape[0] * layer.shape[1]
        return total

    @property
    def num_weights(self) -> int:
        return sum(layer.w.size for layer in self.layers if layer.w is not None)

    def values(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """Every value of the network, in floats."""
        values = {"x": x}
        for layer in self.layers:
            values[layer.name] = _compute(layer, [values[name] for name in layer.inputs])
        return values

    def _windowed(self, kind: str, x: str, filter_shape: tuple[int, ...], fan_in: int,
                  channels: int, stride, activation: str) -> str:
        strides = (stride, stride) if isinstance(stride, int) else stride
        height, width, _ = self._shapes[x]
        return self._append(kind, [x],
                            [-(-height // strides[0]), -(-width // strides[1]), channels],
                            w=self._normal(math.sqrt(2 / fan_in), *filter_shape),
                            b=self._normal(0.1, channels), strides=strides, activation=activation)

    def _append(self, kind: str, inputs: list[str], shape: list[int], **more) -> str:
        name = f"{kind}{len(self.layers)}"
        layer = Layer(kind, name, inputs, list(shape), **more)
        self.layers.append(layer)
        self._shapes[name] = layer.shape
        return name

    def _normal(self, deviation: float, *shape: int) -> np.ndarray:
        return self._random.normal(0, deviation, shape).astype(np.float32)


def _windows(x: np.ndarray, kernel: tuple[int, int], strides: tuple[int, int]) -> np.ndarray:
    """[rows, height, width, channels, kernel height, kernel width] of a padded image."""
    pads = [(0, 0)]
    for size, window, stride in zip(x.shape[1:3], kernel, strides):
        total = max((-(-size // stride) - 1) * stride + window - size, 0)
        pads.append((total // 2, total - total // 2))
    padded = np.pad(x, [*pads, (0, 0)])
    windows = np.lib.stride_tricks.sliding_window_view(padded, kernel, (1, 2))
    return windows[:, ::strides[0], ::strides[1]]


def _compute(layer: Layer, inputs: list[np.ndarray]) -> np.ndarray:
    x = inputs[0]
    if layer.kind == "conv":
        windows = _windows(x, layer.w.shape[:2], layer.strides)
        y = np.tensordot(windows, layer.w, ([3, 4, 5], [2, 0, 1])) + layer.b
    elif layer.kind == "depthwise":
        windows = _windows(x, layer.w.shape[:2], layer.strides)
        y = np.einsum("nhwcij,ijc->nhwc", windows, layer.w[..., 0]) + layer.b
    elif layer.kind == "dense":
        y = x @ layer.w + layer.b
    elif layer.kind == "add":
        y = x + inputs[1]
    elif layer.kind == "average_pool":
        y = x.mean((1, 2), keepdims=True)
    elif layer.kind == "flatten":
        y = x.reshape(len(x), -1)
    else:
        assert layer.kind == "softmax"
        exponents = np.exp(x - x.max(-1, keepdims=True))
        y = exponents / exponents.sum(-1, keepdims=True)
    if layer.activation != "linear":
        y = y.clip(0, 6 if layer.activation == "relu6" else None)
    return y.astype(np.float32)
