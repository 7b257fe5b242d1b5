# SPDX-License-Identifier: Apache-2.0
"""Writes this folder's files with real PyTorch: architectures.py's networks as both of its exporters
write them, and what PyTorch answers.

    make_fixtures.py [FOLDER [NAME]...]

NAME.EXPORTER.onnx, NAME.INPUT.npy and NAME.y.npy; without names, of every small network. It wants
tests/golden/onnx/requirements.txt installed.
"""

import contextlib
import logging
import os
import pathlib
import sys
import warnings

import numpy as np
import torch
from torch import nn

import architectures

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from onnx_files import strip  # noqa: E402

FOLDER = pathlib.Path(__file__).resolve().parent
# What the exporter that traces writes for one length of the sequence only.
ONLY_CAPTURED = {"encoder", "encoder_norm_last"}


def export(name, module, inputs, axes, folder):
    arguments = tuple(inputs.values())
    names = {"input_names": list(inputs), "output_names": ["y"]}
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        torch.onnx.export(module, arguments, folder / f"{name}.captured.onnx", dynamo=True,
                          dynamic_shapes=tuple(axes[key] for key in inputs), external_data=False,
                          opset_version=20, **names)
        if name not in ONLY_CAPTURED:
            torch.onnx.export(module, arguments, folder / f"{name}.traced.onnx", dynamo=False,
                              dynamic_axes=axes, opset_version=17, **names)


def write(name, make, folder):
    torch.manual_seed(len(name))
    module, inputs, axes = make()
    module.eval()
    for part in module.modules():
        if isinstance(part, (nn.BatchNorm1d, nn.BatchNorm2d)):
            part.running_mean.normal_(0, 0.1)
            part.running_var.uniform_(0.5, 1.5)
    with torch.no_grad():
        answer = module(*inputs.values())
    export(name, module, inputs, axes, folder)
    for path in folder.glob(f"{name}.*.onnx"):
        strip(path)
    for key, array in {**inputs, "y": answer}.items():
        np.save(folder / f"{name}.{key}.npy", array.numpy())


def main():
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    # Asks the driver, which there is none of.
    torch.cuda.is_current_stream_capturing = lambda: False
    folder = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    known = {**architectures.SMALL, **architectures.REAL}
    for name in sys.argv[2:] or architectures.SMALL:
        write(name, known[name], folder)
        print(name, flush=True)


if __name__ == "__main__":
    main()
