# SPDX-License-Identifier: Apache-2.0
"""Networks that TensorFlow Model Optimization trained, the files of tests/golden/tfmot, imported and run.
Those that were converted (.tflite) answer what LiteRT's reference kernels do, in every bit. Those that Keras
saved (.h5, .keras), which compute with real numbers on the grids of integers, answer what the toolkit itself does, but
for the rounding of float32 sums.

    tfmot_test.py [FOLDER]
"""

import collections
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

import octet_program

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/tfmot"
# Layers with weights, by their mode.
CONVERTED = {"annotated": {"float": 1, "int8_static": 2}, "convolutional": {"int8_static": 4},
             "dense": {"int8_static": 2}}
AS_TRAINED = {
    "annotated": {"float": 1, "int8_trained": 2},
    "by_hand": {"float": 2, "int8_trained": 3},
    "convolutional": {"float": 1, "int8_trained": 4},
    "dense": {"int8_trained": 2},
    "few_bits": {"int8_trained": 3},
    "many_bits": {"float": 2},
    "pools": {"int8_trained": 2},
    "registry": {"float": 2, "int8_trained": 8},
}
# Of the largest answer.
SUMS = 1e-6
# Where the last bit of a sum decides between two steps of an activation, which few rows meet.
STEP, ROWS = 3e-2, 1


def answers(path, wanted_modes, folder):
    """What the model at `path` answers, in the order of its outputs, and what is wrong with it."""
    bundle = folder / "model" / "1"
    octet_program.run("import", path, "--output", bundle, "--replace")
    described = json.loads(octet_program.run("inspect", bundle, "--json").stdout)
    modes = collections.Counter(layer["mode"] for layer in described["layers"])
    if modes != wanted_modes:
        return [], f"its layers are {dict(modes)}, wants {wanted_modes}"
    octet_program.run("run", bundle, "--input", path.with_suffix(".x.npy"), "--output",
                      folder / "out")
    return [np.load(folder / "out" / octet_program.file_name(output["name"]))
            for output in described["outputs"]], None


def check_converted(path, folder):
    """What the model at `path` is, and whether that is wrong."""
    (got,), error = answers(path, CONVERTED[path.stem], folder)
    if error is None and not np.array_equal(got, np.load(path.with_suffix(".y.npy"))):
        error = "differs"
    return error or "equal", error is not None


def check_as_trained(path, folder):
    got, error = answers(path, AS_TRAINED[path.stem], folder)
    files = sorted(path.parent.glob(f"{path.stem}.fake*.npy"))
    if error is not None or len(got) != len(files):
        return error or f"{len(got)} outputs, wants {len(files)}", True
    rows = np.zeros(len(got[0]))
    for ours, file in zip(got, files):
        theirs = np.load(file)
        difference = np.abs(ours - theirs).reshape(len(rows), -1).max(axis=1)
        rows = np.maximum(rows, difference / np.abs(theirs).max())
    sums, steps = rows[rows <= SUMS], rows[rows > SUMS]
    text = f"within {max(sums, default=0):.1e} of the toolkit's"
    if len(steps):
        text += f", {len(steps)} of {len(rows)} rows a step off, {steps.max():.1e}"
    return text, len(steps) > ROWS or bool((steps > STEP).any())


def in_config(old, new):
    """A change of the model's configuration."""
    def change(file):
        config = file.attrs["model_config"]
        assert old in config, old
        file.attrs["model_config"] = config.replace(old, new)
    return change


def in_variable(name, value):
    """A change of a stored number, or of how many there are."""
    def change(file):
        path = f"model_weights/{name}:0"
        del file[path]
        file[path] = np.float32(value)
    return change


# Changes of dense.h5, and what the error names.
HOSTILE = [
    (in_config("Default8BitQuantizeConfig", "MyConfig"), "MyConfig"),
    (in_config("AllValuesQuantizer", "MyQuantizer"), "MyQuantizer"),
    (in_config('"weight_attrs": ["kernel"]', '"weight_attrs": ["bias"]'), '"bias"'),
    (in_config('"activation": "relu"', '"activation": "selu"'), "selu"),
    (in_variable("quant_dense/quant_dense/kernel_min", 9), "quant_dense"),
    (in_variable("quant_dense/quant_dense/kernel_max", np.inf), "quant_dense"),
    (in_variable("quant_dense/quant_dense/kernel_max", [1, 2]), "kernel_max"),
    (in_variable("quant_dense/quant_dense/post_activation_min", 9), "post_activation"),
    (in_variable("quant_dense/quant_dense/post_activation_max", np.nan), "post_activation"),
]


def check_hostile(models):
    """How many damaged files are not refused with a word about what is wrong."""
    wrong = 0
    for number, (change, named) in enumerate(HOSTILE):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "damaged.h5"
            shutil.copy(models / "dense.h5", path)
            with h5py.File(path, "r+") as file:
                change(file)
            try:
                octet_program.run("import", path, "--output", pathlib.Path(folder) / "model/1")
                print(f"damaged file {number}: imported")
                wrong += 1
            except subprocess.CalledProcessError as error:
                if error.returncode != 1 or named not in error.stderr:
                    print(f"damaged file {number}: {error.returncode}, {error.stderr}")
                    wrong += 1
    print(f"{len(HOSTILE)} damaged files: {len(HOSTILE) - wrong} refused")
    return wrong


def check_all(models):
    wrong = 0
    for suffix, check, names in ((".tflite", check_converted, CONVERTED),
                                 (".h5", check_as_trained, AS_TRAINED),
                                 (".keras", check_as_trained, ("by_hand", "pools"))):
        files = sorted(models.glob(f"*{suffix}"))
        assert [path.stem for path in files] == sorted(names), files
        for path in files:
            with tempfile.TemporaryDirectory() as folder:
                text, is_wrong = check(path, pathlib.Path(folder))
            print(f"{path.name}: {text}", flush=True)
            wrong += is_wrong
    return wrong + check_hostile(models)


if __name__ == "__main__":
    sys.exit(min(check_all(pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN), 1))
