# SPDX-License-Identifier: Apache-2.0
"""PyTorch and torchao still make the files that are shipped here: the same tensors and outputs.

build/torch has them, where `cmake/setup/setup.sh check` puts them: without it this is skipped, with a
word, or with OCTET_REQUIRE_ALL=1 fails.
"""

import json
import os
import pathlib
import struct
import subprocess
import sys
import tempfile

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests/golden/torch"
PYTHON = ROOT / "build/torch/bin/python"


def tensors(path):
    """The tensors of a safetensors file, and what its metadata says."""
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:8 + size])
    metadata = {key: json.loads(value) for key, value in header.pop("__metadata__", {}).items()
                if key != "format"}
    body = data[8 + size:]
    return metadata, {name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
                      for name, entry in header.items()}


def operators(path):
    return [node.op_type for node in onnx.load(path).graph.node]


def main():
    if not PYTHON.exists():
        print("skipped: build/torch is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, GOLDEN / "make_fixtures.py", folder], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900)
        made = sorted(pathlib.Path(folder).iterdir())
        shipped = sorted(path for path in GOLDEN.iterdir() if path.suffix != ".py")
        assert [path.name for path in made] == [path.name for path in shipped], made
        for ours, theirs in zip(made, shipped):
            if ours.suffix == ".npy":
                np.testing.assert_allclose(np.load(ours), np.load(theirs), rtol=1e-5, atol=1e-6,
                                           err_msg=ours.name)
            elif ours.suffix == ".onnx":
                assert operators(ours) == operators(theirs), ours.name
            else:
                assert tensors(ours) == tensors(theirs), ours.name
    print(f"{len(made)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
