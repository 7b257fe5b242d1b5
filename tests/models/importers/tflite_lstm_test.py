# SPDX-License-Identifier: Apache-2.0
"""Recurrent networks of Keras that TensorFlow's converter quantized, the files of
tests/golden/tflite_lstm: imported, they give the integers of TensorFlow Lite Micro, and with the profile
xnnpack those of LiteRT, live, and of TensorFlow's own interpreter, as it wrote them down. Of dynamic range
they give LiteRT's numbers, within the bound of floats.

    tflite_lstm_test.py [FOLDER]

Prints how many elements the two give otherwise, and how far each is from the network that was trained.
"""

import pathlib
import sys
import tempfile

import numpy as np

try:
    from ai_edge_litert import interpreter as litert
    import tflite_micro_peer_test
    import tflite_peer_test
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import octet_program

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/tflite_lstm"
NAMES = ["backwards", "batch", "bidirectional", "dynamic", "last", "one_step", "sequence",
         "stacked"]


def share(a, b):
    return f"{np.mean(a != b):.2%}, by at most {np.abs(a.astype(int) - b).max()}"


def error_of(y, quantization, real):
    """The relative root mean square error of the integers `y`."""
    scale, zero_point = quantization
    difference = (y.astype(np.float64) - zero_point) * scale - real
    return np.sqrt(np.mean(difference**2) / np.mean(real**2))


def check_dynamic(path, folder):
    """What is wrong with the model at `path`, of dynamic range, which Micro does not have."""
    model = path.read_bytes()
    x, stored, real = (np.load(path.with_suffix(f".{kind}.npy")) for kind in ("x", "y", "float"))
    details = litert.Interpreter(model_content=model).get_input_details()
    inputs = {details[0]["name"]: x}
    (of_litert,) = tflite_peer_test.run_litert(model, inputs).values()
    (got,) = octet_program.import_and_run(path, inputs, folder).values()
    wrong = []
    for peer, wanted in (("TensorFlow's interpreter", stored), ("LiteRT", of_litert)):
        difference = np.abs(got - wanted).max() / np.abs(wanted).max()
        if difference > tflite_peer_test.FLOAT_BOUND:
            wrong.append(f"differs from {peer} by {difference:.3g} of the largest")
    print(f"{path.stem}: {stored.size} elements; from Keras's "
          f"{error_of(got, (1.0, 0.0), real):.3f}")
    return wrong


def check(path, folder):
    """What is wrong with the model at `path`."""
    model = path.read_bytes()
    x, stored, real = (np.load(path.with_suffix(f".{kind}.npy")) for kind in ("x", "y", "float"))
    interpreter = litert.Interpreter(model_content=model)
    details = interpreter.get_input_details()
    (result,) = interpreter.get_output_details()
    inputs = {details[0]["name"]: x}
    (of_litert,) = tflite_peer_test.run_litert(model, inputs).values()
    micro = tflite_micro_peer_test.run_micro(model, inputs, [result["name"]],
                                             tflite_peer_test.batch_of(details))
    if micro is None:
        return ["TensorFlow Lite Micro does not run it"]
    (of_micro,) = micro.values()
    wrong = []
    for peer, profile, wanted in (("TensorFlow's interpreter", "xnnpack", stored),
                                  ("LiteRT", "xnnpack", of_litert),
                                  ("TensorFlow Lite Micro", "tflite-reference", of_micro)):
        (got,) = octet_program.import_and_run(path, inputs, folder, "--profile", profile).values()
        if not np.array_equal(got, wanted):
            wrong.append(f"{profile} differs from {peer}: {share(got, wanted)}")
    errors = [f"{error_of(y, result['quantization'], real):.3f}" for y in (of_litert, of_micro)]
    print(f"{path.stem}: {stored.size} elements; LiteRT and Micro differ in "
          f"{share(of_litert, of_micro)}; from Keras's {errors[0]} and {errors[1]}")
    return wrong


def main():
    models = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    if not octet_program.path().exists():
        print(f"skipped: {octet_program.path()} is not there")
        return 77
    files = sorted(models.glob("*.tflite"))
    assert [path.stem for path in files] == NAMES, files
    failures = 0
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            is_dynamic = path.stem == "dynamic"
            wrong = (check_dynamic if is_dynamic else check)(path, pathlib.Path(folder))
        for error in wrong:
            print(f"FAILED {path.stem}: {error}")
        failures += bool(wrong)
    print(f"{len(files)} networks, {failures} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
