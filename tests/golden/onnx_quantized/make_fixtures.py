# SPDX-License-Identifier: Apache-2.0
"""Makes the .onnx files beside it: a small network that torchao quantizes (PT2E, with the quantizer for
x86) and PyTorch exports, with an input and what the quantized network itself answers.

    build/torch/bin/python make_fixtures.py [FOLDER]

`cmake/setup/setup.sh check` makes that environment. RANGE_FORM.onnx has activations of all 8 bits (full)
or of 7 (reduced), as QuantizeLinear and DequantizeLinear (linear) or step by step (steps, folded), as PyTorch
itself defines quantize_per_tensor and the like: what exporters without ONNX's operators write. The
weights are integers, or in the last form (folded), which the exporter optimized, their real numbers.
"""

import pathlib
import sys
import warnings

import numpy as np
import torch
from torch.ao.quantization.fx import _decomposed
from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e
from torchao.quantization.pt2e.quantizer import x86_inductor_quantizer as x86

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from onnx_files import strip  # noqa: E402

QUANTIZED = torch.ops.quantized_decomposed
STEPS = {
    QUANTIZED.quantize_per_tensor.default: _decomposed.quantize_per_tensor,
    QUANTIZED.dequantize_per_tensor.default: _decomposed.dequantize_per_tensor,
    QUANTIZED.quantize_per_channel.default: _decomposed.quantize_per_channel,
    QUANTIZED.dequantize_per_channel.default: _decomposed.dequantize_per_channel,
}


class Network(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.first = torch.nn.Conv2d(3, 8, 3, padding=1)
        self.deep = torch.nn.Conv2d(8, 8, 3, padding=1, groups=8)
        self.wide = torch.nn.Conv2d(8, 16, 1)
        self.middle = torch.nn.Linear(16, 12)
        self.last = torch.nn.Linear(12, 5)

    def forward(self, x):
        x = torch.relu(self.first(x))
        x = torch.nn.functional.max_pool2d(torch.relu(self.deep(x)), 2)
        x = torch.relu(self.wide(x)).mean((2, 3))
        return self.last(torch.relu(self.middle(x)))


def quantized(is_reduced, images):
    torch.manual_seed(3)
    rows = {"x": {0: torch.export.Dim("n", min=1, max=64)}}
    network = torch.export.export(Network().eval(), (images,), dynamic_shapes=rows).module()
    quantizer = x86.X86InductorQuantizer()
    quantizer.set_global(x86.get_default_x86_inductor_quantization_config(
        reduce_range=is_reduced))
    prepared = prepare_pt2e(network, quantizer)
    prepared(images)
    return convert_pt2e(prepared), rows


def main():
    warnings.filterwarnings("ignore")
    # Nothing of CUDA is there to be asked.
    torch.cuda.is_current_stream_capturing = lambda: False
    folder = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent)
    torch.manual_seed(4)
    images = torch.randn(4, 3, 8, 8)
    np.save(folder / "images.npy", images.numpy())
    for range_name in ("full", "reduced"):
        network, rows = quantized(range_name == "reduced", images)
        with torch.no_grad():
            np.save(folder / f"{range_name}.npy", network(images).numpy())
        for form in ("linear", "steps", "folded"):
            program = torch.export.export(network, (images,), dynamic_shapes=rows)
            if form != "linear":
                program = program.run_decompositions(STEPS)
            path = folder / f"{range_name}_{form}.onnx"
            torch.onnx.export(program, (), path, dynamo=True, external_data=False, verbose=False,
                              input_names=["x"], output_names=["y"], opset_version=18,
                              optimize=form == "folded")
            strip(path)


if __name__ == "__main__":
    main()
