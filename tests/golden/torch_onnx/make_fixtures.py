# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with real PyTorch and torchao: small networks that they quantized, as ONNX,
and what they answer.

    make_fixtures.py [FOLDER]

NAME.onnx, NAME.x.npy and NAME.y.npy. It wants tests/golden/onnx/requirements.txt installed.

  ptdq_*      torch.ao.quantization.quantize_dynamic, written by models/importers/torch/ptdq_to_onnx.py;
              the answers are those for every row alone
  ptsq_*      calibrated for x86 (HistogramObserver, fused modules), by torch.ao.quantization in its
              eager form, or of a traced graph (fx), and the exporter that traces
  qat_*       the same after some steps of training with quantization in mind
  pt2e_*      torchao's X86InductorQuantizer on an exported program, calibrated or trained, and the
              exporter that captures
"""

import contextlib
import copy
import logging
import os
import pathlib
import subprocess
import sys
import warnings

import numpy as np
import torch
from torch import nn
from torch.ao import quantization
from torch.ao.quantization import quantize_fx
from torchao.quantization.pt2e import move_exported_model_to_eval
from torchao.quantization.pt2e.quantize_pt2e import (convert_pt2e, prepare_pt2e,
                                                     prepare_qat_pt2e)
from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer

ROOT = pathlib.Path(__file__).resolve().parents[3]
FOLDER = ROOT / "tests/golden/torch_onnx"
SCRIPT = ROOT / "models/importers/torch/ptdq_to_onnx.py"
sys.path.insert(0, str(SCRIPT.parent))
import ptdq_to_onnx  # noqa: E402

STEPS = 8  # of calibration, or training


class Recurrent(nn.Module):
    """Two layers in both directions, and a linear one."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 12, num_layers=2, bidirectional=True, batch_first=True)
        self.linear = nn.Linear(24, 5)

    def forward(self, x):
        y, _ = self.lstm(x)
        return self.linear(y[:, -1])


class StepsFirst(nn.Module):
    """A sequence whose first axis are the steps, with a state to begin with; the last states."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(8, 8)

    def forward(self, x):
        start = torch.tanh(x[:, 0]).unsqueeze(0)
        y, (h, c) = self.lstm(x.transpose(0, 1), (start, start * 0.5))
        return torch.cat([y[-1], h[0], c[0]], -1)


class Perceptron(nn.Module):
    FUSED = [["first", "relu"]]

    def __init__(self):
        super().__init__()
        self.first, self.relu, self.last = nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10)

    def forward(self, x):
        return self.last(self.relu(self.first(x)))


class Convolutional(nn.Module):
    """Convolutions with batch normalization and ReLU, a residual sum, pools and a linear layer."""

    FUSED = [[f"{part}.{i}" for i in range(3)] for part in ("stem", "deep", "wide")]

    def __init__(self):
        super().__init__()
        self.stem = self.part(nn.Conv2d(3, 8, 3, padding=1, bias=False))
        self.deep = self.part(nn.Conv2d(8, 8, 3, padding=1, groups=8))
        self.wide = self.part(nn.Conv2d(8, 16, 1))
        self.sum = torch.ao.nn.quantized.FloatFunctional()
        self.pool, self.mean = nn.MaxPool2d(2), nn.AdaptiveAvgPool2d(1)
        self.last = nn.Linear(16, 5)

    @staticmethod
    def part(conv):
        norm = nn.BatchNorm2d(conv.out_channels)
        nn.init.uniform_(norm.weight, 0.5, 2)
        nn.init.normal_(norm.bias)
        norm.running_mean.normal_()
        norm.running_var.uniform_(0.5, 2)
        return nn.Sequential(conv, norm, nn.ReLU())

    def forward(self, x):
        x = self.stem(x)
        x = self.pool(self.sum.add(x, self.deep(x)))
        return self.last(torch.flatten(self.mean(self.wide(x)), 1))


class Summed(Convolutional):
    """The same with a plain sum, as graphs are captured."""

    def forward(self, x):
        x = self.stem(x)
        x = self.pool(x + self.deep(x))
        return self.last(torch.flatten(self.mean(self.wide(x)), 1))


MODELS = {"mlp": (Perceptron, Perceptron, (16, 32)),
          "cnn": (Convolutional, Summed, (8, 3, 8, 8))}  # eager, captured, input


def save(folder, name, x, y):
    np.save(folder / f"{name}.x.npy", x.numpy())
    np.save(folder / f"{name}.y.npy", y.detach().numpy())


def write_dynamic(folder, name, module, x, parts, fuse=(), **options):
    """`module` quantized by its `parts`; each row's answer is that of the row alone."""
    module = module.eval()
    if fuse:
        module = quantization.fuse_modules(module, list(fuse))
    quantized = quantization.quantize_dynamic(module, parts, dtype=torch.qint8, **options)
    ptdq_to_onnx.write_onnx(quantized, (x[:2],), folder / f"{name}.onnx", input_names=["x"],
                            output_names=["y"])
    save(folder, name, x, torch.cat([quantized(row) for row in x.split(1)]))
    return quantized


def write_all_dynamic(folder):
    x = torch.randn(6, 32)
    x[1], x[2, 1:], x[3] = 0, 0, x[3] * 1e-4  # zeros, one number, a range below the least scale
    module = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Linear(64, 10))
    quantized = write_dynamic(folder, "ptdq_linear", module, x, {nn.Linear})
    # The same by the program, which makes the same file.
    saved, written = folder / "module.pt", folder / "module.onnx"
    torch.save(quantized, saved)
    subprocess.run([sys.executable, SCRIPT, saved, "--input", "x=2,32", "--output", written],
                   check=True, capture_output=True)
    os.remove(saved)
    os.replace(written, folder / "ptdq_program.onnx")
    save(folder, "ptdq_program", x, torch.cat([quantized(row) for row in x.split(1)]))
    channels = {nn.Linear: quantization.per_channel_dynamic_qconfig}
    module = nn.Sequential(nn.Sequential(nn.Linear(16, 24), nn.ReLU()), nn.Linear(24, 8, bias=False))
    write_dynamic(folder, "ptdq_tokens", module, torch.randn(3, 4, 16), channels)
    write_dynamic(folder, "ptdq_lstm", Recurrent(), torch.randn(3, 5, 8), {nn.LSTM, nn.Linear})
    write_dynamic(folder, "ptdq_steps", StepsFirst(), torch.randn(4, 3, 8), {nn.LSTM})


def train(module, shape):
    """Some steps, so that weights and ranges are not those of the beginning."""
    optimizer = torch.optim.SGD(module.parameters(), 0.02)
    with torch.enable_grad():
        for _ in range(STEPS):
            optimizer.zero_grad()
            y = module(torch.randn(shape))
            (y - torch.sin(torch.arange(y.shape[-1]))).square().mean().backward()
            optimizer.step()


def calibrate(module, shape):
    for _ in range(STEPS):
        module(torch.randn(shape))


def write_traced(folder, name, module, x):
    """By the exporter that traces, which knows PyTorch's quantized modules."""
    torch.onnx.export(module, (x[:2],), folder / f"{name}.onnx", dynamo=False, opset_version=17,
                      input_names=["x"], output_names=["y"], dynamic_axes={"x": {0: "n"}})
    save(folder, name, x, module(x))


def write_eager(folder, kind, make, shape):
    module = quantization.QuantWrapper(make())
    parts = [[f"module.{part}" for part in parts] for parts in make.FUSED]
    quantization.fuse_modules(module.eval(), parts, inplace=True)
    module.qconfig = quantization.get_default_qconfig("x86")
    quantization.prepare(module, inplace=True)
    calibrate(module, shape)
    write_traced(folder, f"ptsq_{kind}", quantization.convert(module), torch.randn(shape))

    module = quantization.QuantWrapper(make()).train()
    quantization.fuse_modules_qat(module, parts, inplace=True)
    module.qconfig = quantization.get_default_qat_qconfig("x86")
    quantization.prepare_qat(module, inplace=True)
    train(module, shape)
    write_traced(folder, f"qat_{kind}", quantization.convert(module.eval()), torch.randn(shape))


def write_fx(folder, kind, make, shape):
    x = torch.randn(shape)
    module = quantize_fx.prepare_fx(make().eval(), quantization.get_default_qconfig_mapping("x86"),
                                    (x,))
    calibrate(module, shape)
    write_traced(folder, f"ptsq_fx_{kind}", quantize_fx.convert_fx(module), x)


def write_captured(folder, kind, make, shape):
    x = torch.randn(shape)
    rows = ({0: torch.export.Dim("rows")},)
    for name, is_trained in [("pt2e", False), ("pt2e_qat", True)]:
        quantizer = x86_inductor_quantizer.X86InductorQuantizer()
        quantizer.set_global(x86_inductor_quantizer.get_default_x86_inductor_quantization_config(
            is_qat=is_trained))
        module = make().train(is_trained)
        program = torch.export.export(module, (x,), dynamic_shapes=rows).module()
        if is_trained:
            program = prepare_qat_pt2e(program, quantizer)
            train(program, shape)
        else:
            program = prepare_pt2e(program, quantizer)
            calibrate(program, shape)
        program = convert_pt2e(program)
        move_exported_model_to_eval(program)
        model = torch.onnx.export(program, (x,), dynamo=True, opset_version=18, input_names=["x"],
                                  output_names=["y"], dynamic_shapes=rows).model_proto
        for node in model.graph.node:
            node.ClearField("metadata_props")  # where it stood in the source
        (folder / f"{name}_{kind}.onnx").write_bytes(model.SerializeToString())
        save(folder, f"{name}_{kind}", x, program(x))


def main():
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(exist_ok=True)
    warnings.simplefilter("ignore")
    logging.disable(logging.WARNING)
    torch.backends.quantized.engine = "x86"
    torch.manual_seed(15)
    with torch.no_grad(), contextlib.redirect_stdout(None):
        write_all_dynamic(folder)
        for kind, (eager, captured, shape) in MODELS.items():
            write_eager(folder, kind, eager, shape)
            write_fx(folder, kind, captured, shape)
            write_captured(folder, kind, captured, shape)


if __name__ == "__main__":
    main()
