# SPDX-License-Identifier: Apache-2.0
"""Networks of Keras 2 as tf2onnx writes them: the files of tests/golden/tf2onnx, imported, and run for any
number of rows and, where it is open, other lengths and sizes, beside ONNX Runtime and what TensorFlow
answered.

    tf2onnx_test.py [FOLDER]
"""

import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import onnxruntime
    import octet_program
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/tf2onnx"
# Of the largest answer.
BOUND = 1e-5
# ONNX Runtime makes integers of what is computed on their grids, which it rounds otherwise than
# TensorFlow: here TensorFlow's answers alone are the measure.
QUANTIZED = "quantized_"
SHORTER = 3  # elements of each open axis


def requests(inputs, open_axes):
    """Arrays for all inputs, as they were written first: other numbers of rows, other sizes."""
    yield inputs
    for rows in (1, 5):
        yield {name: np.concatenate([x, x])[:rows] for name, x in inputs.items()}
    if any(open_axes.values()):
        yield {name: x[tuple(slice(size - SHORTER if axis in open_axes[name] else size)
                             for axis, size in enumerate(x.shape))] for name, x in inputs.items()}


def difference(ours, theirs):
    """The largest of all outputs, of the largest answer of each."""
    assert len(ours) == len(theirs), f"{len(ours)} outputs, wants {len(theirs)}"
    for a, b in zip(ours, theirs):
        assert a.shape == b.shape, f"{a.shape}, wants {b.shape}"
    return max(np.abs(a - b).max() / np.abs(b).max() for a, b in zip(ours, theirs))


def differences(path, folder):
    """The largest from ONNX Runtime (or TensorFlow, of QUANTIZED) over all requests, that from TensorFlow's own answer, ONNX Runtime's
    from that, and how many requests there were."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {value.name: np.load(path.with_name(f"{path.stem}.{value.name.split(':')[0]}.npy"))
              for value in session.get_inputs()}
    open_axes = {value.name: {axis for axis, size in enumerate(value.shape)
                              if axis > 0 and not isinstance(size, int)}
                 for value in session.get_inputs()}
    names = [octet_program.file_name(value.name) for value in session.get_outputs()]
    wanted = [np.load(path.with_name(f"{path.stem}.y{i}.npy")) for i in range(len(names))]
    found, count = [], 0
    for x in requests(inputs, open_axes):
        peer = session.run(None, x)
        if count == 0:
            given = octet_program.import_and_run(path, x, folder)
        else:
            given = octet_program.run_bundle(folder / "model" / "1", x, folder)
        ours = [given[name.removesuffix(".npy")] for name in names]
        if count == 0:
            tensorflow, peers = difference(ours, wanted), difference(peer, wanted)
        if path.name.startswith(QUANTIZED):
            peer = [np.concatenate([y, y])[:len(ours[0])] for y in wanted]
        found.append(difference(ours, peer))
        count += 1
    return max(found), tensorflow, peers, count


def main():
    models = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    files = sorted(models.glob("*.onnx"))
    assert files, f"no model in {models}"
    failed = []
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            try:
                peer, tensorflow, peers, count = differences(path, pathlib.Path(folder))
            except AssertionError as error:
                print(f"{path.name}: {error}")
                failed.append(path.name)
                continue
            except subprocess.CalledProcessError as error:
                print(f"{path.name}: {error.stderr}")
                failed.append(path.name)
                continue
        print(f"{path.name}: {peer:.1e} from ONNX Runtime over {count} requests, {tensorflow:.1e} from "
              f"TensorFlow, as that is by {peers:.1e}", flush=True)
        # What the converter changes is not ours to mend.
        if not (peer <= BOUND and tensorflow <= peers + BOUND):
            failed.append(path.name)
    for name in failed:
        print(f"{name}: FAILED")
    print(f"tf2onnx's exports: {len(files)} models, {len(failed)} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
