# SPDX-License-Identifier: Apache-2.0
"""Octet's form of a network: the nodes that an exporter writes, and the bundles made of them."""
import json
import pathlib
import subprocess

import numpy as np


class Graph:
    """Nodes and constants in the order they are added; every value is one string."""

    def __init__(self):
        self._inputs = []
        self._nodes = []
        self._constants = {}

    def input(self, name: str, data_type: str, shape: list[int]) -> str:
        """-1 in `shape` is the number of rows."""
        self._inputs.append({"name": name, "data_type": data_type, "shape": shape})
        return name

    def constant(self, name: str, value: np.ndarray) -> str:
        self._constants[name] = np.ascontiguousarray(value)
        return name

    def add(self, op: str, inputs: list[str], output: str, **attributes) -> str:
        self._nodes.append({"op": op, "name": output, "inputs": inputs, "attributes": attributes})
        return output

    def save(self, folder: pathlib.Path, output: str) -> None:
        """As network_reader.h reads it."""
        folder.mkdir(parents=True, exist_ok=True)
        for name, value in self._constants.items():
            np.save(folder / f"{name}.npy", value)
        (folder / "network.json").write_text(json.dumps(
            {"inputs": self._inputs, "nodes": self._nodes, "output": output}))


def write_bundle(make_bundle: pathlib.Path, network: pathlib.Path, calibration: pathlib.Path,
                 precision: str, bundle: pathlib.Path) -> None:
    subprocess.run([make_bundle, network, calibration, bundle, precision], check=True)
