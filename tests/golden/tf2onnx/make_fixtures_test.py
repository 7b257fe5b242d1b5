# SPDX-License-Identifier: Apache-2.0
"""tf2onnx, live: the networks of this folder exported anew, and Keras's applications, imported beside
ONNX Runtime's answers and TensorFlow's own.

build/tfmot has it, where `cmake/setup/setup.sh check` puts it: without it this is skipped, with a
word, or with OCTET_REQUIRE_ALL=1 fails.
"""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests/golden/tf2onnx"
PYTHON = ROOT / "build/tfmot/bin/python"
TEST = ROOT / "tests/models/importers/tf2onnx_test.py"


def exported_and_tried(*networks):
    """The exit status of the test over these networks, or all small ones; their files' names."""
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, GOLDEN / "make_fixtures.py", folder, *networks], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1800)
        status = subprocess.run([sys.executable, TEST, folder], check=False).returncode
        return status, sorted(path.name for path in pathlib.Path(folder).iterdir())


def main():
    if not PYTHON.exists():
        print("skipped: build/tfmot is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    failed = []
    status, files = exported_and_tried()
    assert files == sorted(path.name for path in GOLDEN.iterdir()
                           if path.suffix in (".npy", ".onnx")), files
    if status != 0:
        failed.append("the small ones")
    listed = subprocess.run(
        [PYTHON, "-c", "import architectures; print(*architectures.REAL)"], cwd=GOLDEN,
        env={**os.environ, "TF_USE_LEGACY_KERAS": "1"}, capture_output=True, text=True,
        check=True).stdout
    real = re.findall(r"\w+", listed)
    assert len(real) >= 9, real
    for name in real:
        if exported_and_tried(name)[0] != 0:
            failed.append(name)
    print("failed:" if failed else "none failed", *failed)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
