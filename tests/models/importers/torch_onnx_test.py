# SPDX-License-Identifier: Apache-2.0
"""Networks that PyTorch and torchao quantized and wrote as ONNX, or a script of ours did for them: the
files of tests/golden/torch_onnx, imported and run beside what PyTorch answered, and beside ONNX Runtime.

    torch_onnx_test.py [FOLDER]
"""

import json
import pathlib
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
    import octet_program
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/torch_onnx"
PRODUCTS = {"FullyConnected", "Conv2d", "DepthwiseConv2d", "MatMul", "IntegerMatMul"}
# How far from PyTorch's answers, of the largest; and which share of the products are of integers.
# Static results are steps of an output's scale: PyTorch's own kernels round some to the next, and a
# few more where it computes with floats that were rounded to the integers' values (pt2e).
BOUNDS = {
    "ptdq": (1e-6, 1.0),
    "ptsq": (0.03, 1.0),
    "qat": (0.03, 1.0),
    "pt2e": (0.03, 0.5),
}


def share_in_integers(bundle):
    nodes = json.loads((bundle / "graph.json").read_text())["nodes"]
    products = [node for node in nodes if node["op"] in PRODUCTS]
    integers = [node for node in products if node["op"] == "IntegerMatMul" or any(
        attribute["name"] == "activation_quantization" for attribute in node.get("attributes", []))]
    return len(integers), len(products)


def differences(path, folder):
    """Of the largest answer: from PyTorch, from ONNX Runtime, and of these two."""
    x, wanted = np.load(path.with_suffix(".x.npy")), np.load(path.with_suffix(".y.npy"))
    (got,) = octet_program.import_and_run(path, {"x": x}, folder).values()
    peer = onnxruntime.InferenceSession(path).run(None, {"x": x})[0]
    largest = np.abs(wanted).max()
    assert got.shape == wanted.shape, got.shape
    pairs = [(got, wanted), (got, peer), (peer, wanted)]
    return [np.abs(a - b).max() / largest for a, b in pairs], (got == wanted).mean()


def check(path, folder):
    """Whether the model at `path` is as near as it has to be."""
    (ours, peer, theirs), equal = differences(path, folder)
    integers, products = share_in_integers(folder / "model" / "1")
    print(f"{path.stem}: {ours:.1e} from PyTorch ({equal:.0%} equal), {peer:.1e} from ONNX Runtime, "
          f"which is {theirs:.1e} from PyTorch; {integers} of {products} products in integers",
          flush=True)
    bound, share = BOUNDS[path.stem.split("_")[0]]
    return ours <= bound and integers >= share * products


def main():
    models = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    files = sorted(models.glob("*.onnx"))
    assert {path.stem.split("_")[0] for path in files} == set(BOUNDS) and len(files) >= 15, files
    failed = []
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            if not check(path, pathlib.Path(folder)):
                failed.append(path.stem)
    for name in failed:
        print(f"{name}: too far, or not in integers")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
