# SPDX-License-Identifier: Apache-2.0
"""ONNX models given to the program `octet`: imported, run, compared."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import onnx
from onnx import numpy_helper


class Refused(Exception):
    """The program said no; the text is what it said."""


def run_program(octet, *arguments):
    """Runs `octet` and returns what it printed."""
    done = subprocess.run([str(octet), *map(str, arguments)], capture_output=True, text=True,
                          check=False, timeout=300)
    if done.returncode != 0:
        text = done.stderr.strip() or f"ended with {done.returncode}"
        raise Refused(text if done.returncode in (1, 2) else f"CRASHED: {text}")
    return done.stdout


def check_refused(octet, text, model, folder):
    """Whether importing `model` fails with `text` in what is said."""
    onnx.save(model, folder / "model.onnx")
    try:
        run_program(octet, "import", folder / "model.onnx", "--output", folder / "m" / "1")
    except Refused as error:
        if text not in str(error) or "CRASHED" in str(error):
            raise
    else:
        raise Refused(f"is imported, wants {text!r}")


def run_checks(checks, peer):
    """What a peer test does with its arguments, [OCTET [FILTER]]: calls those of `checks` with FILTER
    in their names, each with the program and an empty folder. Returns the exit status."""
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default)
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    if not octet.exists():
        print(f"skipped: {octet} is not there")
        return 77
    chosen = [name for name in checks if wanted in name]
    failures = []
    for name in chosen:
        with tempfile.TemporaryDirectory() as folder:
            try:
                checks[name](octet, pathlib.Path(folder))
            except (AssertionError, Refused) as error:
                failures.append(f"{name}: {error}")
    for failure in failures:
        print("FAILED", failure)
    print(f"{peer}: {len(chosen)} models, {len(failures)} failed")
    return 1 if failures else 0


def graph_inputs(model):
    """The inputs that a caller gives."""
    known = {tensor.name for tensor in model.graph.initializer}
    return [value for value in model.graph.input if value.name not in known]


def bundle_ranks(bundle):
    """How many dimensions each input of the bundle's graph has, by its name."""
    graph = json.loads((pathlib.Path(bundle) / "graph.json").read_text())
    values = graph["values"]
    named = {value["name"]: value for value in values}
    result = {}
    for item in graph["inputs"]:
        value = values[item] if isinstance(item, int) else named[item]
        result[value["name"]] = len(value["shape"])
    return result


def has_extra_rows(bundle, ranks):
    """Whether the bundle's tensors have a dimension in front that the ONNX model's have not."""
    found = bundle_ranks(bundle)
    return any(found[name] == rank + 1 for name, rank in ranks.items())


def as_served(array):
    """The types that requests have: every float is float32."""
    array = np.asarray(array)
    return array.astype(np.float32) if array.dtype.kind == "f" else array


def run_bundle(octet, bundle, inputs, output_names, folder):
    """The outputs for `inputs`, arrays by name, as the ONNX model would shape them."""
    # Without inputs there is no batch in the model, and one row in the bundle.
    extra = not inputs or has_extra_rows(
        bundle, {name: np.ndim(array) for name, array in inputs.items()})
    arguments = []
    for i, (name, array) in enumerate(inputs.items()):
        array = as_served(array)
        path = folder / f"input_{i}.npy"
        np.save(path, array[None] if extra else array)
        arguments += ["--input", f"{name}={path}"]
    out = folder / "outputs"
    run_program(octet, "run", bundle, *arguments, "--output", out)
    results = {}
    for name in output_names:
        array = np.load(out / f"{name.replace('/', '_').replace(':', '_')}.npy")
        results[name] = array[0] if extra else array
    return results


def frozen(model, values):
    """`model` with the inputs named in `values` as constants."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    inputs = [value for value in copy.graph.input if value.name not in values]
    del copy.graph.input[:]
    copy.graph.input.extend(inputs)
    for name, array in values.items():
        copy.graph.initializer.append(numpy_helper.from_array(np.asarray(array), name))
    return copy
