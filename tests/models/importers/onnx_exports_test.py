# SPDX-License-Identifier: Apache-2.0
"""Transformers as PyTorch's exporters write them: the files of tests/golden/onnx, imported, run for any
number of rows and any length, and quantized, beside what PyTorch and ONNX Runtime answer.

    onnx_exports_test.py [OCTET]

Every form must become the same few operators: attention, layer normalization and gelu are found
whichever way they are written.
"""

import collections
import json
import os
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
    from onnxruntime.quantization import QuantType, quantize_dynamic
    from tests.support import onnx_models
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/onnx"
OUTPUT = "sentence_embedding"
LAYERS = 2
LONGEST = 20
BOUND = 1e-5
# Of what is left: the nodes that tell whether something was not recognized.
WANTED = {"Attention": LAYERS, "LayerNormalization": 1 + 2 * LAYERS, "Softmax": 0,
          "ElementwiseFunction": 0, "MatMul": 0, "Transpose": 0}
# The least cosine to the float model's embeddings.
LEAST_COSINE = {"int8-dynamic": 0.995, "int8-weight-only": 0.999, "int4": 0.95}


def cases():
    names = sorted(path.name.split(".")[0] for path in GOLDEN.glob(f"*.{OUTPUT}.npy"))
    for name in names:
        inputs = {path.name.split(".")[1]: np.load(path) for path in GOLDEN.glob(f"{name}.*.npy")}
        yield name, inputs, inputs.pop(OUTPUT)


def least_cosine(got, wanted):
    return float(min((a @ b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(got, wanted)))


def embeddings(octet, bundle, root):
    return {name: onnx_models.run_bundle(octet, bundle, inputs, [OUTPUT], root)[OUTPUT]
            for name, inputs, _ in cases()}


def check_operators(octet, bundle):
    described = json.loads(onnx_models.run_program(octet, "inspect", bundle, "--json"))
    counts = collections.Counter(step["operator"] for step in described["steps"])
    found = {op: counts[op] for op in WANTED}
    if found != WANTED:
        raise onnx_models.Refused(f"its steps are {dict(counts)}, wants {WANTED}")


def check_longest(octet, bundle, root):
    """A sequence that the table of positions is too short for is refused, not answered."""
    inputs = {name: np.ones((1, LONGEST + 1), array.dtype) for name, array in
              next(cases())[1].items()}
    try:
        onnx_models.run_bundle(octet, bundle, inputs, [OUTPUT], root)
    except onnx_models.Refused as error:
        if f"wants at most {LONGEST}" not in str(error):
            raise
    else:
        raise onnx_models.Refused("a sequence that is too long was answered")


def check_float(octet, path, bundle, root):
    onnx_models.run_program(octet, "import", path, "--output", bundle)
    got = embeddings(octet, bundle, root)
    for name, _, wanted in cases():
        difference = np.abs(got[name] - wanted).max() / np.abs(wanted).max()
        if not difference <= BOUND:
            raise onnx_models.Refused(f"case {name} differs by {difference:g}")
    check_operators(octet, bundle)
    check_longest(octet, bundle, root)


def check_quantized(octet, bundle, root):
    for mode, bound in LEAST_COSINE.items():
        quantized = root / mode / "1"
        onnx_models.run_program(octet, "quantize", bundle, "--mode", mode, "--output", quantized)
        got = embeddings(octet, quantized, root)
        cosine = min(least_cosine(got[name], wanted) for name, _, wanted in cases())
        if not cosine >= bound:
            raise onnx_models.Refused(f"{mode}: a cosine of {cosine:.6f}, wants {bound}")
        print(f"    {mode}: {cosine:.6f}")


def check_quantized_file(octet, path, root):
    """What ONNX Runtime's quantizer makes of it answers as there."""
    made = root / "quantized.onnx"
    # It takes ONNX's Attention for one of its own.
    quantize_dynamic(path, made, weight_type=QuantType.QInt8, per_channel=True,
                     op_types_to_quantize=["MatMul", "Gather"])
    session = onnxruntime.InferenceSession(str(made), providers=["CPUExecutionProvider"])
    bundle = root / "theirs" / "1"
    onnx_models.run_program(octet, "import", made, "--output", bundle)
    got = embeddings(octet, bundle, root)
    for name, inputs, wanted in cases():
        # A row at a time, because a scale belongs to a row here.
        theirs = np.concatenate([session.run(None, {key: array[i:i + 1] for key, array in
                                                    inputs.items()})[0]
                                 for i in range(len(wanted))])
        cosine = least_cosine(got[name], theirs)
        if not cosine >= 0.995:
            raise onnx_models.Refused(f"quantized by ONNX Runtime: {cosine:.6f} in case {name}")


def main():
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default)
    if not octet.exists():
        print(f"skipped: {octet} is not there")
        return 77
    failed = []
    files = sorted(GOLDEN.glob("*.onnx"))
    assert len(files) >= 10, files
    for path in files:
        print(path.name, flush=True)
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            try:
                check_float(octet, path, root / "float" / "1", root)
                check_quantized(octet, root / "float" / "1", root)
                check_quantized_file(octet, path, root)
            except onnx_models.Refused as error:
                failed.append(f"{path.name}: {error}")
    print("\n".join(failed))
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
