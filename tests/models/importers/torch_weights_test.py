# SPDX-License-Identifier: Apache-2.0
"""State dicts as PyTorch and torchao save them, on float graphs of both exporters: the files of
tests/golden/torch, imported and run beside what the quantized modules answered.

    torch_weights_test.py [OCTET]

The graphs hold other weights, so that an answer near the modules' is one of the state dict.
"""

import json
import os
import pathlib
import sys
import tempfile

try:
    import numpy as np
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/torch"
# Of the largest answer. Integers that differ by one would give more than a hundred times that.
BOUND = 2e-6
# The last bit of what a layer computed decides how the next one rounds a tie, and the largest number of
# a row is one: 127.5 steps. Two of the 1536 numbers between the layers of one network here differ so.
BOUNDS = {"toy.smooth_dynamic": 5e-3}
PRECISIONS = {"float": "fp32", "dynamic_row": "int8-dynamic", "dynamic_asymmetric": "int8-dynamic",
              "dynamic_reduced": "int8-dynamic", "intx_row": "int8-dynamic",
              "static": "int8-static", "static_asymmetric": "int8-static",
              "static_reduced": "int8-static", "smooth_dynamic": "int8-dynamic",
              "smooth_static": "int8-static"}  # the others: int8-weight-only


def check(octet, weights, graph, root):
    module, kind, _ = weights.name.split(".")
    bundle = root / "model" / "1"
    onnx_models.run_program(octet, "import", weights, "--graph", graph, "--output", bundle)
    manifest = json.loads(onnx_models.run_program(octet, "inspect", bundle, "--json"))
    wanted = PRECISIONS.get(kind, "int8-weight-only")
    if manifest["precision"] != wanted:
        raise onnx_models.Refused(f"its precision is {manifest['precision']}, wants {wanted}")
    x = np.load(GOLDEN / f"{module}.x.npy")
    got = onnx_models.run_bundle(octet, bundle, {"x": x}, ["y"], root)["y"]
    reference = np.load(GOLDEN / f"{module}.{kind}.y.npy")
    difference = np.abs(got - reference).max() / np.abs(reference).max()
    if not difference <= BOUNDS.get(f"{module}.{kind}", BOUND):
        raise onnx_models.Refused(f"differs by {difference:g} of the largest answer")
    return difference


def check_refused(octet, arguments, part):
    try:
        onnx_models.run_program(octet, "import", *arguments)
    except onnx_models.Refused as error:
        if part not in str(error):
            raise
    else:
        raise onnx_models.Refused(f"{arguments}: taken, wants an error with {part!r}")


def main():
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not octet.exists():
        print(f"skipped: {octet} is not there")
        return 77
    failed, largest, count = [], {}, 0
    for weights in sorted(GOLDEN.glob("*.safetensors")):
        module, kind, _ = weights.name.split(".")
        for graph in sorted(GOLDEN.glob(f"{module}.*.onnx")):
            with tempfile.TemporaryDirectory() as folder:
                try:
                    difference = check(octet, weights, graph, pathlib.Path(folder))
                    largest[kind] = max(largest.get(kind, 0), difference)
                except onnx_models.Refused as error:
                    failed.append(f"{weights.name} on {graph.name}: {error}")
            count += 1
    for kind, difference in largest.items():
        print(f"{kind}: largest difference {difference:.1e} of the largest answer")
    with tempfile.TemporaryDirectory() as folder:
        bundle = pathlib.Path(folder) / "1"
        toy = GOLDEN / "toy.float.safetensors"
        try:
            check_refused(octet, [toy, "--output", bundle], "--graph")
            check_refused(octet, [GOLDEN / "toy.script.onnx", "--graph", GOLDEN / "toy.dynamo.onnx",
                                  "--output", bundle], "the file has its own")
            check_refused(octet, [toy, "--graph", GOLDEN / "classifier.script.onnx", "--output",
                                  bundle], '"linear1.weight", "linear2.weight"')
        except onnx_models.Refused as error:
            failed.append(str(error))
    assert count >= 98, count
    print(f"{count} imports", *failed, sep="\n")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
