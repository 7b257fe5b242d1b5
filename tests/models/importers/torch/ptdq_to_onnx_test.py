# SPDX-License-Identifier: Apache-2.0
"""models/importers/torch/ptdq_to_onnx.py refuses what it cannot write, by name. What it writes is in
tests/golden/torch_onnx.

It wants build/torch, where `cmake/setup/setup.sh check` puts it: without it this is skipped, with a
word, or with OCTET_REQUIRE_ALL=1 fails.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[4]
PYTHON = ROOT / "build/torch/bin/python"
SCRIPT = ROOT / "models/importers/torch/ptdq_to_onnx.py"

# Saves the module that is evaluated.
SAVE = """
import sys, torch
from torch import nn
from torch.ao.quantization import quantize_dynamic, QConfig, PlaceholderObserver
from torch.ao.quantization.observer import MinMaxObserver
torch.save(eval(sys.argv[1]), sys.argv[2])
"""
AFFINE = ("QConfig(PlaceholderObserver.with_args(dtype=torch.quint8, is_dynamic=True), "
          "MinMaxObserver.with_args(dtype=torch.qint8, qscheme=torch.per_tensor_affine))")
# A module, its input, and what the message says.
REFUSED = [
    ("quantize_dynamic(nn.Sequential(nn.GRU(4, 4)), {nn.GRU})", "1,2,4",
     "0: a torch.ao.nn.quantized.dynamic.modules.rnn.GRU"),
    ("quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), dtype=torch.float16)", "1,4",
     "0: weights of torch.float32, wants torch.qint8"),
    ("quantize_dynamic(nn.Sequential(nn.LSTM(4, 4)), dtype=torch.float16)", "1,2,4",
     "0.ih_l0: weights of torch.float32, wants torch.qint8"),
    (f"quantize_dynamic(nn.Sequential(nn.Linear(4, 4)), {{nn.Linear: {AFFINE}}})", "1,4",
     "0: weights with zero points"),
    ("quantize_dynamic(nn.Sequential(nn.LSTM(4, 4)))", "3,4", "an LSTM over 2 dimensions"),
]


def main():
    if not PYTHON.exists():
        print("skipped: build/torch is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    with tempfile.TemporaryDirectory() as folder:
        saved, written = pathlib.Path(folder) / "m.pt", pathlib.Path(folder) / "m.onnx"
        for module, shape, message in REFUSED:
            subprocess.run([PYTHON, "-W", "ignore", "-c", SAVE, module, saved], check=True)
            done = subprocess.run([PYTHON, "-W", "ignore", SCRIPT, saved, "--input", shape,
                                   "--output", written], capture_output=True, text=True, check=False)
            assert done.returncode == 1 and f"ptdq_to_onnx: {message}" in done.stderr, done.stderr
            assert not written.exists()
            print(message)
    return 0


if __name__ == "__main__":
    sys.exit(main())
