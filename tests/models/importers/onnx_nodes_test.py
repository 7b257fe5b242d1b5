# SPDX-License-Identifier: Apache-2.0
"""The ONNX project's own backend tests, each imported and run by the real program.

    onnx_nodes_test.py [OCTET [FILTER]]

Those of Debian's libonnx-testdata and those beside the repository (OCTET_TEST_DATA, or
../shared/data) are tried where they are there. onnx_nodes_skipped.txt names each test that cannot
pass, with the reason: "= REASON" for those that are refused, "! REASON" for those that are answered
otherwise than ONNX says. A test that fails and is not there fails, and so does one that is there and
passes, or does not fail as it is said to. With ONNX_NODES_WRITE=FILE every test that fails is written
there with what was said.

A weight must be a constant for Octet and is an input in many of these tests: where the model as it
is cannot be imported, all its inputs but the first become constants with the test's own values, and
where that cannot be either (a size, a bound of a range), the first as well.
"""

import concurrent.futures
import os
import pathlib
import sys
import tempfile

try:
    import ml_dtypes
    import numpy as np
    import onnx
    from onnx import numpy_helper
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

HERE = pathlib.Path(__file__).resolve().parent
SKIPPED = HERE / "onnx_nodes_skipped.txt"
DEBIAN = pathlib.Path("/usr/include/onnx/backend/test/data")
RELATIVE, ABSOLUTE = 1e-3, 1e-7
HALF_RELATIVE, HALF_ABSOLUTE = 1e-2, 1e-3


def folders():
    """(name, folder) of each test."""
    beside = pathlib.Path(os.environ.get("OCTET_TEST_DATA", "../shared/data")) / "onnx"
    roots = [(name, beside / name) for name in ("node-opset22", "node-opset12", "simple",
                                                "pytorch-operator", "pytorch-converted")]
    roots += [(f"debian-{name}", DEBIAN / name) for name in ("node", "simple", "pytorch-operator",
                                                             "pytorch-converted")]
    for suite, root in roots:
        if not root.is_dir():
            print(f"not there: {root}")
            continue
        for folder in sorted(root.iterdir()):
            if (folder / "model.onnx").exists():
                yield f"{suite}/{folder.name}", folder


def load_tensor(path):
    tensor = onnx.TensorProto()
    tensor.ParseFromString(path.read_bytes())
    if tensor.data_type == onnx.TensorProto.UNDEFINED:
        raise onnx_models.Refused("its data are no tensors")
    return numpy_helper.to_array(tensor)


def as_declared(value, array):
    """Older files hold the bits of bfloat16 as uint16."""
    is_bfloat16 = value.type.tensor_type.elem_type == onnx.TensorProto.BFLOAT16
    return array.view(ml_dtypes.bfloat16) if is_bfloat16 and array.dtype == np.uint16 else array


def is_text(array):
    return array.dtype.kind in "OUS"


def check_close(name, got, wanted):
    if got.shape != wanted.shape:
        raise onnx_models.Refused(f"WRONG: {name} has shape {got.shape}, wants {wanted.shape}")
    if wanted.dtype.kind in "biu":
        if not np.array_equal(got.astype(wanted.dtype), wanted):
            raise onnx_models.Refused(f"WRONG: {name} differs")
        return
    is_half = wanted.dtype.itemsize < 4
    relative, absolute = (HALF_RELATIVE, HALF_ABSOLUTE) if is_half else (RELATIVE, ABSOLUTE)
    got, wanted = got.astype(np.float64), wanted.astype(np.float64)
    if not np.allclose(got, wanted, rtol=relative, atol=absolute, equal_nan=True):
        raise onnx_models.Refused(f"WRONG: {name} differs by {np.nanmax(np.abs(got - wanted)):g}")


def attempt(octet, model, inputs, outputs, folder):
    folder.mkdir()
    path = folder / "model.onnx"
    onnx.save(model, path)
    onnx_models.run_program(octet, "import", path, "--output", folder / "m" / "1")
    got = onnx_models.run_bundle(octet, folder / "m" / "1", inputs, list(outputs), folder)
    for name, wanted in outputs.items():
        check_close(name, got[name], wanted)


def check_first_that_is_imported(octet, model, inputs, outputs, root):
    """None, or what was wrong: of the model as it is, or with as few constants as it takes."""
    counts = [len(inputs), min(len(inputs), 1), 0]
    if any(is_text(array) for array in inputs.values()):
        counts = counts[:1]
    text = None
    for count in dict.fromkeys(counts):
        given = dict(list(inputs.items())[:count])
        constants = {name: array for name, array in inputs.items() if name not in given}
        folder = root / f"inputs_{count}"
        try:
            attempt(octet, onnx_models.frozen(model, constants), given, outputs, folder)
            return None
        except onnx_models.Refused as error:
            text = str(error).replace(str(root), "").replace(f"/{folder.name}/model.onnx: ", "")
            if "CRASHED" in text or "WRONG" in text:
                break
    return text


def check(octet, path):
    """None, or what was wrong."""
    try:
        model = onnx.load(path / "model.onnx")
        values = onnx_models.graph_inputs(model)
        names = [value.name for value in values]
        data = path / "test_data_set_0"
        inputs = [load_tensor(data / f"input_{i}.pb") for i in range(len(names))]
        outputs = [load_tensor(data / f"output_{i}.pb") for i in range(len(model.graph.output))]
        inputs = {value.name: as_declared(value, array) for value, array in zip(values, inputs)}
        inputs = {name: array.astype(np.float32) if array.dtype == ml_dtypes.bfloat16 else array
                  for name, array in inputs.items()}
        outputs = {value.name: as_declared(value, array)
                   for value, array in zip(model.graph.output, outputs)}
    except (OSError, ValueError, TypeError) as error:
        return f"its data cannot be read: {error}"
    except onnx_models.Refused as error:
        return str(error)
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        try:
            return check_first_that_is_imported(octet, model, inputs, outputs, root)
        except (TypeError, ValueError) as error:
            return f"its data cannot be compared: {error}"


def skipped():
    """The reason for each test that is to be skipped, "= " or "! " in front."""
    reasons = {}
    reason = ""
    for line in SKIPPED.read_text().splitlines():
        if line.startswith(("= ", "! ")):
            reason = line
        elif line and not line.startswith("#"):
            assert reason and line not in reasons, f"{SKIPPED.name}: {line!r}"
            reasons[line] = reason
    return reasons


def main():
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default)
    wanted = sys.argv[2] if len(sys.argv) > 2 else ""
    if not octet.exists():
        print(f"skipped: {octet} is not there")
        return 77
    tests = [test for test in folders() if wanted in test[0]]
    if not tests:
        print("skipped: neither libonnx-testdata nor ../shared/data is there")
        return 77
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda test: check(octet, test[1]), tests))
    outcomes = {name: result for (name, _), result in zip(tests, results)}
    if out := os.environ.get("ONNX_NODES_WRITE"):
        pathlib.Path(out).write_text("".join(
            f"{name}: {result.splitlines()[0]}\n" for name, result in outcomes.items() if result))
    reasons = skipped()
    failures = [f"{name}: {result}" for name, result in outcomes.items()
                if result and name not in reasons]
    failures += [f"{name}: passes, and {SKIPPED.name} says: {reason}"
                 for name, reason in reasons.items() if name in outcomes and not outcomes[name]]
    # What the list leaves out is a refusal, or where it says so a wrong answer, and never a crash.
    failures += [f"{name}: {outcomes[name]}; {SKIPPED.name} says: {reason}"
                 for name, reason in reasons.items() if outcomes.get(name) and (
                     "CRASHED" in outcomes[name] or
                     ("WRONG" in outcomes[name]) != reason.startswith("! "))]
    for failure in failures:
        print("FAILED", failure)
    count = sum(result is None for result in outcomes.values())
    print(f"{len(outcomes)} tests: {count} pass, "
          f"{sum(name in outcomes for name in reasons)} are skipped, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
