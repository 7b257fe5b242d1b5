# SPDX-License-Identifier: Apache-2.0
"""all-MiniLM-L6-v2, in every form that PyTorch writes and by hand: imported, run and quantized, beside
ONNX Runtime, by the cosine of each sentence's embedding to that of the float model in ONNX Runtime.

    minilm_test.py [OCTET]

build/torch has the model and the exporters, where `cmake/setup/setup.sh check` puts them: without it
this is skipped, with a word, or with OCTET_REQUIRE_ALL=1 fails.
"""

import os
import pathlib
import subprocess
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

ROOT = pathlib.Path(__file__).resolve().parents[3]
PYTHON = ROOT / "build/torch/bin/python"
OUTPUT = "sentence_embedding"
LEAST_FLOAT = 0.9999
# ONNX Runtime quantizes a whole batch with one scale, we each token: what it made of the file may
# answer a little better or worse here, by this much.
SLACK = 0.005
LEAST_INT4 = (0.8, 0.9)  # of a sentence, and of all on average


def batches(folder):
    for path in sorted(folder.glob("*.input_ids.npy")):
        name = path.name.split(".")[0]
        yield {part.name.split(".")[1]: np.load(part) for part in folder.glob(f"{name}.*.npy")}


def cosines(got, wanted):
    return np.array([(a @ b) / np.linalg.norm(a) / np.linalg.norm(b)
                     for a, b in zip(got, wanted)])


def text(values):
    return f"{values.min():.6f} {values.mean():.6f}"


class Form:
    """A file, with what ONNX Runtime answers."""

    def __init__(self, octet, path, inputs, root, wanted=None):
        self.octet, self.path, self.inputs, self.root = octet, path, inputs, root
        self.failures = []
        self.wanted = self.theirs(path) if wanted is None else wanted

    def theirs(self, path):
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        return np.concatenate([session.run(None, feed)[0] for feed in self.inputs])

    def ours(self, bundle):
        return np.concatenate([
            onnx_models.run_bundle(self.octet, bundle, feed, [OUTPUT], self.root)[OUTPUT]
            for feed in self.inputs])

    def expect(self, what, values, least_min, least_mean):
        print(f"  {what:28} {text(values)}", flush=True)
        if not (values.min() >= least_min and values.mean() >= least_mean):
            self.failures.append(f"{self.path.stem}: {what}: {text(values)}, wants "
                                 f"{least_min:.6f} {least_mean:.6f}")

    def quantized(self, bundle, mode):
        made = self.root / f"{self.path.stem}-{mode}" / "1"
        onnx_models.run_program(self.octet, "quantize", bundle, "--mode", mode, "--output", made)
        return cosines(self.ours(made), self.wanted)

    def check_their_quantizer(self):
        """The best that it makes: with a scale for each channel."""
        best = None
        for per_channel in (False, True):
            made = self.root / "quantized.onnx"
            quantize_dynamic(self.path, made, weight_type=QuantType.QInt8, per_channel=per_channel,
                             op_types_to_quantize=["MatMul", "Gather"])
            kind = "per channel" if per_channel else "per tensor"
            best = cosines(self.theirs(made), self.wanted)
            print(f"  {'ONNX Runtime int8 ' + kind:28} {text(best)}", flush=True)
            bundle = self.root / f"{self.path.stem}-theirs-{per_channel}" / "1"
            onnx_models.run_program(self.octet, "import", made, "--output", bundle)
            self.expect("  the same file here", cosines(self.ours(bundle), self.wanted),
                        best.min() - SLACK, best.mean() - SLACK)
        return best

    def check(self):
        bundle = self.root / self.path.stem / "1"
        onnx_models.run_program(self.octet, "import", self.path, "--output", bundle)
        self.expect("float", cosines(self.ours(bundle), self.wanted), LEAST_FLOAT, LEAST_FLOAT)
        best = self.check_their_quantizer()
        self.expect("int8-dynamic", self.quantized(bundle, "int8-dynamic"), best.min(), best.mean())
        self.expect("int4", self.quantized(bundle, "int4"), *LEAST_INT4)


def main():
    default = pathlib.Path(os.environ.get("OCTET_BIN_DIR", "build/dev/bin")) / "octet"
    octet = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else default).resolve()
    if not PYTHON.exists():
        print("skipped: build/torch is not there: cmake/setup/setup.sh check")
        return 1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77
    failures = []
    with tempfile.TemporaryDirectory() as folder:
        root = pathlib.Path(folder)
        subprocess.run([PYTHON, ROOT / "tests/golden/onnx/export_minilm.py", root], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=900)
        inputs = list(batches(root))
        files = sorted(root.glob("*.onnx"))
        assert len(files) == 6 and len(inputs) == 2, files
        wanted = Form(octet, root / "by_hand.onnx", inputs, root).wanted
        print("cosine of embeddings to the float model's: least, mean")
        for path in files:
            print(path.stem)
            form = Form(octet, path, inputs, root, wanted)
            try:
                form.expect("ONNX Runtime float", cosines(form.theirs(path), wanted), LEAST_FLOAT,
                            LEAST_FLOAT)
                form.check()
            except onnx_models.Refused as error:
                form.failures.append(f"{path.stem}: {error}")
            failures += form.failures
    for failure in failures:
        print("FAILED", failure)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
