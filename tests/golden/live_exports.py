# SPDX-License-Identifier: Apache-2.0
"""A folder's networks exported anew by the toolkit that wrote its files, and networks of real sizes besides,
imported and run beside the toolkit's answers."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]


def check(folder, environment, test, least_real):
    """The exit status. `folder` of tests/golden has make_fixtures.py and, in architectures.py, REAL: the
    networks of real sizes, `least_real` at least. `environment` of build/ has the toolkit, where
    `cmake/setup/setup.sh check` puts it: without it this is skipped, with a word, or with
    OCTET_REQUIRE_ALL=1 fails. `test` of tests/models/importers tries the files in a folder."""
    golden = ROOT / "tests/golden" / folder
    python = ROOT / "build" / environment / "bin/python"
    if not python.exists():
        print(f"skipped: build/{environment} is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77

    def exported_and_tried(*networks):
        """The exit status of the test over these networks, or all small ones; their files' names."""
        with tempfile.TemporaryDirectory() as made:
            subprocess.run([python, golden / "make_fixtures.py", made, *networks], check=True,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=1800)
            status = subprocess.run([sys.executable, ROOT / "tests/models/importers" / test, made],
                                    check=False).returncode
            return status, sorted(path.name for path in pathlib.Path(made).iterdir())

    failed = []
    status, files = exported_and_tried()
    assert files == sorted(path.name for path in golden.iterdir()
                           if path.suffix in (".npy", ".onnx")), files
    if status != 0:
        failed.append("the small ones")
    listed = subprocess.run([python, "-c", "import architectures; print(*architectures.REAL)"],
                            cwd=golden, env={**os.environ, "TF_USE_LEGACY_KERAS": "1"},
                            capture_output=True, text=True, check=True).stdout
    real = re.findall(r"\w+", listed)
    assert len(real) >= least_real, real
    for name in real:
        if exported_and_tried(name)[0] != 0:
            failed.append(name)
    print("failed:" if failed else "none failed", *failed)
    return 1 if failed else 0
