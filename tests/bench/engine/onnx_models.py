# SPDX-License-Identifier: Apache-2.0
"""ONNX models as exporters write them, and the forms that ONNX Runtime quantizes them to."""
import logging
import math
import pathlib

import numpy as np
import onnx
from onnx import helper, numpy_helper
from onnxruntime.quantization import (CalibrationDataReader, QuantFormat, QuantType,
                                      quantize_dynamic, quantize_static)

logging.disable(logging.WARNING)  # onnxruntime.quantization advises against what is meant here


class Graph:
    """Nodes and constants in the order they are added; every value is one string."""

    def __init__(self):
        self._nodes = []
        self._constants = []
        self._domains = {"": 20}

    def constant(self, name: str, value) -> str:
        self._constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, op: str, inputs: list[str], output: str, domain: str = "", **attributes) -> str:
        self._nodes.append(helper.make_node(op, inputs, [output], domain=domain, **attributes))
        if domain:
            self._domains[domain] = 1
        return output

    def gelu(self, x: str, output: str) -> str:
        """x * (1 + erf(x / sqrt(2))) * 0.5, node by node."""
        root = self.constant(f"{output}.root", np.float32(math.sqrt(2)))
        one = self.constant(f"{output}.one", np.float32(1))
        half = self.constant(f"{output}.half", np.float32(0.5))
        scaled = self.add("Div", [x, root], f"{output}.scaled")
        erf = self.add("Erf", [scaled], f"{output}.erf")
        product = self.add("Mul", [x, self.add("Add", [erf, one], f"{output}.erf1")],
                           f"{output}.product")
        return self.add("Mul", [product, half], output)

    def save(self, path: pathlib.Path, input_, output) -> None:
        """`input_` and `output` are (name, element type, shape)."""
        graph = helper.make_graph(self._nodes, "network",
                                  [helper.make_tensor_value_info(*input_)],
                                  [helper.make_tensor_value_info(*output)], self._constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid(*entry) for entry in self._domains.items()])
        model.ir_version = 9
        onnx.checker.check_model(model)
        onnx.save(model, str(path))


class _Calibration(CalibrationDataReader):

    def __init__(self, batch: dict[str, np.ndarray]):
        self._batches = iter([batch])

    def get_next(self):
        return next(self._batches, None)


def write_dynamic(source: pathlib.Path, target: pathlib.Path, per_channel: bool) -> None:
    """int8 weights, activations quantized at run time: one scale for a tensor."""
    quantize_dynamic(source, target, weight_type=QuantType.QInt8, per_channel=per_channel)


def write_qdq(source: pathlib.Path, target: pathlib.Path, batch: dict[str, np.ndarray]) -> None:
    """int8 weights per channel, uint8 activations of calibrated ranges."""
    quantize_static(source, target, _Calibration(batch), quant_format=QuantFormat.QDQ,
                    op_types_to_quantize=["MatMul"], activation_type=QuantType.QUInt8,
                    weight_type=QuantType.QInt8, per_channel=True)
