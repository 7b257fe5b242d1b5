# SPDX-License-Identifier: Apache-2.0
"""Real TensorFlow Lite models against outputs and labels that are kept below ../shared/data: replayed,
with no other runtime.

    tflite_reference_test.py [FILTER]

The integer outputs there are those of TensorFlow Lite Micro's reference kernels, of uint8 those of
LiteRT's: the default profile, tflite-reference, equals them.
"""

import csv
import gzip
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import octet_program

DATA = pathlib.Path(os.environ.get("OCTET_TEST_DATA", "../shared/data"))
TINY = "mlperf-tiny"


def outputs_of(model, x, folder):
    """Of a model with one input and one output."""
    description = octet_program.run("import", DATA / f"{model}.tflite", "--output",
                                    folder / "model" / "1", "--replace")
    assert "operators" in description.stdout, description.stdout
    np.save(folder / "x.npy", x)
    octet_program.run("run", folder / "model" / "1", "--input", folder / "x.npy", "--output",
                      folder / "out")
    (file,) = (folder / "out").glob("*.npy")
    y = np.load(file)
    file.unlink()
    return y


def load(path):
    return np.load(DATA / path)


def as_int8(x):
    """uint8 pixels in the quantization of models whose zero point is -128."""
    return (x ^ 0x80).view(np.int8)


def check_integers(model, x, reference, labels=None):
    """Equal, in every element; of `labels`, how many are right is told."""
    def check(folder):
        y = outputs_of(model, x(), folder)
        wanted = load(reference)
        assert y.dtype == wanted.dtype and y.shape == wanted.shape, f"{y.dtype}{y.shape}"
        steps = np.abs(y.astype(int) - wanted)
        assert steps.max() == 0, f"{np.mean(steps != 0):.2%} differ, by up to {steps.max()}"
        told = f"{y.size} integers equal"
        return told if labels is None else f"{told}, {np.mean(y.argmax(-1) == labels()):.2%} right"
    return check


def check_floats(model, x, reference, bound):
    def check(folder):
        y = outputs_of(model, x(), folder)
        wanted = load(reference)
        difference = np.abs(y.reshape(wanted.shape) - wanted).max() / np.abs(wanted).max()
        assert difference <= bound, f"{difference:.3g} apart, wants {bound}"
        return f"{difference:.2g} apart"
    return check


def keyword_labels():
    with (DATA / TINY / "keyword-spotting/y_labels.csv").open() as file:
        return np.array([int(row[2]) for row in csv.reader(file)])


def image_labels():
    return load(f"{TINY}/image-classification/reference/labels.npy")


def images():
    return load(f"{TINY}/image-classification/reference/inputs_uint8_nhwc.npy")


def scenes():
    return load(f"{TINY}/visual-wake-words/reference/inputs_uint8_nhwc.npy")


def mnist(name, header):
    with gzip.open(DATA / "datasets/mnist" / name) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)


def check_mnist(folder):
    x = mnist("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:2000]
    y = outputs_of("tflite/mnist/mnist_autokeras_float", x, folder)
    right = np.mean(y.argmax(-1) == mnist("t10k-labels-idx1-ubyte.gz", 8)[:2000])
    assert right >= 0.98, f"{right:.2%} are right, wants 98 %"
    return f"{right:.2%} right"


def check_lstm(folder):
    """A digit's rows one after the other, in float and in int8."""
    x = mnist("t10k-images-idx3-ubyte.gz", 16).reshape(-1, 28, 28)[:2000]
    labels = mnist("t10k-labels-idx1-ubyte.gz", 8)[:2000]
    shares = []
    for name, rows in (("trained_lstm", (x / 255).astype(np.float32)),
                       ("trained_lstm_int8", (x ^ 0x80).view(np.int8))):
        y = outputs_of(f"tflite/mnist/{name}", rows, folder)
        shares.append(np.mean(y.argmax(-1) == labels))
    assert min(shares) >= 0.97, f"{shares} are right, wants 97 %"
    return f"{shares[0]:.2%} right in float, {shares[1]:.2%} in int8"


def check_half_plus_two(folder):
    y = outputs_of("tflite/small/half_plus_two", np.array([[1], [2], [5]], np.float32), folder)
    assert y.tolist() == [[2.5], [3.0], [4.5]], y
    return "exact"


def check_person(folder):
    """The pixels go in as they are, as their own test has it."""
    def pixels(name):
        raw = (DATA / "tflite/small" / name).read_bytes()
        upwards = np.frombuffer(raw[-96 * 96:], np.int8).reshape(1, 96, 96, 1)
        return upwards[:, ::-1]  # as this format has its rows
    x = np.concatenate([pixels("person.bmp"), pixels("no_person.bmp")])
    y = outputs_of("tflite/small/person_detect", x, folder)
    assert y.tolist() == [[-113, 113], [57, -57]], y
    return "exact"


CHECKS = {
    "image classification": check_integers(
        f"{TINY}/image-classification/pretrainedResnet_quant", lambda: as_int8(images()),
        f"{TINY}/image-classification/reference/pretrainedResnet_quant_outputs_int8.npy",
        image_labels),
    "image classification, float": check_floats(
        f"{TINY}/image-classification/pretrainedResnet", lambda: images().astype(np.float32),
        f"{TINY}/image-classification/reference/pretrainedResnet_onnx_outputs_float32.npy", 2e-5),
    "keyword spotting": check_integers(
        f"{TINY}/keyword-spotting/kws_ref_model",
        lambda: load(f"{TINY}/keyword-spotting/kws01_inputs_int8.npy"),
        f"{TINY}/keyword-spotting/reference/kws_ref_model_outputs_int8.npy",
        keyword_labels),
    "streaming wakeword": check_integers(
        f"{TINY}/streaming-wakeword/str_ww_ref_model",
        lambda: load(f"{TINY}/streaming-wakeword/reference/inputs_int8.npy"),
        f"{TINY}/streaming-wakeword/reference/outputs_int8.npy"),
    "visual wake words": check_integers(
        f"{TINY}/visual-wake-words/vww_96_int8", lambda: as_int8(scenes()),
        f"{TINY}/visual-wake-words/reference/vww_96_int8_outputs_int8.npy"),
    "visual wake words, float": check_floats(
        f"{TINY}/visual-wake-words/vww_96_float", lambda: scenes().astype(np.float32) / 255,
        f"{TINY}/visual-wake-words/reference/vww_96_onnx_outputs_float32.npy", 2e-5),
    "anomaly detection": check_integers(
        f"{TINY}/anomaly-detection/ad01_int8",
        lambda: load(f"{TINY}/anomaly-detection/reference/ad01_int8_inputs_int8.npy"),
        f"{TINY}/anomaly-detection/reference/ad01_int8_outputs_int8.npy"),
    "MobileNetV1 uint8": check_integers(
        "tflite/imagenet-uint8/mobilenet_v1_0.25_128_quant",
        lambda: load("tflite/imagenet-uint8/reference/mobilenet_v1_0.25_128_inputs_uint8.npy"),
        "tflite/imagenet-uint8/reference/mobilenet_v1_0.25_128_outputs_uint8.npy"),
    "MobileNetV2 uint8": check_integers(
        "tflite/imagenet-uint8/mobilenet_v2_1.0_224_quant",
        lambda: load("tflite/imagenet-uint8/reference/mobilenet_v2_1.0_224_inputs_uint8.npy"),
        "tflite/imagenet-uint8/reference/mobilenet_v2_1.0_224_outputs_uint8.npy"),
    "sine, float": check_floats(
        "tflite/small/hello_world_float",
        lambda: load("tflite/small/reference/hello_world_x_float32.npy").reshape(-1, 1),
        "tflite/small/reference/hello_world_float_outputs.npy", 1e-5),
    "half plus two": check_half_plus_two,
    "person detection": check_person,
    "MNIST, float": check_mnist,
    "MNIST, LSTM": check_lstm,
}


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if not octet_program.path().exists():
        print(f"skipped: {octet_program.path()} is not there")
        return 77
    if not DATA.is_dir():
        print(f"skipped: {DATA}, which has the models, is not there")
        return 77
    failures = 0
    with tempfile.TemporaryDirectory() as folder:
        for name, check in CHECKS.items():
            if wanted not in name:
                continue
            try:
                print(f"{name}: {check(pathlib.Path(folder))}")
            except subprocess.CalledProcessError as error:
                failures += 1
                print(f"FAILED {name}: {error.stderr.strip()}")
            except AssertionError as error:
                failures += 1
                print(f"FAILED {name}: {error}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
