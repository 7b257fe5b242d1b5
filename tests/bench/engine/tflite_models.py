# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite models as its converter writes them: float, int8 with one scale for each channel of
the weights and calibrated ranges of the activations, uint8 as uint8_models.py says, and 16x8 as
int16_models.py does."""
import pathlib

from ai_edge_litert import schema_py_generated as schema
import flatbuffers
import numpy as np

import int16_models
from networks import Layer, Network
import uint8_models

_ACTIVATIONS = {"linear": schema.ActivationFunctionType.NONE,
                "relu": schema.ActivationFunctionType.RELU,
                "relu6": schema.ActivationFunctionType.RELU6}
_VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "ADD": 2,
             "AVERAGE_POOL_2D": 2, "SOFTMAX": 2, "DEQUANTIZE": 2}


class _Writer:

    def __init__(self, network: Network, ranges: dict[str, tuple[float, float]] | None,
                 form: str = "int8"):
        self._network = network
        self._ranges = ranges  # None: a float model
        self._form = form  # "int8", "uint8" or "int16"
        self._graph = schema.SubGraphT()
        self._graph.tensors, self._graph.operators = [], []
        self._buffers = [schema.BufferT()]  # the first is empty by definition
        self._codes: dict[str, int] = {}
        self._tensors: dict[str, int] = {}

    def write(self, path: pathlib.Path) -> None:
        network = self._network
        x = self._tensor("input", network.input_shape, schema.TensorType.FLOAT32)
        y = self._tensor("output", network.layers[-1].shape, schema.TensorType.FLOAT32)
        if self._ranges is None:
            self._tensors |= {"x": x, network.output: y}
        else:
            self._activation("x", network.input_shape)
            self._operator("QUANTIZE", [x], [self._tensors["x"]])
        for layer in network.layers:
            if layer.name not in self._tensors:
                self._activation(layer.name, layer.shape)
            self._layer(layer)
        if self._ranges is not None:
            self._operator("DEQUANTIZE", [self._tensors[network.output]], [y])
        self._graph.inputs, self._graph.outputs = [x], [y]
        self._save(path)

    def _save(self, path: pathlib.Path) -> None:
        model = schema.ModelT()
        model.version = 3
        model.subgraphs = [self._graph]
        model.buffers = self._buffers
        model.operatorCodes = []
        for name in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = code.deprecatedBuiltinCode = getattr(schema.BuiltinOperator, name)
            code.version = _VERSIONS.get(name, 1)
            model.operatorCodes.append(code)
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(model.Pack(builder), b"TFL3")
        path.write_bytes(builder.Output())

    def _tensor(self, name: str, shape: list[int], type_: int, scale=None, zero_point=0, axis=0,
                data: np.ndarray | None = None) -> int:
        """`shape` without the rows, of which there is one; a constant's is its data's."""
        tensor = schema.TensorT()
        tensor.name = name
        tensor.type = type_
        tensor.shape = [1, *shape] if data is None else list(data.shape)
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(data.tobytes(), np.uint8)
            tensor.buffer = len(self._buffers)
            self._buffers.append(buffer)
        if scale is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            quantization.zeroPoint = np.full(quantization.scale.shape, zero_point, np.int64)
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _quantization(self, name: str) -> uint8_models.Quantization:
        """Of an activation, in uint8."""
        return uint8_models.Quantization.of_range(*self._ranges[name])

    def _activation(self, name: str, shape: list[int]) -> None:
        if self._ranges is None:
            self._tensors[name] = self._tensor(name, shape, schema.TensorType.FLOAT32)
        elif self._form == "int16":
            self._tensors[name] = self._tensor(name, shape, schema.TensorType.INT16,
                                               self._int16_scale(name))
        else:
            of = self._quantization(name)
            is_uint8 = self._form == "uint8"
            type_ = schema.TensorType.UINT8 if is_uint8 else schema.TensorType.INT8
            self._tensors[name] = self._tensor(name, shape, type_, of.scale,
                                               of.zero_point - (0 if is_uint8 else 128))

    def _int16_scale(self, name: str) -> float:
        if any(layer.name == name and layer.kind == "softmax" for layer in self._network.layers):
            return int16_models.SOFTMAX_SCALE
        return int16_models.scale_of(*self._ranges[name])

    def _weights(self, layer: Layer, permutation: tuple[int, ...], axis: int) -> list[int]:
        """The weights, their dimensions permuted, and the bias; the output channels are then the
        dimension `axis`."""
        w = np.ascontiguousarray(layer.w.transpose(permutation))
        if self._form == "int16":
            weights = int16_models.Weights.of_layer(layer, self._int16_scale(layer.inputs[0]))
            return [self._tensor(f"{layer.name}.w", [], schema.TensorType.INT8, weights.scale,
                                 axis=axis,
                                 data=np.ascontiguousarray(weights.w.transpose(permutation))),
                    self._tensor(f"{layer.name}.b", [], schema.TensorType.INT64,
                                 weights.bias_scale, data=weights.b)]
        if self._form == "uint8":
            weights = uint8_models.Weights.of_layer(layer, self._quantization(layer.inputs[0]))
            return [self._tensor(f"{layer.name}.w", [], schema.TensorType.UINT8,
                                 weights.quantization.scale, weights.quantization.zero_point,
                                 data=np.ascontiguousarray(weights.w.transpose(permutation))),
                    self._tensor(f"{layer.name}.b", [], schema.TensorType.INT32,
                                 weights.bias_scale, data=weights.b)]
        if self._ranges is None:
            return [self._tensor(f"{layer.name}.w", [], schema.TensorType.FLOAT32, data=w),
                    self._tensor(f"{layer.name}.b", [], schema.TensorType.FLOAT32, data=layer.b)]
        others = tuple(i for i in range(w.ndim) if i != axis)
        scale = (np.abs(w).max(others, keepdims=True) / 127).astype(np.float32)
        q = np.clip(np.rint(w / scale), -127, 127).astype(np.int8)
        bias_scale = scale.reshape(-1) * np.float32(self._quantization(layer.inputs[0]).scale)
        bias = np.rint(layer.b / bias_scale).astype(np.int32)
        return [self._tensor(f"{layer.name}.w", [], schema.TensorType.INT8, scale.reshape(-1),
                             axis=axis, data=q),
                self._tensor(f"{layer.name}.b", [], schema.TensorType.INT32, bias_scale, data=bias)]

    def _operator(self, name: str, inputs: list[int], outputs: list[int], options=None,
                  options_name: str = "NONE", **values) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._codes.setdefault(name, len(self._codes))
        operator.inputs, operator.outputs = inputs, outputs
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_name)
        operator.builtinOptions = options
        for key, value in values.items():
            assert hasattr(options, key), key
            setattr(options, key, value)
        self._graph.operators.append(operator)

    def _layer(self, layer: Layer) -> None:
        inputs = [self._tensors[name] for name in layer.inputs]
        outputs = [self._tensors[layer.name]]
        activation = {"fusedActivationFunction": _ACTIVATIONS[layer.activation]}
        window = {"padding": schema.Padding.SAME, "strideH": layer.strides[0],
                  "strideW": layer.strides[1]}
        if layer.kind == "conv":
            weights = self._weights(layer, (3, 0, 1, 2), 0)
            self._operator("CONV_2D", inputs + weights, outputs, schema.Conv2DOptionsT(),
                           "Conv2DOptions", dilationHFactor=1, dilationWFactor=1, **window,
                           **activation)
        elif layer.kind == "depthwise":
            weights = self._weights(layer, (3, 0, 1, 2), 3)
            self._operator("DEPTHWISE_CONV_2D", inputs + weights, outputs,
                           schema.DepthwiseConv2DOptionsT(), "DepthwiseConv2DOptions",
                           depthMultiplier=1, dilationHFactor=1, dilationWFactor=1, **window,
                           **activation)
        elif layer.kind == "dense":
            weights = self._weights(layer, (1, 0), 0)
            self._operator("FULLY_CONNECTED", inputs + weights, outputs,
                           schema.FullyConnectedOptionsT(), "FullyConnectedOptions", **activation)
        elif layer.kind == "add":
            self._operator("ADD", inputs, outputs, schema.AddOptionsT(), "AddOptions", **activation)
        elif layer.kind == "average_pool":
            height, width = self._graph.tensors[inputs[0]].shape[1:3]
            self._operator("AVERAGE_POOL_2D", inputs, outputs, schema.Pool2DOptionsT(),
                           "Pool2DOptions", padding=schema.Padding.VALID, strideH=height,
                           strideW=width, filterHeight=height, filterWidth=width, **activation)
        elif layer.kind == "flatten":
            shape = self._tensor(f"{layer.name}.shape", [], schema.TensorType.INT32,
                                 data=np.array([1, *layer.shape], np.int32))
            self._operator("RESHAPE", [*inputs, shape], outputs)
        else:
            assert layer.kind == "softmax"
            self._operator("SOFTMAX", inputs, outputs, schema.SoftmaxOptionsT(), "SoftmaxOptions",
                           beta=1.0)


def write_float(network: Network, path: pathlib.Path) -> None:
    _Writer(network, None).write(path)


def activation_ranges(network: Network, calibration: np.ndarray) -> dict[str, tuple[float, float]]:
    """Of the rows of `calibration`."""
    ranges = {name: (float(value.min()), float(value.max()))
              for name, value in network.values(calibration).items()}
    for layer in network.layers:
        if layer.kind in ("average_pool", "flatten"):  # share their input's quantization
            ranges[layer.name] = ranges[layer.inputs[0]]
        elif layer.kind == "softmax":
            ranges[layer.name] = (0.0, 255 / 256)  # scale 1 / 256
    return ranges


def write_int8(network: Network, ranges: dict[str, tuple[float, float]],
               path: pathlib.Path) -> None:
    _Writer(network, ranges).write(path)


def write_uint8(network: Network, ranges: dict[str, tuple[float, float]],
                path: pathlib.Path) -> None:
    _Writer(network, ranges, "uint8").write(path)


def write_int16(network: Network, ranges: dict[str, tuple[float, float]],
                path: pathlib.Path) -> None:
    _Writer(network, ranges, "int16").write(path)
