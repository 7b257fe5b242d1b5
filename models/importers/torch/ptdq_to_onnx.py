# SPDX-License-Identifier: Apache-2.0
"""Writes a PyTorch module that was quantized dynamically (torch.ao.quantization.quantize_dynamic) as
ONNX, with the integers and scales that it has itself: PyTorch's exporters refuse such modules.

    ptdq_to_onnx.py MODULE.pt --input 1,32 --output MODEL.onnx

MODULE.pt is what torch.save(module, ...) wrote; loading it runs what is in it. --input is the shape
of an example, or NAME=SHAPE; a shape may end in ":int64". In a program of your own:

    from ptdq_to_onnx import write_onnx
    write_onnx(module, (example,), "model.onnx", input_names=["x"])

Linear (with a ReLU behind it too) and LSTM of qint8 become MatMulInteger, and around it the
arithmetic that PyTorch does on x86 in the operators that ONNX has: activations of seven bits with a
zero point. What is left of other quantized modules is refused by name.

PyTorch takes one range for all rows of a batch. A row's answer would depend on the rows beside it,
so that here each row (dimension 0 of what a quantized part is given) has a range of its own: the
answers are those of PyTorch for every row alone. Where a module folds other axes into the batch,
each index of the two has one.

A sequence that an LSTM is given has one range, as in PyTorch, and a state one at each step: the steps
are written out, as many as the example has. Dimension 0 of every input is the batch, so that an LSTM
of batch_first=False wants a transpose in front of it.

It wants a torch with both torch.ao.quantization and torch.onnx.ops, and onnxscript. 2.15 is tested.
"""

import argparse
import copy
import sys

import torch
from torch import nn
from torch.ao.nn.intrinsic.quantized import dynamic as fused_dynamic
from torch.ao.nn.quantized import dynamic

STEPS = 127  # of seven bits: PyTorch's reduce_range
LEAST_SCALE = 6.1e-5  # float32(6.1e-5): no scale is smaller
SCALE_OF_ZEROS = 0.1
OPSET = 18


class Unsupported(Exception):
    """What a module has that cannot be written."""


class IntegerProduct(nn.Module):
    """A linear layer over activations that are quantized when they come."""

    def __init__(self, weight, bias, name):
        super().__init__()
        if weight.dtype != torch.qint8:
            raise Unsupported(f"{name}: weights of {weight.dtype}, wants torch.qint8")
        if weight.qscheme() in (torch.per_channel_affine, torch.per_channel_symmetric):
            scale, zero_point = weight.q_per_channel_scales(), weight.q_per_channel_zero_points()
        else:
            scale, zero_point = torch.tensor(weight.q_scale()), torch.tensor(weight.q_zero_point())
        if zero_point.any():
            raise Unsupported(f"{name}: weights with zero points, wants symmetric ones")
        integers = weight.int_repr().t().contiguous()
        self.register_buffer("weight", integers)
        self.register_buffer("sums", integers.sum(0, dtype=torch.int32))
        self.register_buffer("scale", scale.to(torch.float32))
        self.register_buffer("bias", None if bias is None else bias.detach().clone())

    def forward(self, x):
        integers, scale, zero_point = quantized_rows(x)
        shape = [*integers.shape[:-1], self.weight.shape[1]]
        sums = torch.onnx.ops.symbolic("MatMulInteger", [integers, self.weight], dtype=torch.int32,
                                       shape=shape, version=OPSET)
        y = (sums - zero_point * self.sums).to(torch.float32) * (scale * self.scale)
        return y if self.bias is None else y + self.bias


def quantized_rows(x):
    """x in uint8, its scale in float32 and its zero point in int32, one of each for every row: as
    PyTorch's ChooseQuantizationParams finds them, in float64."""
    axes = list(range(1, x.ndim))
    least = torch.amin(x, axes, keepdim=True).clamp(max=0).to(torch.float64)
    largest = torch.amax(x, axes, keepdim=True).clamp(min=0).to(torch.float64)
    scale = ((largest - least) / STEPS).to(torch.float32)
    scale = torch.where(scale == 0, SCALE_OF_ZEROS, scale)
    # Of the zero points of both ends the one whose terms are smaller.
    below, above = least / scale.to(torch.float64), largest / scale.to(torch.float64)
    zero_point = torch.where(-below < STEPS + above, -below, STEPS - above)
    zero_point = zero_point.clamp(0, STEPS).round().to(torch.float32)
    scale = scale.clamp(min=LEAST_SCALE)
    integers = (x * (1 / scale)).round() + zero_point
    return (integers.clamp(0, STEPS).to(torch.uint8), scale, zero_point.to(torch.int32))


class LinearOfIntegers(nn.Module):
    def __init__(self, linear, name):
        super().__init__()
        self.product = IntegerProduct(linear.weight(), linear.bias(), name)
        self.has_relu = isinstance(linear, fused_dynamic.LinearReLU)

    def forward(self, x):
        y = self.product(x)
        return torch.relu(y) if self.has_relu else y


class LstmOfIntegers(nn.Module):
    """Gates i, f, g, o; step by step."""

    def __init__(self, lstm, name):
        super().__init__()
        self.batch_first = lstm.batch_first
        self.layers = lstm.num_layers
        self.directions = 2 if lstm.bidirectional else 1
        weights, biases = lstm.get_weight(), lstm.get_bias()
        self.inputs, self.states = nn.ModuleList(), nn.ModuleList()
        for layer in range(self.layers):
            for suffix in ["", "_reverse"][:self.directions]:
                for products, kind in [(self.inputs, "ih"), (self.states, "hh")]:
                    part = f"{kind}_l{layer}{suffix}"
                    products.append(IntegerProduct(weights[f"weight_{part}"],
                                                   biases.get(f"bias_{part}"), f"{name}.{part}"))

    def forward(self, x, state=None):
        if not isinstance(x, torch.Tensor) or x.ndim != 3:
            got = f"{x.ndim} dimensions" if isinstance(x, torch.Tensor) else f"a {type(x).__name__}"
            raise Unsupported(f"an LSTM over {got}, wants rows, steps and features")
        if not self.batch_first:
            x = x.transpose(0, 1)
        given = None if state is None else [part.unbind(0) for part in state]
        ends = []
        for layer in range(self.layers):
            outputs = []
            for direction in range(self.directions):
                index = layer * self.directions + direction
                start = None if given is None else (given[0][index], given[1][index])
                output, end = self.run(index, x, start, is_reversed=direction == 1)
                outputs.append(output)
                ends.append(end)
            x = torch.cat(outputs, -1) if len(outputs) > 1 else outputs[0]
        if not self.batch_first:
            x = x.transpose(0, 1)
        return x, tuple(torch.stack(parts) for parts in zip(*ends))

    def run(self, index, x, state, is_reversed):
        gates = self.inputs[index](x).unbind(1)
        outputs = []
        for part in reversed(gates) if is_reversed else gates:
            # A state of zeros gives the bias alone.
            product = self.states[index].bias if state is None else self.states[index](state[0])
            i, f, g, o = (part if product is None else part + product).chunk(4, -1)
            c = torch.sigmoid(i) * torch.tanh(g)
            if state is not None:
                c = torch.sigmoid(f) * state[1] + c
            state = torch.sigmoid(o) * torch.tanh(c), c
            outputs.append(state[0])
        if is_reversed:
            outputs.reverse()
        return torch.stack(outputs, 1), state


def with_integers(module, name="the module"):
    """A copy of `module` whose quantized parts are those above."""
    if isinstance(module, dynamic.Linear):
        return LinearOfIntegers(module, name)
    if isinstance(module, dynamic.LSTM):
        return LstmOfIntegers(module, name)
    if "quantized" in type(module).__module__.split("."):
        raise Unsupported(f"{name}: a {type(module).__module__}.{type(module).__name__}, wants Linear "
                          "or LSTM of torch.ao.nn.quantized.dynamic")
    result = copy.copy(module)
    result._modules = {key: child if child is None else
                       with_integers(child, key if name == "the module" else f"{name}.{key}")
                       for key, child in module._modules.items()}
    return result


def write_onnx(module, inputs, path, input_names=None, output_names=None):
    """Writes `module`, which takes the tensors `inputs` by their places, to `path`. Their dimension 0
    is the batch, of any size."""
    rows = torch.export.Dim("rows", min=1)
    # An example of one row would look like a size that never changes.
    inputs = tuple(torch.cat([x, x]) if x.shape[0] == 1 else x for x in inputs)
    module = with_integers(module).eval()
    try:
        with torch.no_grad():
            program = torch.onnx.export(module, inputs, dynamo=True, opset_version=OPSET,
                                        input_names=input_names, output_names=output_names,
                                        dynamic_shapes=tuple({0: rows} for _ in inputs))
    except torch.onnx.errors.OnnxExporterError as error:
        # The exporter's words are about itself.
        cause = error
        while cause is not None and not isinstance(cause, Unsupported):
            cause = cause.__cause__
        raise cause or error
    model = program.model_proto
    # Where each node stood in the source: nobody's who runs it.
    for node in model.graph.node:
        node.ClearField("metadata_props")
    for value in [*model.graph.value_info, *model.graph.input, *model.graph.output,
                  *model.graph.initializer]:
        value.ClearField("metadata_props")
    with open(path, "wb") as file:
        file.write(model.SerializeToString())


def example(text):
    """The name and an example of NAME=1,32:int64."""
    name, _, shape = text.rpartition("=")
    shape, _, type_name = shape.partition(":")
    dims = [int(size) for size in shape.split(",")]
    dtype = getattr(torch, type_name or "float32")
    return name, torch.zeros(dims, dtype=dtype) if type_name else torch.randn(dims)


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("module")
    parser.add_argument("--input", action="append", required=True, metavar="[NAME=]SHAPE[:TYPE]")
    parser.add_argument("--output", required=True)
    arguments = parser.parse_args()
    inputs = [example(text) for text in arguments.input]
    names = [name or f"input_{index}" for index, (name, _) in enumerate(inputs)]
    module = torch.load(arguments.module, weights_only=False)
    try:
        write_onnx(module, tuple(x for _, x in inputs), arguments.output, input_names=names)
    except Unsupported as error:
        print(f"ptdq_to_onnx: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
