# SPDX-License-Identifier: Apache-2.0
"""Writes what all servers serve: ONNX files, and Octet's bundles of the same files.

Everything comes from seeds and from the zoo's digits, so that it is the same on each machine. What
is there stays, as long as this module and the program `octet` are what they were.
"""
import hashlib
import io
import logging
import math
import pathlib
import shutil
import subprocess
import zipfile

import h5py
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from peers import served_models
from peers.served_models import ServedModel

ROOT = pathlib.Path(__file__).resolve().parents[4]
ZOO = ROOT / "models/zoo"
FOLDER = ROOT / "build/peers/serving/models"
OPSET = 17
SEED = 7384
NUM_ROWS = 8
LARGE_INNER = 32768


class _Network:
    """Layers one after the other, and what they compute in double precision."""

    def __init__(self, rows: np.ndarray):
        self.rows = rows
        self.answers = rows.astype(np.float64)
        self._value = "x"
        self._nodes = []
        self._constants = []

    def _add(self, op: str, *constants: np.ndarray, **attributes) -> None:
        names = [f"{op.lower()}{len(self._nodes)}_{i}" for i in range(len(constants))]
        self._constants += [numpy_helper.from_array(value, name)
                            for value, name in zip(constants, names)]
        output = f"{op.lower()}{len(self._nodes)}"
        self._nodes.append(helper.make_node(op, [self._value, *names], [output], name=output,
                                            **attributes))
        self._value = output

    def identity(self) -> None:
        self._add("Identity")

    def dense(self, weights: np.ndarray, bias: np.ndarray) -> None:
        self._add("MatMul", weights)
        self._add("Add", bias)
        self.answers = self.answers @ weights.astype(np.float64) + bias

    def relu(self) -> None:
        self._add("Relu")
        self.answers = np.maximum(self.answers, 0)

    def softmax(self) -> None:
        self._add("Softmax", axis=1)
        powers = np.exp(self.answers - self.answers.max(axis=1, keepdims=True))
        self.answers = powers / powers.sum(axis=1, keepdims=True)

    def save(self, model: ServedModel, folder: pathlib.Path) -> None:
        self._nodes[-1].output[0] = "y"
        value = helper.make_tensor_value_info
        graph = helper.make_graph(
            self._nodes, model.name, [value("x", TensorProto.FLOAT, ["rows", *model.input_dims])],
            [value("y", TensorProto.FLOAT, ["rows", *model.output_dims])], self._constants)
        proto = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)],
                                  ir_version=8)
        onnx.checker.check_model(proto)
        onnx.save(proto, folder / f"{model.name}.onnx")
        np.savez(folder / f"{model.name}.npz", x=self.rows, y=self.answers.astype(np.float32))


def _identity(model: ServedModel, folder: pathlib.Path) -> None:
    random = np.random.default_rng(SEED)
    network = _Network(random.standard_normal((NUM_ROWS, *model.input_dims), np.float32))
    network.identity()
    network.save(model, folder)


def _digits(model: ServedModel, folder: pathlib.Path) -> None:
    """The zoo's, 64-128-64-10, as it was trained on scikit-learn's digits."""
    images = np.load(ZOO / "data/digits_test_images.npy")[:NUM_ROWS]
    network = _Network(images.reshape(NUM_ROWS, -1))
    with zipfile.ZipFile(ZOO / "keras/digits_mlp.keras") as archive:
        weights = archive.read("model.weights.h5")
    with h5py.File(io.BytesIO(weights)) as file:
        layers = [[file[f"layers/{name}/vars/{i}"][()] for i in range(2)]
                  for name in ("dense", "dense_1", "dense_2")]
    for weights, bias in layers[:-1]:
        network.dense(weights, bias)
        network.relu()
    network.dense(*layers[-1])
    network.softmax()
    labels = np.load(ZOO / "data/digits_test_labels.npy")[:NUM_ROWS]
    if (network.answers.argmax(axis=1) == labels).mean() < 0.75:
        raise AssertionError(f"{model.name} does not know the digits")
    network.save(model, folder)


def _large(model: ServedModel, folder: pathlib.Path) -> None:
    random = np.random.default_rng(SEED)
    width, inner = model.input_dims[0], LARGE_INNER

    def layer(k: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        weights = random.standard_normal((k, n), np.float32) / np.float32(math.sqrt(k))
        return weights, random.standard_normal(n, np.float32) / np.float32(10)

    network = _Network(random.standard_normal((NUM_ROWS, width), np.float32))
    network.dense(*layer(width, inner))
    network.relu()
    network.dense(*layer(inner, width))
    network.save(model, folder)


def _large_int8(model: ServedModel, folder: pathlib.Path) -> None:
    """ONNX Runtime's own: int8 weights per channel, activations quantized at run time. The answers
    wanted are the float ones."""
    from onnxruntime import quantization
    logging.disable(logging.WARNING)  # it advises against what is meant here
    source = folder / f"{served_models.LARGE_FC.name}.onnx"
    quantization.quantize_dynamic(source, folder / f"{model.name}.onnx", per_channel=True,
                                  weight_type=quantization.QuantType.QInt8)
    shutil.copy(source.with_suffix(".npz"), folder / f"{model.name}.npz")


_WRITERS = {served_models.IDENTITY: _identity, served_models.DIGITS: _digits,
            served_models.IMAGE: _identity, served_models.LARGE_FC: _large,
            served_models.LARGE_FC_INT8: _large_int8}


def _hash(*paths: pathlib.Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()


def _is_current(stamp: pathlib.Path, content: str) -> bool:
    return stamp.exists() and stamp.read_text() == content


def make_onnx(models: tuple[ServedModel, ...] = served_models.SMALL,
              folder: pathlib.Path = FOLDER) -> pathlib.Path:
    """`folder` with the files of `models`."""
    folder.mkdir(parents=True, exist_ok=True)
    source = _hash(pathlib.Path(__file__), pathlib.Path(served_models.__file__))
    if served_models.LARGE_FC_INT8 in models:
        models = (served_models.LARGE_FC, *models)  # it is made of that one
    for model in models:
        stamp = folder / f"{model.name}.complete"
        if not _is_current(stamp, source):
            _WRITERS[model](model, folder)
            stamp.write_text(source)
    return folder


def _make_bundle(octet: pathlib.Path, model: ServedModel, folder: pathlib.Path,
                 bundle: pathlib.Path) -> None:
    """int8: as `octet quantize` makes it of the float file, which is each engine's best form."""
    def run(*arguments) -> None:
        subprocess.run([octet, *arguments, "--replace"], check=True, stdout=subprocess.DEVNULL)

    bundle.parent.mkdir(parents=True, exist_ok=True)
    if model is not served_models.LARGE_FC_INT8:
        run("import", folder / f"{model.name}.onnx", "--output", bundle)
        return
    imported = folder / f"{model.name}.imported"
    run("import", folder / f"{served_models.LARGE_FC.name}.onnx", "--output", imported)
    run("quantize", imported, "--mode", "int8-dynamic", "--output", bundle)
    shutil.rmtree(imported)


def make_repository(octet: pathlib.Path, models: tuple[ServedModel, ...] = served_models.SMALL,
                    folder: pathlib.Path = FOLDER) -> pathlib.Path:
    """A model repository of Octet's with just `models`, made by the program `octet`."""
    make_onnx(models, folder)
    repository = folder.parent / "octet" / "+".join(model.name for model in models)
    stamp = repository.with_suffix(".complete")
    source = _hash(octet, *(folder / f"{model.name}.complete" for model in models))
    if not _is_current(stamp, source):
        stamp.unlink(missing_ok=True)
        for model in models:
            _make_bundle(octet, model, folder, repository / model.name / "1")
        stamp.write_text(source)
    return repository
