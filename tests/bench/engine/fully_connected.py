# SPDX-License-Identifier: Apache-2.0
"""Fully connected layers: y = x w + b, and with GELU behind it, in int8 and 4 bits."""
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
GROUP = 128
CALIBRATION_ROWS = 32
# Rounding of 8 and of 4 bits; bfloat16's is less than that of 8 bits.
INT8_TOLERANCE = 0.02
INT4_TOLERANCE = 0.14
FLOAT_TOLERANCE = 0.005


def inputs(rows: int, k: int) -> np.ndarray:
    return np.sin(np.arange(rows * k, dtype=np.float32) * 0.37).reshape(rows, k)


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
    grouped = w.T.reshape(n, k // GROUP, GROUP)
    scale = (np.abs(grouped).max(2) / 7).astype(np.float32)
    q = (np.clip(np.rint(grouped / scale[..., None]), -8, 7) + 8).astype(np.uint8)
    graph = onnx_models.Graph()
    weights = graph.constant("w", q[..., 0::2] | (q[..., 1::2] << 4))
    graph.add("MatMulNBits", ["x", weights, graph.constant("scale", scale.reshape(-1)), "", "",
                              graph.constant("b", b)], "y", "com.microsoft",
              K=k, N=n, bits=4, block_size=GROUP, accuracy_level=4)
    graph.save(folder / "int4.onnx", input_, output)


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
    grouped = rows.reshape(n, k // GROUP, GROUP)
    scale4 = (np.abs(grouped).max(2, keepdims=True) / 7).astype(np.float32)
    q4 = (np.clip(np.rint(grouped / scale4), -8, 7) + 8).astype(np.uint8).reshape(-1)
    packed = ops.constant(openvino.Tensor(np.ascontiguousarray(q4[0::2] | (q4[1::2] << 4)),
                                          openvino.Shape([n, k // GROUP, GROUP]),
                                          openvino.Type.u4))
    zero = ops.convert(ops.constant(np.full((1, 1, 1), 8, np.uint8)), np.float32)
    weight = ops.multiply(ops.subtract(ops.convert(packed, np.float32), zero),
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
    for precision, suffix, bundle in [
        ("fp32", "", "fp32"),
        ("int8-dynamic", "", "int8-dynamic"),
        ("int8-static", "", "int8-static"),
        ("int4-group-dynamic", "", "int4"),
        ("int8-dynamic", "-gelu", "int8-dynamic-gelu"),
    ]:
        octet_models.write_bundle(make_bundle, folder / f"network{suffix}", calibration, precision,
                                  folder / bundle)


def _weights(k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(k * 10000 + n)
    return (random.normal(0, 0.05, (k, n)).astype(np.float32),
            random.normal(0, 0.1, n).astype(np.float32))


def _folder(w: np.ndarray, b: np.ndarray, make_bundle: pathlib.Path) -> pathlib.Path:
    """The folder of all models with these weights, written where it is not there."""
    k, n = w.shape
    folder = cases.MODELS / f"fully-connected-{k}x{n}"
    if not cases.ready(folder):
        folder.mkdir(parents=True, exist_ok=True)
        _write_onnxruntime(folder, w, b)
        _write_openvino(folder, w, b)
        cases.complete(folder)
    _write_octet(folder, make_bundle, w, b)  # again: the format may have changed
    return folder


def _gelu(x: np.ndarray) -> np.ndarray:
    erf = np.vectorize(math.erf, otypes=[np.float64])
    return (x * 0.5 * (1 + erf(x / math.sqrt(2)))).astype(np.float32)


def make_cases(make_bundle: pathlib.Path):
    """All cases, shape by shape."""
    for k, n in SHAPES:
        w, b = _weights(k, n)
        folder = _folder(w, b, make_bundle)

        def case(kind, rows, bits, contenders, expected=None, x=None, w=w, k=k, n=n):
            x = inputs(rows, k) if x is None else x
            expected = x @ w + b if expected is None else expected
            return cases.Case(f"fully connected {kind}, {rows} x {k} x {n}", x, expected,
                              contenders, 2 * rows * k * n, k * n * bits // 8)

        def octet(form, tolerance, folder=folder):
            return cases.Contender("octet", form, folder / form, tolerance)

        def onnxruntime(form, tolerance, folder=folder):
            return cases.Contender("onnxruntime", form, folder / f"{form}.onnx", tolerance)

        def openvino_(form, file, variant, tolerance, folder=folder):
            return cases.Contender("openvino", form, folder / file, tolerance, variant)

        for rows in ROWS:
            yield case("int8", rows, 8, [
                octet("int8-dynamic", INT8_TOLERANCE),
                octet("int8-static", INT8_TOLERANCE),
                octet("fp32", FLOAT_TOLERANCE),
                onnxruntime("dynamic", INT8_TOLERANCE),
                onnxruntime("dynamic-per-channel", INT8_TOLERANCE),
                onnxruntime("qdq", INT8_TOLERANCE),
                onnxruntime("fp32", FLOAT_TOLERANCE),
                openvino_("qdq", "qdq.onnx", "default", INT8_TOLERANCE),
                openvino_("qdq", "qdq.onnx", "f32", INT8_TOLERANCE),
                openvino_("int8-weights", "int8-weights.xml", "f32-dq128", INT8_TOLERANCE),
                openvino_("fp32", "fp32.onnx", "default", FLOAT_TOLERANCE),
            ])
            yield case("4 bits in groups of 128", rows, 4, [
                octet("int4", INT4_TOLERANCE),
                onnxruntime("int4", INT4_TOLERANCE),
                openvino_("uint4-weights", "uint4-weights.xml", "f32-dq128", INT4_TOLERANCE),
            ])
        x = inputs(128, k)
        yield case("int8 + GELU", 128, 8, [
            octet("int8-dynamic-gelu", INT8_TOLERANCE),
            onnxruntime("dynamic-gelu", INT8_TOLERANCE),
            onnxruntime("dynamic-per-channel-gelu", INT8_TOLERANCE),
        ], expected=_gelu(x @ w + b), x=x)
