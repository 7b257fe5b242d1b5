# SPDX-License-Identifier: Apache-2.0
"""Keras 2, live: the models of this folder made and answered anew, and imported beside it.

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
    test = ROOT / "tests/models/importers/tf_keras_test.py"
    # All layers in one model for each kind of input, and each in one of its own.
    for arguments in ([], ["each"]):
        with tempfile.TemporaryDirectory() as folder:
            script = ROOT / "tests/golden/tf_keras/make_fixtures.py"
            subprocess.run([PYTHON, script, folder, *arguments], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1200)
            if subprocess.run([sys.executable, test, folder], check=False).returncode != 0:
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
