# SPDX-License-Identifier: Apache-2.0
"""BERT's encoder with the sizes of all-MiniLM-L6-v2, weights from a seed, in int8."""
import functools
import math
import pathlib

import numpy as np
from onnx import TensorProto

import cases
import octet_models
import onnx_models

LAYERS = 6
WIDTH = 384
INNER_WIDTH = 1536
HEADS = 12
HEAD_WIDTH = WIDTH // HEADS
VOCABULARY = 2048
LENGTHS = [16, 128, 256]
CALIBRATION_ROWS = 4
# Rounding adds up over the layers, to 0.025 with a scale for each row and 0.036 with one for a
# tensor; forms that saturate in 16 bits are 0.048 off and more.
INT8_TOLERANCE = 0.042
FLOAT_TOLERANCE = 0.02  # bfloat16 included
EPSILON = 1e-12


def _weights(length: int) -> dict[str, np.ndarray]:
    random = np.random.default_rng(6384)

    def normal(deviation: float, *shape: int) -> np.ndarray:
        return random.normal(0, deviation, shape).astype(np.float32)

    weights = {"tokens": normal(1, VOCABULARY, WIDTH)}
    norms = ["embedding"]
    for layer in range(LAYERS):
        name = f"layer{layer}."
        for dense, k, n in [("query", WIDTH, WIDTH), ("key", WIDTH, WIDTH),
                            ("value", WIDTH, WIDTH), ("output", WIDTH, WIDTH),
                            ("up", WIDTH, INNER_WIDTH), ("down", INNER_WIDTH, WIDTH)]:
            weights[f"{name}{dense}.w"] = normal(1 / math.sqrt(k), k, n)
            weights[f"{name}{dense}.b"] = normal(0.1, n)
        norms += [f"{name}middle", f"{name}end"]
    for norm in norms:
        weights[f"{norm}.gamma"] = 1 + normal(0.1, WIDTH)
        weights[f"{norm}.beta"] = normal(0.1, WIDTH)
    weights["positions"] = normal(1, max(LENGTHS), WIDTH)[:length]  # last: the same for any length
    return weights


def _ids(rows: int, length: int) -> np.ndarray:
    return np.random.default_rng(length).integers(0, VOCABULARY, (rows, length))


def _answer(weights: dict[str, np.ndarray], ids: np.ndarray) -> np.ndarray:
    erf = np.vectorize(math.erf, otypes=[np.float64])

    def norm(name: str, x: np.ndarray) -> np.ndarray:
        centered = x - x.mean(-1, keepdims=True)
        deviation = np.sqrt(np.square(centered).mean(-1, keepdims=True) + EPSILON)
        return centered / deviation * weights[f"{name}.gamma"] + weights[f"{name}.beta"]

    def dense(name: str, x: np.ndarray) -> np.ndarray:
        return x @ weights[f"{name}.w"] + weights[f"{name}.b"]

    def heads(name: str, x: np.ndarray) -> np.ndarray:
        return dense(name, x).reshape(*x.shape[:2], HEADS, HEAD_WIDTH).transpose(0, 2, 1, 3)

    x = norm("embedding", weights["tokens"].astype(np.float64)[ids] + weights["positions"])
    for layer in range(LAYERS):
        name = f"layer{layer}."
        scores = heads(f"{name}query", x) @ heads(f"{name}key", x).swapaxes(2, 3)
        scores = np.exp((scores - scores.max(-1, keepdims=True)) / math.sqrt(HEAD_WIDTH))
        context = scores / scores.sum(-1, keepdims=True) @ heads(f"{name}value", x)
        x = norm(f"{name}middle",
                 dense(f"{name}output", context.transpose(0, 2, 1, 3).reshape(x.shape)) + x)
        wide = dense(f"{name}up", x)
        x = norm(f"{name}end",
                 dense(f"{name}down", wide * (1 + erf(wide / math.sqrt(2))) / 2) + x)
    return x.astype(np.float32)


def _write_onnx(path: pathlib.Path, weights: dict[str, np.ndarray], length: int) -> None:
    graph = onnx_models.Graph()

    def constant(name: str) -> str:
        return graph.constant(name, weights[name])

    def norm(name: str, x: str) -> str:
        return graph.add("LayerNormalization",
                         [x, constant(f"{name}.gamma"), constant(f"{name}.beta")], f"{name}.norm",
                         epsilon=EPSILON)

    def dense(name: str, x: str) -> str:
        product = graph.add("MatMul", [x, constant(f"{name}.w")], f"{name}.product")
        return graph.add("Add", [product, constant(f"{name}.b")], name)

    split = graph.constant("split", np.array([0, 0, HEADS, HEAD_WIDTH], np.int64))
    merge = graph.constant("merge", np.array([0, 0, WIDTH], np.int64))
    root = graph.constant("root", np.float32(math.sqrt(HEAD_WIDTH)))

    def heads(name: str, x: str, permutation: list[int]) -> str:
        parts = graph.add("Reshape", [dense(name, x), split], f"{name}.split")
        return graph.add("Transpose", [parts], f"{name}.heads", perm=permutation)

    words = graph.add("Gather", [constant("tokens"), "ids"], "words")
    x = norm("embedding", graph.add("Add", [words, constant("positions")], "embedded"))
    for layer in range(LAYERS):
        name = f"layer{layer}."
        query = heads(f"{name}query", x, [0, 2, 1, 3])
        key = heads(f"{name}key", x, [0, 2, 3, 1])
        value = heads(f"{name}value", x, [0, 2, 1, 3])
        scores = graph.add("Div", [graph.add("MatMul", [query, key], f"{name}qk"), root],
                           f"{name}scores")
        softmax = graph.add("Softmax", [scores], f"{name}softmax", axis=-1)
        context = graph.add("MatMul", [softmax, value], f"{name}context")
        merged = graph.add("Transpose", [context], f"{name}merged", perm=[0, 2, 1, 3])
        attention = graph.add("Reshape", [merged, merge], f"{name}attention")
        x = norm(f"{name}middle",
                 graph.add("Add", [dense(f"{name}output", attention), x], f"{name}attended"))
        wide = graph.gelu(dense(f"{name}up", x), f"{name}gelu")
        x = norm(f"{name}end", graph.add("Add", [dense(f"{name}down", wide), x], f"{name}fed"))
    graph.save(path, ("ids", TensorProto.INT64, ["rows", length]),
               (x, TensorProto.FLOAT, ["rows", length, WIDTH]))


def _write_octet(folder: pathlib.Path, weights: dict[str, np.ndarray], length: int) -> None:
    graph = octet_models.Graph()

    def constant(name: str) -> str:
        return graph.constant(name, weights[name])

    def norm(name: str, x: str) -> str:
        return graph.add("LayerNormalization",
                         [x, constant(f"{name}.gamma"), constant(f"{name}.beta")], f"{name}.norm",
                         epsilon=EPSILON)

    def dense(name: str, x: str) -> str:
        return graph.add("FullyConnected",
                         [x, constant(f"{name}.w"), "", "", constant(f"{name}.b")], name)

    root = graph.constant("root", np.float32(math.sqrt(HEAD_WIDTH)))

    def heads(name: str, x: str, permutation: list[int]) -> str:
        parts = graph.add("Reshape", [dense(name, x)], f"{name}.split",
                          shape=[0, 0, HEADS, HEAD_WIDTH])
        return graph.add("Transpose", [parts], f"{name}.heads", permutation=permutation)

    ids = graph.input("ids", "INT64", [-1, length])
    words = graph.add("Gather", [ids, constant("tokens")], "words")
    x = norm("embedding", graph.add("Add", [words, constant("positions")], "embedded"))
    for layer in range(LAYERS):
        name = f"layer{layer}."
        query = heads(f"{name}query", x, [0, 2, 1, 3])
        key = heads(f"{name}key", x, [0, 2, 3, 1])
        value = heads(f"{name}value", x, [0, 2, 1, 3])
        scores = graph.add("Divide", [graph.add("MatMul", [query, key], f"{name}qk"), root],
                           f"{name}scores")
        softmax = graph.add("Softmax", [scores], f"{name}softmax")
        context = graph.add("MatMul", [softmax, value], f"{name}context")
        merged = graph.add("Transpose", [context], f"{name}merged", permutation=[0, 2, 1, 3])
        attention = graph.add("Reshape", [merged], f"{name}attention", shape=[0, 0, WIDTH])
        x = norm(f"{name}middle",
                 graph.add("Add", [dense(f"{name}output", attention), x], f"{name}attended"))
        wide = graph.add("Activation", [dense(f"{name}up", x)], f"{name}gelu", activation="gelu")
        x = norm(f"{name}end", graph.add("Add", [dense(f"{name}down", wide), x], f"{name}fed"))
    graph.save(folder, x)


def _write_peers(folder: pathlib.Path, length: int) -> None:
    weights = _weights(length)
    calibration = _ids(CALIBRATION_ROWS, length)
    np.save(folder / "calibration.npy", calibration)
    np.save(folder / "expected.npy", _answer(weights, _ids(1, length)))
    _write_onnx(folder / "fp32.onnx", weights, length)
    onnx_models.write_dynamic(folder / "fp32.onnx", folder / "dynamic.onnx", False)
    onnx_models.write_dynamic(folder / "fp32.onnx", folder / "dynamic-per-channel.onnx", True)
    onnx_models.write_qdq(folder / "fp32.onnx", folder / "qdq.onnx", {"ids": calibration})


@functools.cache
def _write(length: int, make_bundle: pathlib.Path) -> pathlib.Path:
    """The folder of all models for sequences of `length`, written where it is not there."""
    folder = folder_of(length)
    cases.write_once(folder, lambda: _write_peers(folder, length), __file__, onnx_models.__file__)
    # Ours again: the format may have changed.
    _write_octet(folder / "network", _weights(length), length)
    for precision in ("fp32", "int8-dynamic"):
        octet_models.write_bundle(make_bundle, folder / "network", folder / "calibration.npy",
                                  precision, folder / precision)
    return folder


def folder_of(length: int) -> pathlib.Path:
    return cases.MODELS / f"encoder-{length}"


def make_case(name: str, length: int, contenders: list[cases.Contender],
              make_bundle: pathlib.Path, precision: str = "int8") -> cases.Case:
    """A case of the models in folder_of(length)."""

    def prepare() -> tuple[np.ndarray, np.ndarray]:
        return _ids(1, length), np.load(_write(length, make_bundle) / "expected.npy")

    num_weights = LAYERS * (4 * WIDTH * WIDTH + 2 * WIDTH * INNER_WIDTH)
    attention = LAYERS * 2 * 2 * length * length * WIDTH
    operations = 2 * length * num_weights + attention
    if precision == "fp32":
        return cases.Case(name, contenders, prepare, operations, 4 * num_weights, operations)
    return cases.Case(name, contenders, prepare, operations, num_weights, attention)


def make_cases(make_bundle: pathlib.Path):
    """All cases, length by length: int8, with the float ones beside it, and float alone."""
    for length in LENGTHS:
        folder = folder_of(length)

        def octet(form, folder=folder):
            tolerance = FLOAT_TOLERANCE if form == "fp32" else INT8_TOLERANCE
            return cases.Contender("octet", form, folder / form, tolerance)

        def peer(engine, form, variant="", folder=folder):
            tolerance = FLOAT_TOLERANCE if form == "fp32" else INT8_TOLERANCE
            return cases.Contender(engine, form, folder / f"{form}.onnx", tolerance, variant)

        yield make_case(f"encoder int8, length {length}", length, [
            octet("int8-dynamic"),
            octet("fp32"),
            peer("onnxruntime", "dynamic"),
            peer("onnxruntime", "dynamic-per-channel"),
            peer("onnxruntime", "qdq"),
            peer("onnxruntime", "fp32"),
            peer("openvino", "qdq", "default"),
            peer("openvino", "qdq", "f32"),
            peer("openvino", "fp32", "default"),
        ], make_bundle)
        yield make_case(f"encoder fp32, length {length}", length, [
            octet("fp32"),
            peer("onnxruntime", "fp32"),
            peer("openvino", "fp32", "default"),
            peer("openvino", "fp32", "f32"),
        ], make_bundle, "fp32")
