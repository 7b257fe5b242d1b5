# SPDX-License-Identifier: Apache-2.0
"""Networks that TensorFlow Model Optimization trained, beside LiteRT's reference kernels: the files of
tests/golden/tfmot, imported and run. Every answer is equal.

    tfmot_test.py [FOLDER]
"""

import collections
import json
import pathlib
import sys
import tempfile

import numpy as np

import octet_program

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/tfmot"
# Layers with weights, by their mode.
LAYERS = {"annotated": {"float": 1, "int8_static": 2}, "convolutional": {"int8_static": 4},
          "dense": {"int8_static": 2}}


def check(path, folder):
    """None, or what is wrong with the model at `path`."""
    bundle = folder / "model" / "1"
    octet_program.run("import", path, "--output", bundle, "--replace")
    described = json.loads(octet_program.run("inspect", bundle, "--json").stdout)
    modes = collections.Counter(layer["mode"] for layer in described["layers"])
    if modes != LAYERS[path.stem]:
        return f"its layers are {dict(modes)}, wants {LAYERS[path.stem]}"
    octet_program.run("run", bundle, "--input", path.with_suffix(".x.npy"), "--output",
                      folder / "out")
    (file,) = (folder / "out").glob("*.npy")
    got, wanted = np.load(file), np.load(path.with_suffix(".y.npy"))
    file.unlink()
    if not np.array_equal(got, wanted):
        return f"differs by {np.abs(got - wanted).max():g}"
    return None


def check_all(models):
    files = sorted(models.glob("*.tflite"))
    assert [path.stem for path in files] == sorted(LAYERS), files
    wrong = 0
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            error = check(path, pathlib.Path(folder))
        print(f"{path.stem}: {error or 'equal'}", flush=True)
        wrong += error is not None
    return wrong


if __name__ == "__main__":
    sys.exit(min(check_all(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN), 1))
