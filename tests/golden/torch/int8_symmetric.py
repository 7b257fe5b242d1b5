# SPDX-License-Identifier: Apache-2.0
"""int8 weights with a scale for each row (127.5 steps to the largest number), in the two forms that
PyTorch has for them: a layer in the place of Linear, and a tensor in the place of its weight."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.utils._python_dispatch import return_and_correct_aliasing

aten = torch.ops.aten


def quantize(weight):
    """The integers, and the scales [rows, 1]."""
    largest = torch.maximum(-weight.amin(1).clamp(max=0), weight.amax(1).clamp(min=0))
    scale = (largest / 127.5)[:, None]
    return (weight * (1 / scale)).round().clamp(-128, 127).to(torch.int8), scale


class QuantizedLinear(nn.Module):
    def __init__(self, linear):
        super().__init__()
        integers, scale = quantize(linear.weight)
        self.register_buffer("integers", integers)
        self.register_buffer("scale", scale)
        self.bias = linear.bias

    def forward(self, x):
        y = torch.matmul(x, self.integers.t().to(x.dtype)) * self.scale.t()
        return y if self.bias is None else y + self.bias


def with_layers(module):
    """`module` with QuantizedLinear in the place of each Linear."""
    for name, child in module.named_children():
        setattr(module, name,
                QuantizedLinear(child) if isinstance(child, nn.Linear) else with_layers(child))
    return module


class Int8SymmetricTensor(torch.Tensor):
    """int_data: int8 [m, n]. scale: float32 [m, 1], or [1, n] where it is transposed."""

    @staticmethod
    def __new__(cls, int_data, scale):
        return torch.Tensor._make_wrapper_subclass(cls, int_data.shape, strides=int_data.stride(),
                                                   storage_offset=int_data.storage_offset(),
                                                   dtype=scale.dtype, device=int_data.device)

    def __init__(self, int_data, scale):
        self.int_data, self.scale = int_data, scale

    def __repr__(self):
        return f"Int8SymmetricTensor({self.int_data}, {self.scale})"

    def __tensor_flatten__(self):
        return ["int_data", "scale"], None

    @classmethod
    def __tensor_unflatten__(cls, tensors, metadata, outer_size=None, outer_stride=None):
        return cls(tensors["int_data"], tensors["scale"])

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        if func not in OPERATORS:
            raise NotImplementedError(f"Int8SymmetricTensor does not know {func}")
        return OPERATORS[func](func, args, kwargs or {})


def of_both(func, args, kwargs):
    """A view of the integers is the same view of their scales."""
    given, *rest = args
    result = Int8SymmetricTensor(func(given.int_data, *rest), func(given.scale, *rest))
    return return_and_correct_aliasing(func, args, kwargs, result)


def part(func, args, kwargs):
    given, axis, *rest = args
    scale = given.scale if given.scale.shape[axis] == 1 else func(given.scale, axis, *rest)
    result = Int8SymmetricTensor(func(given.int_data, axis, *rest), scale)
    return return_and_correct_aliasing(func, args, kwargs, result)


def product(func, args, kwargs):
    x, weight = args[-2:]
    if isinstance(x, Int8SymmetricTensor) or weight.scale.shape[0] != 1:
        raise NotImplementedError("a product whose sums run over unlike scales")
    y = torch.mm(x, weight.int_data.to(x.dtype)) * weight.scale
    return y + args[0] if func is aten.addmm.default else y


OPERATORS = {aten.detach.default: of_both, aten.alias.default: of_both, aten.t.default: of_both,
             aten.transpose.int: of_both, aten.slice.Tensor: part, aten.mm.default: product,
             aten.addmm.default: product}


def with_tensors(module):
    """`module` with an Int8SymmetricTensor in the place of each matrix of weights."""
    for part_of in module.modules():
        for name, value in list(part_of.named_parameters(recurse=False)):
            if value.ndim == 2:
                tensor = Int8SymmetricTensor(*quantize(value))
                setattr(part_of, name, nn.Parameter(tensor, requires_grad=False))
    return module


def flattened(state_dict):
    """The parts of each tensor by the names that it gives them itself, which make it again."""
    flat = {}
    for name, value in state_dict.items():
        if not isinstance(value, Int8SymmetricTensor):
            flat[name] = value
            continue
        names, metadata = value.__tensor_flatten__()
        parts = {each: getattr(value, each) for each in names}
        again = Int8SymmetricTensor.__tensor_unflatten__(parts, metadata)
        assert torch.equal(again.int_data, value.int_data) and torch.equal(again.scale, value.scale)
        flat.update({f"{name}.{each}": tensor for each, tensor in parts.items()})
    return flat


def says_what_it_cannot(weight):
    """Whether operators that are not in the list refuse the tensor by their names."""
    for function, name in [(torch.relu, "aten.relu"), (torch.exp, "aten.exp"),
                           (lambda tensor: F.softmax(tensor, -1), "aten._softmax")]:
        try:
            function(weight)
        except NotImplementedError as error:
            if name in str(error):
                continue
        return False
    return True
