# SPDX-License-Identifier: Apache-2.0
"""What a step costs apart from its arithmetic: a chain of additions of a few floats."""
import functools
import pathlib

import numpy as np
from onnx import TensorProto

import cases
import octet_models
import onnx_models

STEPS = 256
WIDTH = 8
TOLERANCE = 1e-6
_FOLDER = cases.MODELS / "step-cost"


def _add_steps(graph: octet_models.Graph | onnx_models.Graph) -> str:
    """The input is added again and again; the last sum's name."""
    y = "x"
    for i in range(STEPS):
        y = graph.add("Add", [y, "x"], f"sum{i}")
    return y


def _write_peers() -> None:
    graph = onnx_models.Graph()
    y = _add_steps(graph)
    graph.save(_FOLDER / "fp32.onnx", ("x", TensorProto.FLOAT, ["rows", WIDTH]),
               (y, TensorProto.FLOAT, ["rows", WIDTH]))


def _write(make_bundle: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    cases.write_once(_FOLDER, _write_peers, __file__, onnx_models.__file__)
    x = np.arange(1, WIDTH + 1, dtype=np.float32).reshape(1, WIDTH)
    np.save(_FOLDER / "calibration.npy", x)
    graph = octet_models.Graph()
    graph.input("x", "FP32", [-1, WIDTH])
    graph.save(_FOLDER / "network", _add_steps(graph))
    octet_models.write_bundle(make_bundle, _FOLDER / "network", _FOLDER / "calibration.npy", "fp32",
                              _FOLDER / "fp32")
    return x, x * (STEPS + 1)


def make_cases(make_bundle: pathlib.Path):
    """The one case; OpenVINO is not in it: of a known shape it compiles the chain to one step."""
    yield cases.Case("cost of a step", [
        cases.Contender("octet", "fp32", _FOLDER / "fp32", TOLERANCE),
        cases.Contender("onnxruntime", "fp32", _FOLDER / "fp32.onnx", TOLERANCE),
    ], functools.partial(_write, make_bundle), operations=0, weight_bytes=0, num_parts=STEPS)
