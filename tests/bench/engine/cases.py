# SPDX-License-Identifier: Apache-2.0
"""What a case of the benchmark is, and the folders it uses."""
import dataclasses
import pathlib

import numpy as np

ROOT = pathlib.Path(__file__).resolve().parents[3]
MODELS = ROOT / "build/peers/models"  # kept from run to run: the seeds are fixed


@dataclasses.dataclass
class Contender:
    """One engine with one form of a case's model."""
    engine: str  # "octet", "onnxruntime", "openvino", "litert", "onednn"
    form: str  # "int8 dynamic": what is quantized, and how
    model: pathlib.Path
    # The largest root-mean-square difference from the float answer, relative to that answer's root
    # mean square. An engine that is further off is not compared.
    tolerance: float
    variant: str = ""
    program: str = ""  # another than "<engine>_contender"

    @property
    def name(self) -> str:
        return " ".join(filter(None, [self.engine, self.form, self.variant]))


@dataclasses.dataclass
class Case:
    """One question to all contenders. The first is the one the others are compared with."""
    name: str
    input: np.ndarray
    expected: np.ndarray  # the float answer
    contenders: list[Contender]
    operations: int  # of one inference: two for each multiplication
    weight_bytes: int  # read by one inference
    float_operations: int = 0  # those of `operations` that no engine computes in integers


def ready(folder: pathlib.Path) -> bool:
    """Whether a folder of models was written to its end."""
    return (folder / ".complete").exists()


def complete(folder: pathlib.Path) -> None:
    (folder / ".complete").touch()
