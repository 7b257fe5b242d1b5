# SPDX-License-Identifier: Apache-2.0
"""Models of a size that the report speaks of, made by seed: as bundles of a model repository."""
import dataclasses
import math
import pathlib
import subprocess

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from measuring import Request

OPSET = 17
HEADS = 6


@dataclasses.dataclass(frozen=True)
class Model:
    """One that `octet import` makes a bundle of, and `octet quantize` where it says how."""
    name: str
    input: str  # of one row, as Request has it
    mode: str  # of quantization; "": none
    nodes: tuple

    @property
    def request(self) -> Request:
        return Request(self.name, self.input)


class _Graph:
    """An ONNX graph whose constants come from a seed."""

    def __init__(self):
        self._random = np.random.default_rng(7384)
        self._nodes = []
        self._constants = []

    def add(self, op: str, inputs: list[str], **attributes) -> str:
        output = f"{op.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, inputs, [output], name=output, **attributes))
        return output

    def constant(self, value: np.ndarray) -> str:
        name = f"c{len(self._constants)}"
        self._constants.append(numpy_helper.from_array(value, name))
        return name

    def normal(self, deviation: float, *shape: int) -> str:
        return self.constant(self._random.normal(0, deviation, shape).astype(np.float32))

    def dense(self, x: str, k: int, n: int) -> str:
        product = self.add("MatMul", [x, self.normal(1 / math.sqrt(k), k, n)])
        return self.add("Add", [product, self.normal(0.1, n)])

    def model(self, input_: str, output: str, output_shape: list) -> onnx.ModelProto:
        name, data_type, dims = input_.split(":")
        element = {"FP32": TensorProto.FLOAT, "INT64": TensorProto.INT64}[data_type]
        shape = ["rows", *[int(dim) for dim in dims.split(",")[1:]]]
        graph = helper.make_graph(
            self._nodes, "model", [helper.make_tensor_value_info(name, element, shape)],
            [helper.make_tensor_value_info(output, TensorProto.FLOAT, ["rows", *output_shape])],
            self._constants)
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                 ir_version=8)


def _two_layers(input_: str, width: int, inner: int) -> onnx.ModelProto:
    graph = _Graph()
    x = graph.add("Relu", [graph.dense("x", width, inner)])
    return graph.model(input_, graph.dense(x, inner, width), [width])


def _convolutions(input_: str, channels: int, layers: int) -> onnx.ModelProto:
    graph = _Graph()
    x, given = "x", int(input_.split(",")[1])
    for _ in range(layers):
        weight = graph.normal(math.sqrt(2 / (9 * given)), channels, given, 3, 3)
        x = graph.add("Conv", [x, weight, graph.normal(0.1, channels)], pads=[1, 1, 1, 1])
        x = graph.add("Relu", [x])
        given = channels
    x = graph.add("Flatten", [graph.add("GlobalAveragePool", [x])])
    return graph.model(input_, graph.dense(x, channels, 10), [10])


def _encoder(input_: str, width: int, layers: int) -> onnx.ModelProto:
    """As BERT's, over as many tokens as the input has."""
    graph = _Graph()
    length = int(input_.rpartition(",")[2])
    split = graph.constant(np.array([0, 0, HEADS, width // HEADS], np.int64))
    merge = graph.constant(np.array([0, 0, width], np.int64))
    root = graph.constant(np.float32(math.sqrt(width // HEADS)))

    def heads(x: str, permutation: list[int]) -> str:
        parts = graph.add("Reshape", [graph.dense(x, width, width), split])
        return graph.add("Transpose", [parts], perm=permutation)

    def norm(x: str) -> str:
        ones, zeros = np.ones(width, np.float32), np.zeros(width, np.float32)
        return graph.add("LayerNormalization", [x, graph.constant(ones), graph.constant(zeros)],
                         axis=-1)

    x = norm(graph.add("Gather", [graph.normal(1, 100, width), "x"]))
    for _ in range(layers):
        query, key, value = (heads(x, [0, 2, 1, 3]), heads(x, [0, 2, 3, 1]),
                             heads(x, [0, 2, 1, 3]))
        scores = graph.add("Div", [graph.add("MatMul", [query, key]), root])
        context = graph.add("MatMul", [graph.add("Softmax", [scores], axis=-1), value])
        merged = graph.add("Reshape", [graph.add("Transpose", [context], perm=[0, 2, 1, 3]), merge])
        x = norm(graph.add("Add", [graph.dense(merged, width, width), x]))
        inner = graph.add("Relu", [graph.dense(x, width, 4 * width)])
        x = norm(graph.add("Add", [graph.dense(inner, 4 * width, width), x]))
    return graph.model(input_, x, [length, width])


# 64 MiB of int8 weights, more than a last-level cache holds that others share; 8 MiB, more than a
# core's own cache; 0.5 MiB, less than it.
DRAM = Model("fc-dram-int8", "x:FP32:1,1024", "int8-dynamic", (_two_layers, 1024, 32768))
L3 = Model("fc-l3-int8", "x:FP32:1,1024", "int8-dynamic", (_two_layers, 1024, 4096))
L2 = Model("fc-l2-int8", "x:FP32:1,256", "int8-dynamic", (_two_layers, 256, 1024))
# 0.9 and 0.1 billion multiplications.
CONVOLUTION = Model("convolution-fp32", "x:FP32:1,3,56,56", "", (_convolutions, 64, 8))
SMALL_CONVOLUTION = Model("small-convolution-fp32", "x:FP32:1,3,28,28", "", (_convolutions, 64, 4))
ENCODER = Model("encoder-int8", "x:INT64:1,16", "int8-dynamic", (_encoder, 384, 4))
MODELS = (DRAM, L3, L2, CONVOLUTION, SMALL_CONVOLUTION, ENCODER)


def _make(model: Model, octet: pathlib.Path, folder: pathlib.Path, bundle: pathlib.Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{model.name}.onnx"
    if not path.exists():
        function, *arguments = model.nodes
        onnx.save(function(model.input, *arguments), path)
    imported = folder / f"{model.name}.octet" if model.mode else bundle
    subprocess.run([octet, "import", path, "--output", imported, "--replace"], check=True,
                   stdout=subprocess.DEVNULL)
    if model.mode:
        subprocess.run([octet, "quantize", imported, "--mode", model.mode, "--output", bundle,
                        "--replace"], check=True, stdout=subprocess.DEVNULL)


def make_repository(octet: pathlib.Path, folder: pathlib.Path) -> pathlib.Path:
    """A repository of MODELS below `folder`, made with this very `octet`: the format may have
    changed."""
    repository = folder / "repository"
    for model in MODELS:
        bundle = repository / model.name / "1"
        bundle.parent.mkdir(parents=True, exist_ok=True)
        _make(model, octet, folder / "onnx", bundle)
    return repository
