# SPDX-License-Identifier: Apache-2.0
"""The models that Octet and its peers serve, each with one input "x" and one output "y" of FP32."""
import dataclasses
import pathlib

import numpy as np


@dataclasses.dataclass(frozen=True)
class ServedModel:
    """Its file is NAME.onnx, its rows and their answers NAME.npz; make_models.py writes both."""
    name: str
    input_dims: tuple[int, ...]  # of a row
    output_dims: tuple[int, ...]
    max_batch: int  # where a server has to be told
    # How far an answer may be from the float one: the norm of the difference, of the answer's.
    tolerance: float
    is_identity: bool = False  # served without a file by the peers

    @property
    def input(self) -> str:
        """Of one row, as measuring.Request has it."""
        return f"x:FP32:1,{','.join(map(str, self.input_dims))}"

    def rows(self, folder: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
        """A few rows, and what the answers to them are."""
        with np.load(folder / f"{self.name}.npz") as file:
            return file["x"], file["y"]


# Little to compute: what a server itself costs.
IDENTITY = ServedModel("identity16", (16,), (16,), 64, 0, is_identity=True)
DIGITS = ServedModel("digits_mlp", (64,), (10,), 64, 1e-5)
IMAGE = ServedModel("identity_img", (3, 224, 224), (3, 224, 224), 8, 0, is_identity=True)
SMALL = (IDENTITY, DIGITS, IMAGE)
# 256 MiB of float weights, 64 MiB as int8: more than a last-level cache has, so that each request
# that is computed alone reads them all.
LARGE_FC = ServedModel("large_fc", (1024,), (1024,), 64, 1e-5)
LARGE_FC_INT8 = ServedModel("large_fc_int8", (1024,), (1024,), 64, 0.05)
LARGE = (LARGE_FC, LARGE_FC_INT8)
