# SPDX-License-Identifier: Apache-2.0
"""Model files as people have them (`run.py --models`): imported, those of TensorFlow Lite in each of their
profiles, beside the runtime that they were made for. One row of random inputs."""
import json
import pathlib
import subprocess

from ai_edge_litert import interpreter as litert
import numpy as np
import onnxruntime

import cases

SEED = 4
# From the runtime's answer: where integers round otherwise, differences grow from layer to layer.
TOLERANCE = 0.15
TFLITE_PROFILES = ("tflite-reference", "tflite-single-rounding", "xnnpack")
ONNX_TYPES = {"tensor(float)": np.float32, "tensor(int64)": np.int64, "tensor(int32)": np.int32,
              "tensor(int8)": np.int8, "tensor(uint8)": np.uint8}


def _random(shape, dtype) -> np.ndarray:
    rng = np.random.default_rng(SEED)
    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return rng.standard_normal(shape).astype(dtype)
    if dtype.itemsize > 1:  # something to look up
        return rng.integers(0, 100, shape, dtype)
    limits = np.iinfo(dtype)
    return rng.integers(limits.min, limits.max, shape, dtype, endpoint=True)


def _only(inputs: list):
    """What the contenders' programs can be given."""
    if len(inputs) != 1:
        raise ValueError(f"it has {len(inputs)} inputs, wants one")
    return inputs[0]


def _run_litert(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    interpreter = litert.Interpreter(str(path), num_threads=1)
    interpreter.allocate_tensors()
    details = _only(interpreter.get_input_details())
    x = _random(details["shape"], details["dtype"])
    interpreter.set_tensor(details["index"], x)
    interpreter.invoke()
    return x, interpreter.get_tensor(interpreter.get_output_details()[0]["index"])


def _run_onnxruntime(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Dimensions that are open are 1."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    details = _only(session.get_inputs())
    shape = [dim if isinstance(dim, int) else 1 for dim in details.shape]
    x = _random(shape, ONNX_TYPES[details.type])
    return x, session.run(None, {details.name: x})[0]


# By the ending: the peer, what runs a file of it, and the profiles.
RUNTIMES = {".tflite": ("litert", _run_litert, TFLITE_PROFILES),
            ".onnx": ("onnxruntime", _run_onnxruntime, ("",))}


def find(paths: list[pathlib.Path]) -> list[pathlib.Path]:
    """The model files among `paths` and below them."""
    return [file for path in paths
            for file in (sorted(path.rglob("*")) if path.is_dir() else [path])
            if file.suffix in RUNTIMES]


def _case(path: pathlib.Path, octet: pathlib.Path) -> cases.Case:
    engine, run, profiles = RUNTIMES[path.suffix]
    folder = cases.MODELS / "imported" / f"{path.parent.name}-{path.stem}"
    contenders = [cases.Contender("octet", profile, folder / (profile or "onnx"), TOLERANCE)
                  for profile in profiles]

    def prepare() -> tuple[np.ndarray, np.ndarray]:
        folder.mkdir(parents=True, exist_ok=True)
        for contender in contenders:
            options = ["--profile", contender.form] if contender.form else []
            subprocess.run([octet, "import", path, *options, "--output", contender.model,
                            "--replace"], check=True)
        _count(octet, contenders[0].model, case)
        return run(path)

    case = cases.Case(f"{path.parent.name}/{path.name}",
                      [*contenders, cases.Contender(engine, "as it is", path, TOLERANCE)],
                      prepare, 0, 0)
    return case


def _count(octet: pathlib.Path, bundle: pathlib.Path, case: cases.Case) -> None:
    """What the imported model computes and reads, as Octet says; of one with open lengths, which the
    measured row does not have, only the share."""
    about = json.loads(subprocess.check_output([octet, "inspect", bundle, "--json"]))
    products = about["multiply_accumulates"]
    if products["all"] == 0:
        return
    case.integer_percent = products["integer_percent"]
    if "open_dimensions" not in products:
        case.operations = int(2 * products["all"])
        case.float_operations = int(2 * (products["all"] - products["integer"]))
        case.weight_bytes = sum(step["packed_bytes"] for step in about["steps"])


def make_cases(paths: list[pathlib.Path], octet: pathlib.Path):
    for path in find(paths):
        yield _case(path, octet)
