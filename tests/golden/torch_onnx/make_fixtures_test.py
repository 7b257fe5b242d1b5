# SPDX-License-Identifier: Apache-2.0
"""PyTorch and torchao, live: the networks of this folder quantized, trained and written anew, and imported
beside their answers and ONNX Runtime's.

build/torch has them, where `cmake/setup/setup.sh check` puts them: without it this is skipped, with a
word, or with OCTET_REQUIRE_ALL=1 fails.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests/golden/torch_onnx"
PYTHON = ROOT / "build/torch/bin/python"


def names(folder):
    return sorted(path.name for path in folder.iterdir() if path.suffix in (".npy", ".onnx"))


def main():
    if not PYTHON.exists():
        print("skipped: build/torch is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, GOLDEN / "make_fixtures.py", folder], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1800)
        assert names(pathlib.Path(folder)) == names(GOLDEN), names(pathlib.Path(folder))
        test = ROOT / "tests/models/importers/torch_onnx_test.py"
        return subprocess.run([sys.executable, test, folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
