# SPDX-License-Identifier: Apache-2.0
"""Small TensorFlow Lite models, written with the format's own schema as LiteRT ships it."""

import ai_edge_litert.schema_py_generated as schema
import flatbuffers
import numpy as np

TYPES = {"float32": schema.TensorType.FLOAT32, "float16": schema.TensorType.FLOAT16,
         "int8": schema.TensorType.INT8, "uint8": schema.TensorType.UINT8,
         "int16": schema.TensorType.INT16, "int32": schema.TensorType.INT32,
         "int64": schema.TensorType.INT64, "bool": schema.TensorType.BOOL,
         "int4": schema.TensorType.INT4}
ACTIVATIONS = {"": schema.ActivationFunctionType.NONE, "relu": schema.ActivationFunctionType.RELU,
               "relu_n1_to_1": schema.ActivationFunctionType.RELU_N1_TO_1,
               "relu6": schema.ActivationFunctionType.RELU6,
               "tanh": schema.ActivationFunctionType.TANH}
# The newest version of each operator that has one above 1, for int8.
VERSIONS = {"CONV_2D": 3, "DEPTHWISE_CONV_2D": 3, "FULLY_CONNECTED": 4, "ADD": 2, "MUL": 2,
            "SUB": 2, "AVERAGE_POOL_2D": 2, "MAX_POOL_2D": 2, "SOFTMAX": 2, "DEQUANTIZE": 2,
            "QUANTIZE": 2, "LOGISTIC": 2, "TANH": 2, "CONCATENATION": 2, "PAD": 2, "PADV2": 2,
            "MEAN": 2, "TRANSPOSE": 2, "SLICE": 2, "STRIDED_SLICE": 2, "SPLIT": 2, "RELU": 2,
            "RELU6": 2, "MAXIMUM": 2, "MINIMUM": 2, "LEAKY_RELU": 2, "LOG_SOFTMAX": 2,
            "REDUCE_MAX": 2, "REDUCE_MIN": 2, "BATCH_MATMUL": 2, "RESIZE_NEAREST_NEIGHBOR": 2}


class Model:
    """One subgraph. Tensors are numbers, as the file has them."""

    def __init__(self, rng: np.random.Generator | None = None):
        self.rng = rng or np.random.default_rng(11)
        self.graph = schema.SubGraphT()
        self.graph.tensors, self.graph.operators = [], []
        self.graph.inputs, self.graph.outputs = [], []
        self.model = schema.ModelT()
        self.model.version = 3
        self.model.subgraphs = [self.graph]
        self.model.buffers = [schema.BufferT()]  # the first is empty by definition
        self.model.operatorCodes = []

    def tensor(self, dtype: str, shape, scale=None, zero_point=0, axis=0, data=None,
               name: str = "", signature=None) -> int:
        tensor = schema.TensorT()
        tensor.name = name or f"t{len(self.graph.tensors)}"
        tensor.type = TYPES[dtype]
        tensor.shape = list(shape)
        tensor.shapeSignature = signature
        tensor.buffer = 0
        if data is not None:
            buffer = schema.BufferT()
            buffer.data = np.frombuffer(np.ascontiguousarray(data).tobytes(), np.uint8)
            tensor.buffer = len(self.model.buffers)
            self.model.buffers.append(buffer)
        if scale is not None:
            quantization = schema.QuantizationParametersT()
            quantization.scale = np.atleast_1d(np.asarray(scale, np.float32))
            quantization.zeroPoint = np.broadcast_to(
                np.asarray(zero_point, np.int64), quantization.scale.shape).copy()
            quantization.quantizedDimension = axis
            tensor.quantization = quantization
        self.graph.tensors.append(tensor)
        return len(self.graph.tensors) - 1

    def constant(self, data: np.ndarray, scale=None, zero_point=0, axis=0, name: str = "") -> int:
        return self.tensor(data.dtype.name, data.shape, scale, zero_point, axis, data, name)

    def int4(self, data: np.ndarray, scale, axis=0) -> int:
        """A constant of int8 values from -8 to 7, two to a byte."""
        nibbles = data.reshape(-1).view(np.uint8) & 0xF
        nibbles = np.append(nibbles, np.zeros(nibbles.size % 2, np.uint8))
        return self.tensor("int4", data.shape, scale, 0, axis, nibbles[::2] | nibbles[1::2] << 4)

    def input(self, dtype: str, shape, scale=None, zero_point=0, name="x", **options) -> int:
        index = self.tensor(dtype, shape, scale, zero_point, name=name, **options)
        self.graph.inputs.append(index)
        return index

    def operator(self, name: str, inputs, outputs, options=None, options_name: str = "NONE",
                 **values) -> None:
        operator = schema.OperatorT()
        code = getattr(schema.BuiltinOperator, name)
        codes = [entry.builtinCode for entry in self.model.operatorCodes]
        if code not in codes:
            entry = schema.OperatorCodeT()
            entry.builtinCode = code
            entry.deprecatedBuiltinCode = min(code, 127)
            entry.version = VERSIONS.get(name, 1)
            self.model.operatorCodes.append(entry)
            codes.append(code)
        operator.opcodeIndex = codes.index(code)
        operator.inputs, operator.outputs = list(inputs), list(outputs)
        operator.builtinOptionsType = getattr(schema.BuiltinOptions, options_name)
        operator.builtinOptions = options
        for key, value in values.items():
            assert hasattr(options, key), key
            setattr(options, key, value)
        self.graph.operators.append(operator)

    def add(self, name: str, inputs, output: dict, options_name: str = "", **values) -> int:
        """An operator with one output, described as for tensor(); options by their name."""
        out = self.tensor(**output)
        options = getattr(schema, options_name + "T")() if options_name else None
        self.operator(name, inputs, [out], options, options_name or "NONE", **values)
        return out

    def weights(self, dtype: str, shape, x_scale, axis: int | None, channels: int):
        """Weights and bias as the tensors of a float model, of an int8 or int16 one with a scale for
        each index of `axis` (None: one for all), or of a uint8 one."""
        bias = self.rng.standard_normal(channels).astype(np.float32)
        if dtype == "float32":
            w = self.rng.standard_normal(shape).astype(np.float32)
            return self.constant(w / np.float32(np.sqrt(w[0].size))), self.constant(bias)
        count = 1 if axis is None else shape[axis]
        scale = self.rng.uniform(0.002, 0.02, count).astype(np.float32)
        low, zero_point = (0, 119) if dtype == "uint8" else (-127, 0)
        q = self.rng.integers(low, low + 255, shape).astype(dtype.replace("int16", "int8"))
        bias_scale = scale * np.float32(x_scale)
        b = np.rint(bias / bias_scale).astype(np.int64 if dtype == "int16" else np.int32)
        return (self.constant(q, scale, zero_point, axis or 0),
                self.constant(b, bias_scale, 0, 0))

    def finish(self, *outputs: int) -> bytes:
        self.graph.outputs = list(outputs)
        builder = flatbuffers.Builder(1 << 16)
        builder.Finish(self.model.Pack(builder), b"TFL3")
        return bytes(builder.Output())
