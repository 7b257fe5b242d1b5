# SPDX-License-Identifier: Apache-2.0
"""The program `octet`, run on models and arrays."""

import os
import pathlib
import subprocess

import numpy as np


def path() -> pathlib.Path:
    return pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"


def run(*arguments) -> subprocess.CompletedProcess:
    """Raises CalledProcessError, with what the program said, where it failed."""
    return subprocess.run([str(path()), *map(str, arguments)], check=True, capture_output=True,
                          text=True)


def file_name(tensor: str) -> str:
    """Of the file that `octet run` writes for an output."""
    return tensor.replace("/", "_").replace(":", "_") + ".npy"


def run_bundle(bundle: pathlib.Path, inputs: dict[str, np.ndarray],
               folder: pathlib.Path) -> dict[str, np.ndarray]:
    """The outputs of `bundle`, by the names of their files without the ending."""
    arguments = []
    for index, (name, x) in enumerate(inputs.items()):
        file = folder / f"input_{index}.npy"
        np.save(file, x)
        arguments += ["--input", f"{name}={file}"]
    for old in (folder / "out").glob("*.npy"):
        old.unlink()
    run("run", bundle, *arguments, "--output", folder / "out")
    return {file.stem: np.load(file) for file in (folder / "out").glob("*.npy")}


def import_and_run(model: pathlib.Path, inputs: dict[str, np.ndarray], folder: pathlib.Path,
                   *options: str) -> dict[str, np.ndarray]:
    """The outputs of `model`, imported with `options` as folder/model/1."""
    bundle = folder / "model" / "1"
    run("import", model, "--output", bundle, "--replace", *options)
    return run_bundle(bundle, inputs, folder)
