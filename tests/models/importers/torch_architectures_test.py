# SPDX-License-Identifier: Apache-2.0
"""Networks as people have them (recurrent ones, transformers, detectors), as PyTorch's two exporters
write them: the files of tests/golden/torch_architectures, imported, and run for any number of rows and,
where it is open, any length, beside ONNX Runtime and what PyTorch answered.

    torch_architectures_test.py [FOLDER]
"""

import pathlib
import sys

try:
    import numpy as np
    import onnxruntime
    import exported_networks
    import octet_program
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/torch_architectures"
LENGTH = 5  # another than what the files were written with


def requests(inputs, has_open_length):
    """Arrays for all inputs, as they were written first: other numbers of rows, another length."""
    yield inputs
    for rows in (1, 3):
        yield {name: np.concatenate([x, x])[:rows] for name, x in inputs.items()}
    if has_open_length:
        yield {name: np.concatenate([x, x])[:3, :LENGTH] for name, x in inputs.items()}


def difference(a, b):
    return np.abs(a - b).max() / np.abs(b).max()


def differences(path, folder):
    """The largest from ONNX Runtime over all requests, that from PyTorch's own answer, ONNX Runtime's
    from that, and how many requests there were."""
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    name = path.name.split(".")[0]
    inputs = {value.name: np.load(path.with_name(f"{name}.{value.name}.npy"))
              for value in session.get_inputs()}
    has_open_length = all(len(value.shape) > 1 and isinstance(value.shape[1], str)
                          for value in session.get_inputs())
    found, count = [], 0
    for x in requests(inputs, has_open_length):
        (peer,) = session.run(None, x)
        if count == 0:
            (y,) = octet_program.import_and_run(path, x, folder).values()
            wanted = np.load(path.with_name(f"{name}.y.npy"))
            torch, peers = difference(y, wanted), difference(peer, wanted)
        else:
            (y,) = octet_program.run_bundle(folder / "model" / "1", x, folder).values()
        assert y.shape == peer.shape, f"{path.name}: {y.shape}, wants {peer.shape}"
        found.append(difference(y, peer))
        count += 1
    return max(found), torch, peers, count


if __name__ == "__main__":
    sys.exit(exported_networks.check(GOLDEN, "PyTorch", differences))
