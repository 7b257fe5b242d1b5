# SPDX-License-Identifier: Apache-2.0
"""Convolutional networks with the shapes of MLPerf Tiny and MobileNetV2, weights from a seed, in
int8 with calibrated ranges, one of them in uint8, and one in 16x8. One row: the cost of a convolution
grows with the rows."""
import functools
import json
import pathlib

import numpy as np

import cases
import int16_models
import networks
import octet_models
import tflite_models
import uint8_models
from networks import Network

CALIBRATION_ROWS = 8
CALIBRATION_SEED = 1
INPUT_SEED = 2
INT8_TOLERANCE = 0.15  # rounding adds up over the layers
INT16_TOLERANCE = 0.02  # of the weights, which are int8
FLOAT_TOLERANCE = 0.001


def _resnet8() -> Network:
    network = Network([32, 32, 3], 8)
    x = network.conv("x", 16, 3)
    for channels in (16, 32, 64):
        stride = 1 if channels == 16 else 2
        y = network.conv(x, channels, 3, stride)
        y = network.conv(y, channels, 3, activation="linear")
        shortcut = x if stride == 1 else network.conv(x, channels, 1, stride, "linear")
        x = network.add(shortcut, y, "relu")
    network.softmax(network.dense(network.flatten(network.average_pool(x)), 10))
    return network


def _visual_wake_words() -> Network:
    """MobileNetV1, a quarter as wide."""
    network = Network([96, 96, 3], 96)
    x = network.conv("x", 8, 3, 2)
    for channels, stride in [(16, 1), (32, 2), (32, 1), (64, 2), (64, 1), (128, 2), (128, 1),
                             (128, 1), (128, 1), (128, 1), (128, 1), (256, 2), (256, 1)]:
        x = network.conv(network.depthwise(x, 3, stride), channels, 1)
    network.softmax(network.dense(network.flatten(network.average_pool(x)), 2))
    return network


def _keyword_spotting() -> Network:
    network = Network([49, 10, 1], 49)
    x = network.conv("x", 64, (10, 4), 2)
    for _ in range(4):
        x = network.conv(network.depthwise(x, 3), 64, 1)
    network.softmax(network.dense(network.flatten(network.average_pool(x)), 12))
    return network


def _anomaly_detection() -> Network:
    network = Network([640], 640)
    x = "x"
    for n in [128] * 4 + [8] + [128] * 4:
        x = network.dense(x, n, "relu")
    network.dense(x, 640)
    return network


def _mobilenet_v2() -> Network:
    network = Network([224, 224, 3], 224)
    x = network.conv("x", 32, 3, 2, "relu6")
    width = 32
    for expansion, channels, repeats, stride in [(1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2),
                                                 (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2),
                                                 (6, 320, 1, 1)]:
        for i in range(repeats):
            y = x if expansion == 1 else network.conv(x, width * expansion, 1, activation="relu6")
            y = network.depthwise(y, 3, stride if i == 0 else 1, "relu6")
            y = network.conv(y, channels, 1, activation="linear")
            x = y if i == 0 else network.add(x, y)
            width = channels
    x = network.average_pool(network.conv(x, 1280, 1, activation="relu6"))
    network.dense(network.flatten(x), 1000)
    return network


NETWORKS = {"ResNet-8": _resnet8, "visual wake words": _visual_wake_words,
            "keyword spotting": _keyword_spotting, "anomaly detection": _anomaly_detection,
            "MobileNetV2": _mobilenet_v2}
UINT8_NETWORKS = ("MobileNetV2",)
INT16_NETWORKS = ("keyword spotting",)
_OPERATORS = {"conv": "Conv2d", "depthwise": "DepthwiseConv2d", "dense": "FullyConnected"}


def _write_network(network: Network, folder: pathlib.Path) -> None:
    """As Octet reads it: each activation a node of its own."""
    graph = octet_models.Graph()
    graph.input("x", "FP32", [-1, *network.input_shape])
    for layer in network.layers:
        linear = layer.name if layer.activation == "linear" else f"{layer.name}.linear"
        if layer.kind == "add":
            graph.add("Add", layer.inputs, linear)
        elif layer.kind == "average_pool":
            graph.add("Reduce", layer.inputs, linear, kind="mean", axes=[1, 2], keep_dims=1)
        elif layer.kind == "flatten":
            graph.add("Reshape", layer.inputs, linear, shape=[0, -1])
        elif layer.kind == "softmax":
            graph.add("Softmax", layer.inputs, linear)
        else:
            w = graph.constant(f"{layer.name}.w", layer.w)
            b = graph.constant(f"{layer.name}.b", layer.b)
            if layer.kind == "dense":
                graph.add("FullyConnected", [*layer.inputs, w, "", "", b], linear)
            else:
                graph.add(_OPERATORS[layer.kind], [*layer.inputs, w, "", b], linear,
                          strides=list(layer.strides), padding="same")
        if layer.activation != "linear":
            graph.add("Activation", [linear], layer.name, activation=layer.activation)
    graph.save(folder, network.output)


def _write_peers(folder: pathlib.Path, name: str, network: Network) -> None:
    calibration = network.inputs(CALIBRATION_ROWS, CALIBRATION_SEED)
    np.save(folder / "calibration.npy", calibration)
    x = network.inputs(1, INPUT_SEED)
    np.save(folder / "expected.npy", network.values(x)[network.output])
    tflite_models.write_float(network, folder / "fp32.tflite")
    ranges = tflite_models.activation_ranges(network, calibration)
    (folder / "ranges.json").write_text(json.dumps(ranges))
    tflite_models.write_int8(network, ranges, folder / "int8.tflite")
    if name in UINT8_NETWORKS:
        tflite_models.write_uint8(network, ranges, folder / "uint8.tflite")
    if name in INT16_NETWORKS:
        tflite_models.write_int16(network, ranges, folder / "int16.tflite")


@functools.cache
def _write(name: str, make_bundle: pathlib.Path) -> pathlib.Path:
    """The folder of all models of a network, written where it is not there."""
    network = NETWORKS[name]()
    folder = folder_of(name)
    cases.write_once(folder, lambda: _write_peers(folder, name, network), __file__,
                     networks.__file__, tflite_models.__file__, uint8_models.__file__,
                     int16_models.__file__)
    # Ours again: the format may have changed.
    _write_network(network, folder / "network")
    for precision in ("fp32", "int8-static"):
        octet_models.write_bundle(make_bundle, folder / "network", folder / "calibration.npy",
                                  precision, folder / precision)
    ranges = json.loads((folder / "ranges.json").read_text())
    for form, networks_, module in (("uint8", UINT8_NETWORKS, uint8_models),
                                    ("int16", INT16_NETWORKS, int16_models)):
        if name in networks_:
            module.write_network(network, ranges, folder / f"network-{form}")
            octet_models.write_bundle(make_bundle, folder / f"network-{form}",
                                      folder / "calibration.npy", "as-is", folder / form)
    return folder


def folder_of(name: str) -> pathlib.Path:
    return cases.MODELS / name.replace(" ", "-")


def make_case(title: str, name: str, contenders: list[cases.Contender],
              make_bundle: pathlib.Path) -> cases.Case:
    """A case of the models in folder_of(name); `name` is one of NETWORKS."""
    network = NETWORKS[name]()

    def prepare() -> tuple[np.ndarray, np.ndarray]:
        return (network.inputs(1, INPUT_SEED),
                np.load(_write(name, make_bundle) / "expected.npy"))

    return cases.Case(title, contenders, prepare, network.operations, network.num_weights)


def make_cases(make_bundle: pathlib.Path):
    """All cases, network by network."""
    for name in NETWORKS:
        folder = folder_of(name)
        int8 = cases.Contender("octet", "int8-static", folder / "int8-static", INT8_TOLERANCE)
        yield make_case(f"{name} int8", name, [
            int8,
            cases.Contender("octet", "fp32", folder / "fp32", FLOAT_TOLERANCE),
            cases.Contender("litert", "int8", folder / "int8.tflite", INT8_TOLERANCE),
            cases.Contender("litert", "fp32", folder / "fp32.tflite", FLOAT_TOLERANCE),
        ], make_bundle)
        if name in UINT8_NETWORKS:
            yield make_case(f"{name} uint8", name, [
                cases.Contender("octet", "uint8", folder / "uint8", INT8_TOLERANCE),
                int8,
                cases.Contender("litert", "uint8", folder / "uint8.tflite", INT8_TOLERANCE),
            ], make_bundle)
        if name in INT16_NETWORKS:
            yield make_case(f"{name} int16x8", name, [
                cases.Contender("octet", "int16x8", folder / "int16", INT16_TOLERANCE),
                int8,
                cases.Contender("litert", "int16x8", folder / "int16.tflite", INT16_TOLERANCE),
            ], make_bundle)
