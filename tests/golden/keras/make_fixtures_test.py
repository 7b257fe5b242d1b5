# SPDX-License-Identifier: Apache-2.0
"""Each version of Keras still makes the files that are shipped here: the same configuration, the same
stored numbers, the same outputs.

Every version but the newest lies in build/keras, where `cmake/setup/setup.sh check` puts it: a test
without it is skipped, with a word, or with OCTET_REQUIRE_ALL=1 fails.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

import h5py
import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
GOLDEN = ROOT / "tests/golden/keras"
VERSIONS = sorted(path.name for path in GOLDEN.iterdir() if path.is_dir() and path.name[0] == "3")
# Keras's own arithmetic may differ in the last bits from CPU to CPU; what it rounds to does not.
TOLERANCE = {"rtol": 1e-5, "atol": 1e-6}


def make(version: str, folder: str) -> pathlib.Path:
    """Runs the script, under that Keras, into `folder`."""
    script = shutil.copy(GOLDEN / "make_fixtures.py", folder)
    # The backend that the script names for this version: random weights are each backend's own.
    backend = "jax" if tuple(map(int, version.split(".")[:2])) < (3, 14) else "numpy"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "build/keras" / version),
                   "KERAS_BACKEND": backend, "JAX_PLATFORMS": "cpu"}
    done = subprocess.run([sys.executable, script], env=environment, capture_output=True, text=True,
                          timeout=600, check=False)
    assert done.returncode == 0, done.stderr
    return pathlib.Path(folder) / version


def without_addresses(node, numbers: dict[int, int]):
    """The same with objects that are shared numbered as they come: Keras writes their addresses."""
    if isinstance(node, list):
        return [without_addresses(item, numbers) for item in node]
    if not isinstance(node, dict):
        return node
    return {key: numbers.setdefault(value, len(numbers)) if key == "shared_object_id"
            else without_addresses(value, numbers) for key, value in node.items()}


def configuration(path: pathlib.Path):
    with zipfile.ZipFile(path) as archive:
        config = without_addresses(json.loads(archive.read("config.json")), {})
        return config, sorted(archive.namelist())


def variables(path: pathlib.Path) -> dict[str, np.ndarray]:
    """The stored arrays by their names."""
    found = {}
    with zipfile.ZipFile(path) as archive, archive.open("model.weights.h5") as stored, \
            h5py.File(stored) as file:
        file.visititems(lambda name, item: found.update(
            {name: item[()]} if isinstance(item, h5py.Dataset) else {}))
    return found


class MakeFixturesTest(unittest.TestCase):
    def assert_same_numbers(self, made: np.ndarray, shipped: np.ndarray, name: str) -> None:
        self.assertEqual((made.dtype, made.shape), (shipped.dtype, shipped.shape), name)
        if np.issubdtype(made.dtype, np.floating):
            np.testing.assert_allclose(made, shipped, **TOLERANCE, err_msg=name)
        else:
            np.testing.assert_array_equal(made, shipped, err_msg=name)

    def assert_same_model(self, made: pathlib.Path, shipped: pathlib.Path) -> None:
        self.assertEqual(configuration(made), configuration(shipped), shipped)
        ours, theirs = variables(made), variables(shipped)
        self.assertEqual(sorted(ours), sorted(theirs), shipped)
        self.assertTrue(theirs, shipped)
        for name, value in ours.items():
            self.assert_same_numbers(value, theirs[name], f"{shipped}: {name}")

    def test_every_version_makes_its_files_again(self):
        self.assertGreaterEqual(len(VERSIONS), 5)
        installed = (ROOT / "tests/requirements.txt").read_text()
        for version in VERSIONS:
            is_here = f"\nkeras=={version}\n" in installed or \
                (ROOT / "build/keras" / version / "keras").is_dir()
            with self.subTest(version), tempfile.TemporaryDirectory() as folder:
                if not is_here:
                    self.assertNotEqual(os.environ.get("OCTET_REQUIRE_ALL"), "1",
                                        "it is not in build/keras: cmake/setup/setup.sh check")
                    self.skipTest("it is not in build/keras: cmake/setup/setup.sh check")
                made, shipped = make(version, folder), GOLDEN / version
                names = {path.name for path in shipped.iterdir()}
                self.assertEqual({path.name for path in made.iterdir()}, names)
                for name in sorted(names):
                    if name.endswith(".keras"):
                        self.assert_same_model(made / name, shipped / name)
                    else:
                        self.assert_same_numbers(np.load(made / name), np.load(shipped / name),
                                                 f"{version}/{name}")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
