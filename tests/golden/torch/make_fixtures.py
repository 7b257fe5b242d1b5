# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with real PyTorch and torchao: small modules as ONNX graphs in floats, their
state dicts as torchao quantizes and saves them, and what the quantized modules answer.

    make_fixtures.py [FOLDER]

MODULE.EXPORTER.onnx, MODULE.x.npy, MODULE.KIND.safetensors and MODULE.KIND.y.npy. It wants
tests/golden/onnx/requirements.txt installed.
"""

import copy
import logging
import pathlib
import sys
import warnings

import numpy as np
import safetensors.torch
import torch
import torch.nn.functional as F
from torch import nn
from torchao.prototype.safetensors.safetensors_support import flatten_tensor_state_dict
from torchao.prototype.smoothquant import SmoothQuantConfig
from torchao.quantization import (Int8DynamicActivationInt8WeightConfig,
                                  Int8DynamicActivationIntxWeightConfig,
                                  Int8StaticActivationInt8WeightConfig, Int8WeightOnlyConfig,
                                  IntxWeightOnlyConfig, MappingType, PerAxis, PerGroup, PerRow,
                                  PerTensor, quantize_)
from torchao.quantization.quant_primitives import choose_qparams_affine
from torchao.quantization.quantize_.common.quantization_step import QuantizationStep

import int8_symmetric

FOLDER = pathlib.Path(__file__).resolve().parent


class Toy(nn.Module):
    """64 to 128 to 32, without biases."""

    def __init__(self):
        super().__init__()
        self.linear1 = nn.Linear(64, 128, bias=False)
        self.linear2 = nn.Linear(128, 32, bias=False)

    def forward(self, x):
        return self.linear2(self.linear1(x))


class Classifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))
        self.register_buffer("calls", torch.tensor(3))  # not in the graph

    def forward(self, x):
        return self.layers(x)


class Joined(nn.Module):
    """One weight for three projections, taken apart in each call."""

    def __init__(self):
        super().__init__()
        self.projection = nn.Linear(32, 96, bias=False)

    def forward(self, x):
        query, key, value = (F.linear(x, self.projection.weight[i:i + 32]) for i in (0, 32, 64))
        return query * torch.sigmoid(key) + value


MODULES = {
    "toy": (Toy, (3, 4, 64)),
    "classifier": (Classifier, (5, 32)),
    "joined": (Joined, (2, 3, 32)),
}
CONFIGURATIONS = {
    "weight_only_row": Int8WeightOnlyConfig(version=2, granularity=PerRow()),
    "weight_only_tensor": Int8WeightOnlyConfig(version=2, granularity=PerTensor()),
    "weight_only_group": Int8WeightOnlyConfig(version=2, granularity=PerGroup(16)),
    "dynamic_row": Int8DynamicActivationInt8WeightConfig(version=2, granularity=PerRow()),
    "int4_group": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerGroup(32)),
    "int4_row": IntxWeightOnlyConfig(weight_dtype=torch.int4, granularity=PerAxis(0)),
    "dynamic_asymmetric": Int8DynamicActivationInt8WeightConfig(
        version=2, granularity=PerRow(), act_mapping_type=MappingType.ASYMMETRIC),
    "dynamic_reduced": Int8DynamicActivationInt8WeightConfig(
        version=2, granularity=PerRow(), reduce_range=True),
    "intx_row": Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int8, weight_granularity=PerAxis(0),
        weight_mapping_type=MappingType.ASYMMETRIC),
    "intx_group": Int8DynamicActivationIntxWeightConfig(
        weight_dtype=torch.int4, weight_granularity=PerGroup(16)),
}
# Activations with a scale of their own: how it is found in what a layer is given, and whether in
# seven bits.
STATIC = {
    "static": (MappingType.SYMMETRIC, False),
    "static_asymmetric": (MappingType.ASYMMETRIC, False),
    "static_reduced": (MappingType.ASYMMETRIC, True),
}
# Rows that are multiplied with factors first.
SMOOTHED = {
    "smooth_dynamic": Int8DynamicActivationInt8WeightConfig(version=2, granularity=PerRow()),
    "smooth_static": Int8StaticActivationInt8WeightConfig(granularity=[PerTensor(), PerRow()]),
}


def linears(module):
    """The Linear layers by name."""
    return {name: part for name, part in module.named_modules() if isinstance(part, nn.Linear)}


def calibrated(module, x, mapping, is_reduced):
    """`module` with what torchao makes of the ranges that its layers see, of those of `x` where a
    layer is not called as such."""
    seen = {}
    handles = [layer.register_forward_hook(lambda layer, inputs, _, name=name:
                                           seen.update({name: inputs[0]}))
               for name, layer in linears(module).items()]
    module(x)
    for handle in handles:
        handle.remove()
    quantized = copy.deepcopy(module)
    for name, layer in linears(quantized).items():
        given = seen.get(name, x)
        bounds = (-64, 63) if is_reduced else (-128, 127)
        # A part of the range is cut off.
        scale, zero_point = choose_qparams_affine(
            given * 0.9, mapping, given.shape, torch.int8, *bounds,
            eps=torch.finfo(torch.float32).eps, zero_point_dtype=torch.int8, keepdim=True)
        quantize_(layer, Int8StaticActivationInt8WeightConfig(
            act_quant_scale=scale, granularity=[PerTensor(), PerRow()], act_mapping_type=mapping,
            act_quant_zero_point=zero_point if mapping == MappingType.ASYMMETRIC else None,
            reduce_range=is_reduced))
    return quantized


def smoothed(module, x, base):
    """`module` with the factors that SmoothQuant finds on `x`."""
    quantized = copy.deepcopy(module)
    quantize_(quantized, SmoothQuantConfig(base, QuantizationStep.PREPARE))
    quantized(x)
    quantize_(quantized, SmoothQuantConfig(base, QuantizationStep.CONVERT))
    return quantized


def save_quantized(folder, name, quantized, x):
    tensors, metadata = flatten_tensor_state_dict(quantized.state_dict())
    save(folder, name, tensors, quantized(x), metadata)


def save(folder, name, tensors, y, metadata=None):
    tensors = {key: value.contiguous() for key, value in tensors.items()}
    safetensors.torch.save_file(tensors, folder / f"{name}.safetensors", metadata=metadata)
    np.save(folder / f"{name}.y.npy", y.detach().numpy())


def export(folder, name, module, x):
    axes = {"x": {0: "n"}}
    torch.onnx.export(module, (x,), folder / f"{name}.script.onnx", dynamo=False,
                      do_constant_folding=False, input_names=["x"], output_names=["y"],
                      dynamic_axes=axes, opset_version=17)
    torch.onnx.export(module, (x,), folder / f"{name}.dynamo.onnx", dynamo=True, optimize=False,
                      external_data=False, input_names=["x"], output_names=["y"],
                      dynamic_shapes={"x": {0: "n"}}, opset_version=18)


def write_module(folder, name, make, dims):
    torch.manual_seed(sum(map(ord, name)))
    module = make().eval()
    x = torch.randn(*dims)
    np.save(folder / f"{name}.x.npy", x.numpy())
    export(folder, name, module, x[:2])
    # Other weights than those of the graph.
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn_like(parameter) / parameter.shape[-1]**0.5)
    save(folder, f"{name}.float", module.state_dict(), module(x))
    for kind, configuration in CONFIGURATIONS.items():
        quantized = copy.deepcopy(module)
        quantize_(quantized, configuration)
        save_quantized(folder, f"{name}.{kind}", quantized, x)
    for kind, (mapping, is_reduced) in STATIC.items():
        save_quantized(folder, f"{name}.{kind}", calibrated(module, x, mapping, is_reduced), x)
    if name != "joined":  # its layer is not called
        for kind, base in SMOOTHED.items():
            save_quantized(folder, f"{name}.{kind}", smoothed(module, x, base), x)
    write_symmetric(folder, name, module, x)


def write_symmetric(folder, name, module, x):
    """Both forms of one quantization, whose answers are the same; the parts that the tensors are
    flattened to."""
    tensors = int8_symmetric.with_tensors(copy.deepcopy(module))
    y = tensors(x)
    if name != "joined":  # its layer is not called: there is none to be put in its place
        layers = int8_symmetric.with_layers(copy.deepcopy(module))
        torch.testing.assert_close(layers(x), y, rtol=0, atol=1e-6 * y.abs().max().item())
        y = layers(x)
    state_dict = tensors.state_dict()
    weights = [value for value in state_dict.values()
               if isinstance(value, int8_symmetric.Int8SymmetricTensor)]
    assert weights and all(int8_symmetric.says_what_it_cannot(weight) for weight in weights)
    save(folder, f"{name}.symmetric", int8_symmetric.flattened(state_dict), y)


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    with torch.no_grad():
        for name, (make, dims) in MODULES.items():
            write_module(folder, name, make, dims)


if __name__ == "__main__":
    main()
