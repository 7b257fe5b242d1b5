# SPDX-License-Identifier: Apache-2.0
"""Layers that Keras 2 saved, the files of tests/golden/tf_keras, imported and run beside what it answered.

    tf_keras_test.py [FOLDER]
"""

import pathlib
import sys
import tempfile

import numpy as np

import octet_program

GOLDEN = pathlib.Path(__file__).resolve().parents[2] / "golden/tf_keras"
# Of a layer's largest answer.
BOUND = 1e-5


def check(path, folder):
    """How far each layer's answer is from Keras's, as a part of its largest."""
    inputs = {file.name.split(".")[1]: np.load(file)
              for file in sorted(path.parent.glob(f"{path.stem}.x*.npy"))}
    got = octet_program.import_and_run(path, inputs, folder)
    differences = {}
    for name, wanted in np.load(path.parent / f"{path.stem}.y.npz").items():
        ours = got.get(f"out_{name}")
        assert ours is not None and ours.shape == wanted.shape, f"{path.name}: {name}"
        differences[name] = np.abs(ours - wanted).max() / max(np.abs(wanted).max(), 1e-30)
    return differences


def main():
    models = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else GOLDEN
    files = sorted([*models.glob("*.h5"), *models.glob("*.keras")])
    assert len(files) >= 12 and len(files) % 2 == 0, files
    layers, wrong, worst = 0, 0, 0.0
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            differences = check(path, pathlib.Path(folder))
        layers += len(differences)
        worst = max(worst, *differences.values())
        for name, difference in differences.items():
            if not difference <= BOUND:
                wrong += 1
                print(f"{path.name}: {name} differs by {difference:.1e}")
    print(f"{len(files)} files, {layers} answers, {wrong} wrong; largest difference {worst:.1e}")
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main())
