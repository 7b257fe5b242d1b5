# SPDX-License-Identifier: Apache-2.0
"""Single int8 convolutions with ReLU, of the shapes of ResNet-50 and MobileNetV2, beside oneDNN."""
import functools
import json
import math
import pathlib

import numpy as np

import cases
from networks import Network

INT8_TOLERANCE = 0.03

# Height and width, channels in and out, kernel, stride.
_ORDINARY = {"3x3": (56, 64, 64, 3, 1), "3x3 small": (14, 256, 256, 3, 1),
             "1x1 wide": (56, 64, 256, 1, 1), "1x1 narrow": (56, 256, 64, 1, 1),
             "stem 7x7": (224, 3, 64, 7, 2), "stem 3x3": (224, 3, 32, 3, 2)}
_DEPTHWISE = {"depthwise 3x3": (56, 96, 3, 1), "depthwise 3x3 stride 2": (56, 144, 3, 2),
              "depthwise 3x3 small": (14, 384, 3, 1)}


def _networks():
    for name, (size, channels, out, kernel, stride) in _ORDINARY.items():
        network = Network([size, size, channels], kernel * size)
        network.conv("x", out, kernel, stride)
        yield f"{name}, {channels} to {out} at {size}", network
    for name, (size, channels, kernel, stride) in _DEPTHWISE.items():
        network = Network([size, size, channels], kernel * size)
        network.depthwise("x", kernel, stride)
        yield f"{name}, {channels} at {size}", network


def _write(network: Network, folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """As convolution_contender.cc reads it; returns the input and the answer."""
    folder.mkdir(parents=True, exist_ok=True)
    layer = network.layers[0]
    x = network.inputs(1, 3)
    y = network.values(x)[layer.name]
    np.save(folder / "filter.npy",
            layer.w.reshape(*layer.w.shape[:2], -1, math.prod(layer.b.shape)))
    np.save(folder / "bias.npy", layer.b)
    (folder / "convolution.json").write_text(json.dumps(
        {"stride": layer.strides[0], "groups": 1 if layer.kind == "conv" else layer.b.size,
         "in_scale": float(np.abs(x).max() / 127), "out_scale": float(y.max() / 127)}))
    return x, y


def make_cases(_make_bundle: pathlib.Path):
    """All cases, shape by shape."""
    for name, network in _networks():
        folder = cases.MODELS / f"convolution {name}".replace(",", "").replace(" ", "-")
        contenders = [cases.Contender(engine, "int8", folder, INT8_TOLERANCE, engine,
                                      "convolution_contender")
                      for engine in ("octet", "onednn")]
        yield cases.Case(f"convolution int8 {name}", contenders,
                         functools.partial(_write, network, folder), network.operations,
                         network.num_weights)
