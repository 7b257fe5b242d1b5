# SPDX-License-Identifier: Apache-2.0
"""TensorFlow, live: the networks of this folder trained and converted anew, which is never twice to the same
numbers, and imported beside LiteRT and TensorFlow Lite Micro.

build/tfmot has it, where `cmake/setup/setup.sh check` puts it: without it this is skipped, with a word, or
with OCTET_REQUIRE_ALL=1 fails.
"""

import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[3]
PYTHON = ROOT / "build/tfmot/bin/python"


def main():
    if not PYTHON.exists():
        print("skipped: build/tfmot is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([PYTHON, ROOT / "tests/golden/tflite_lstm/make_fixtures.py", folder],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                       timeout=900)
        test = ROOT / "tests/models/importers/tflite_lstm_test.py"
        return subprocess.run([sys.executable, test, folder], check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
