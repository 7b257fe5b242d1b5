# SPDX-License-Identifier: Apache-2.0
"""Fully connected layers: y = x w + b, and with GELU behind it; weights of 8 and of 4 bits with
int8 or float activations."""
import functools
import math
import pathlib

import numpy as np
from onnx import TensorProto
import openvino
import openvino.opset13 as ops

import cases
import octet_models
import onnx_models

SHAPES = [(768, 768), (768, 3072), (3072, 768)]
ROWS = [1, 2, 4, 8, 16, 128]
WEIGHT_ONLY_ROWS = [1, 16]
GROUP = 128
CALIBRATION_ROWS = 32
# Rounding of 8 and of 4 bits; bfloat16's is less than that of 8 bits.
INT8_TOLERANCE = 0.02
INT4_TOLERANCE = 0.14
FLOAT_TOLERANCE = 0.005


def inputs(rows: int, k: int) -> np.ndarray:
    return np.sin(np.arange(rows * k, dtype=np.float32) * 0.37).reshape(rows, k)


def _grouped(w: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """[n, groups, GROUP] in unsigned integers around 2^(bits - 1), and [n, groups, 1] scales."""
    k, n = w.shape
    grouped = np.ascontiguousarray(w.T).reshape(n, k // GROUP, GROUP)
    middle = 1 << (bits - 1)
    scale = (np.abs(grouped).max(2, keepdims=True) / (middle - 1)).astype(np.float32)
    q = np.clip(np.rint(grouped / scale), -middle, middle - 1) + middle
    return q.astype(np.uint8), scale


def _packed(q: np.ndarray) -> np.ndarray:
    """Two of 4 bits in a byte, the first in the low half."""
    return q[..., 0::2] | (q[..., 1::2] << 4)


def _write_onnxruntime(folder: pathlib.Path, w: np.ndarray, b: np.ndarray) -> None:
    k, n = w.shape
    input_ = ("x", TensorProto.FLOAT, ["rows", k])
    output = ("y", TensorProto.FLOAT, ["rows", n])
    for suffix in ("", "-gelu"):
        graph = onnx_models.Graph()
        product = graph.add("MatMul", ["x", graph.constant("w", w)], "product")
        bias = graph.constant("b", b)
        if suffix:
            graph.gelu(graph.add("Add", [product, bias], "sum"), "y")
        else:
            graph.add("Add", [product, bias], "y")
        plain = folder / f"fp32{suffix}.onnx"
        graph.save(plain, input_, output)
        onnx_models.write_dynamic(plain, folder / f"dynamic{suffix}.onnx", False)
        onnx_models.write_dynamic(plain, folder / f"dynamic-per-channel{suffix}.onnx", True)
    onnx_models.write_qdq(folder / "fp32.onnx", folder / "qdq.onnx",
                          {"x": inputs(CALIBRATION_ROWS, k)})
    for name, bits, level in [("int4-level-4", 4, 4), ("int4-level-1", 4, 1),
                              ("int8-level-1", 8, 1)]:
        q, scale = _grouped(w, bits)
        graph = onnx_models.Graph()
        weights = graph.constant("w", _packed(q) if bits == 4 else q)
        graph.add("MatMulNBits", ["x", weights, graph.constant("scale", scale.reshape(-1)), "", "",
                                  graph.constant("b", b)], "y", "com.microsoft",
                  K=k, N=n, bits=bits, block_size=GROUP, accuracy_level=level)
        graph.save(folder / f"{name}.onnx", input_, output)


def _write_openvino(folder: pathlib.Path, w: np.ndarray, b: np.ndarray) -> None:
    k, n = w.shape

    def save(name: str, weight) -> None:
        x = ops.parameter([-1, k], np.float32, name="x")
        y = ops.add(ops.matmul(x, weight, False, True), ops.constant(b.reshape(1, n)))
        openvino.save_model(openvino.Model([ops.result(y)], [x], name), folder / f"{name}.xml",
                            compress_to_fp16=False)

    rows = np.ascontiguousarray(w.T)
    scale = (np.abs(rows).max(1, keepdims=True) / 127).astype(np.float32)
    q = np.clip(np.rint(rows / scale), -127, 127).astype(np.int8)
    save("int8-weights", ops.multiply(ops.convert(ops.constant(q), np.float32),
                                      ops.constant(scale)))
    q4, scale4 = _grouped(w, 4)
    packed = _packed(q4).reshape(-1)  # a name, for the tensor borrows it
    integers = ops.constant(openvino.Tensor(packed, openvino.Shape([n, k // GROUP, GROUP]),
                                            openvino.Type.u4))
    zero = ops.convert(ops.constant(np.full((1, 1, 1), 8, np.uint8)), np.float32)
    weight = ops.multiply(ops.subtract(ops.convert(integers, np.float32), zero),
                          ops.constant(scale4))
    save("uint4-weights", ops.reshape(weight, ops.constant(np.array([n, k], np.int64)), False))


def _write_octet(folder: pathlib.Path, make_bundle: pathlib.Path, w: np.ndarray,
                 b: np.ndarray) -> None:
    k, _ = w.shape
    calibration = folder / "calibration.npy"
    np.save(calibration, inputs(CALIBRATION_ROWS, k))
    for suffix in ("", "-gelu"):
        graph = octet_models.Graph()
        graph.input("x", "FP32", [-1, k])
        y = graph.add("FullyConnected",
                      ["x", graph.constant("w", w), "", "", graph.constant("b", b)], "dense")
        if suffix:
            y = graph.add("Activation", [y], "gelu", activation="gelu")
        graph.save(folder / f"network{suffix}", y)
    for precision, suffix in [("fp32", ""), ("int8-dynamic", ""), ("int8-static", ""),
                              ("int8-weight-only", ""), ("int4", ""), ("int4-group-dynamic", ""),
                              ("int8-dynamic", "-gelu")]:
        octet_models.write_bundle(make_bundle, folder / f"network{suffix}", calibration, precision,
                                  folder / f"{precision}{suffix}")


def _weights(k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(k * 10000 + n)
    return (random.normal(0, 0.05, (k, n)).astype(np.float32),
            random.normal(0, 0.1, n).astype(np.float32))


def _folder_of(k: int, n: int) -> pathlib.Path:
    return cases.MODELS / f"fully-connected-{k}x{n}"


@functools.cache
def _write(k: int, n: int, make_bundle: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Writes all models of a shape where they are not there; returns weights and bias."""
    w, b = _weights(k, n)
    folder = _folder_of(k, n)

    def write_peers() -> None:
        _write_onnxruntime(folder, w, b)
        _write_openvino(folder, w, b)

    cases.write_once(folder, write_peers, __file__, onnx_models.__file__)
    _write_octet(folder, make_bundle, w, b)  # again: the format may have changed
    return w, b


def _gelu(x: np.ndarray) -> np.ndarray:
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (x * 0.5 * (1 + erf(x / math.sqrt(2)))).astype(np.float32)


def _int8(octet, onnxruntime, openvino_) -> list[cases.Contender]:
    return [
        octet("int8-dynamic"),
        octet("int8-static"),
        octet("fp32"),
        onnxruntime("dynamic"),
        onnxruntime("dynamic-per-channel"),
        onnxruntime("qdq"),
        onnxruntime("fp32"),
        openvino_("qdq", "qdq.onnx", "default"),
        openvino_("qdq", "qdq.onnx", "f32"),
        openvino_("int8-weights", "int8-weights.xml", "f32-dq128"),
        openvino_("fp32", "fp32.onnx", "default"),
    ]


def make_cases(make_bundle: pathlib.Path):
    """All cases, shape by shape."""
    for k, n in SHAPES:
        folder = _folder_of(k, n)

        def contender(engine, form, file, variant="", folder=folder):
            tolerance = (FLOAT_TOLERANCE if "fp32" in form else
                         INT4_TOLERANCE if "int4" in form else INT8_TOLERANCE)
            return cases.Contender(engine, form, folder / file, tolerance, variant)

        def octet(form, contender=contender):
            return contender("octet", form, form)

        def onnxruntime(form, contender=contender):
            return contender("onnxruntime", form, f"{form}.onnx")

        def openvino_(form, file, variant, contender=contender):
            return contender("openvino", form, file, variant)

        def case(kind, rows, bits, contenders, k=k, n=n):

            def prepare() -> tuple[np.ndarray, np.ndarray]:
                w, b = _write(k, n, make_bundle)
                x = inputs(rows, k)
                y = x @ w + b
                return x, _gelu(y) if "GELU" in kind else y

            operations = 2 * rows * k * n
            return cases.Case(f"fully connected {kind}, {rows} x {k} x {n}", contenders, prepare,
                              operations, k * n * bits // 8,
                              operations if "weight-only" in kind else 0)

        for rows in ROWS:
            yield case("int8", rows, 8, _int8(octet, onnxruntime, openvino_))
            yield case("int4 with int8 activations", rows, 4, [
                octet("int4-group-dynamic"),
                onnxruntime("int4-level-4"),
                openvino_("int4-weights", "uint4-weights.xml", "default-dq128"),
                openvino_("int4-weights", "uint4-weights.xml", "f32-dq128"),
            ])
        yield case("int8 + GELU", 128, 8, [
            octet("int8-dynamic-gelu"),
            onnxruntime("dynamic-gelu"),
            onnxruntime("dynamic-per-channel-gelu"),
        ])
        for rows in WEIGHT_ONLY_ROWS:
            yield case("int8 weight-only", rows, 8, [
                octet("int8-weight-only"),
                onnxruntime("int8-level-1"),
                openvino_("int8-weights", "int8-weights.xml", "default-dq0"),
            ])
            yield case("int4 weight-only", rows, 4, [
                octet("int4"),
                onnxruntime("int4-level-1"),
                openvino_("int4-weights", "uint4-weights.xml", "default-dq0"),
            ])
