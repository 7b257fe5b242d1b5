# SPDX-License-Identifier: Apache-2.0
"""TensorFlow Lite Micro against Octet: models of every operator, imported with the default profile,
tflite-reference. Its kernels are those that the profile is named after: integers are equal. Micro has
none for uint8, nor for some operators of int8, and of int16 it computes some as no other program does;
there LiteRT's own reference kernels are the peer.

    tflite_micro_peer_test.py [FILTER]

Prints how many elements other kernels give otherwise.
"""

import collections
import itertools
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

try:
    from ai_edge_litert import interpreter as litert
    from tflite_micro.python.tflite_micro import runtime
    import tflite_cases
    import tflite_hybrid_cases
    import tflite_int16_cases
    import tflite_lstm_cases
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import octet_program
import tflite_peer_test

ROWS = 7
MICRO, LITERT = "TensorFlow Lite Micro", "LiteRT's reference kernels"
RESOLVER = litert.OpResolverType
OTHERS = {LITERT: RESOLVER.BUILTIN_REF,
          "LiteRT's optimized kernels": RESOLVER.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
          "XNNPACK": RESOLVER.AUTO}
# The operators of int8 that Micro does not have.
LACKING = {"int8/relu_n1_to_1"}
# The operators of int16 for which Micro is the peer: LiteRT's reference kernel adds up without scales.
MICRO_INT16 = {"int16/sum"}


def run_micro(model, inputs, names, batch):
    """The outputs by name, for `batch` rows at once; None where Micro does not have the operator."""
    outputs = collections.defaultdict(list)
    try:
        interpreter = runtime.Interpreter.from_bytes(model)
        for row in range(0, len(next(iter(inputs.values()))), batch):
            interpreter.reset()  # a recurrent layer goes on where the last row ended
            for number, x in enumerate(inputs.values()):
                interpreter.set_input(x[row:row + batch], number)
            interpreter.invoke()
            for number, name in enumerate(names):
                outputs[name].append(interpreter.get_output(number).copy())
    except RuntimeError:
        return None
    return {name: np.concatenate(parts) for name, parts in outputs.items()}


def group_of(name):
    return "LSTM" if "lstm" in name else "other operators"


def count_others(model, inputs, got, differing, steps):
    for other, resolver in OTHERS.items():
        for name, y in tflite_peer_test.run_litert(model, inputs, resolver).items():
            difference = np.abs(y.astype(int) - got[octet_program.file_name(name)[:-4]])
            differing[other] += np.count_nonzero(difference)
            steps[other] = max(steps[other], int(difference.max()))


def check(name, model, folder, totals):
    path = folder / "model.tflite"
    path.write_bytes(model)
    interpreter = litert.Interpreter(model_content=model)
    details = interpreter.get_input_details()
    # Multipliers that differ in their last bits differ in few of 65536 numbers.
    batch = tflite_peer_test.batch_of(details)
    rows = 5 * ROWS if name.startswith("int16/") else ROWS * batch
    inputs = {entry["name"]: tflite_cases.random_input(entry, rows) for entry in details}
    got = octet_program.import_and_run(path, inputs, folder)
    wanted = None
    if name in MICRO_INT16 or name.startswith("int8/"):
        # Weights of int4 are those of int8; Micro does not have all layers with them.
        wanted = run_micro(tflite_hybrid_cases.widened(model), inputs,
                           [entry["name"] for entry in interpreter.get_output_details()], batch)
        assert (wanted is None) == (name in LACKING), "Micro has it, or has it no more"
    peer = MICRO if wanted is not None else LITERT
    if wanted is None:
        wanted = tflite_peer_test.run_litert(model, inputs, RESOLVER.BUILTIN_REF)
    tflite_peer_test.check(name, got, wanted, 0)
    totals[peer] += 1
    return inputs, got


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if not octet_program.path().exists():
        print(f"skipped: {octet_program.path()} is not there")
        return 77
    totals, elements = collections.Counter(), collections.Counter()
    differing, steps = (collections.defaultdict(collections.Counter) for _ in range(2))
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        for name, build, _ in itertools.chain(tflite_cases.cases(), tflite_int16_cases.cases(),
                                                tflite_hybrid_cases.integer_cases(),
                                                tflite_lstm_cases.integer_cases()):
            if wanted not in name or name.startswith("float32/"):
                continue
            model = build()
            try:
                inputs, got = check(name, model, pathlib.Path(folder), totals)
            except subprocess.CalledProcessError as error:
                failures.append(f"{name}: {error.stderr.strip()}")
                continue
            except AssertionError as error:
                failures.append(f"{name}: {error}")
                continue
            is_int16 = name.startswith("int16/")  # which all of LiteRT's kernels compute alike
            if not is_int16 and all(y.dtype.kind != "f" for y in got.values()):
                group = group_of(name)
                elements[group] += sum(y.size for y in got.values())
                count_others(model, inputs, got, differing[group], steps[group])
    for failure in failures:
        print("FAILED", failure)
    for group, other in itertools.product(elements, OTHERS):
        print(f"{group}, {other}: {differing[group][other] / elements[group]:.3%} of "
              f"{elements[group]} elements otherwise, by at most {steps[group][other]}")
    print(f"{totals[MICRO]} models equal {MICRO}, {totals[LITERT]} {LITERT}, "
          f"{len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
