# SPDX-License-Identifier: Apache-2.0
"""PyTorch still makes the files that are shipped here: the same operators, weights and outputs.

build/torch has it, where `cmake/setup/setup.sh check` puts it: without it this is skipped, with a word,
or with OCTET_REQUIRE_ALL=1 fails.
"""

import collections
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests/golden/onnx_quantized"
PYTHON = ROOT / "build/torch/bin/python"


def operators(path):
    return collections.Counter(node.op_type for node in onnx.load(path).graph.node)


def weights(path):
    return sorted((list(tensor.dims), onnx.numpy_helper.to_array(tensor).tobytes())
                  for tensor in onnx.load(path).graph.initializer)


def main():
    if not PYTHON.exists():
        print("skipped: build/torch is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, GOLDEN / "make_fixtures.py", folder], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900)
        made = sorted(pathlib.Path(folder).iterdir())
        shipped = sorted(path for path in GOLDEN.iterdir() if path.suffix in (".onnx", ".npy"))
        assert [path.name for path in made] == [path.name for path in shipped], made
        for ours, theirs in zip(made, shipped):
            if ours.suffix == ".npy":
                np.testing.assert_allclose(np.load(ours), np.load(theirs), rtol=1e-5, atol=1e-6,
                                           err_msg=ours.name)
            else:
                assert operators(ours) == operators(theirs), ours.name
                assert weights(ours) == weights(theirs), ours.name
    print(f"{len(made)} files")
    return 0


if __name__ == "__main__":
    sys.exit(main())
