# SPDX-License-Identifier: Apache-2.0
"""What a case of the benchmark is, and the folders it uses."""
import dataclasses
import hashlib
import pathlib
from typing import Callable

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
    num_cpus: int = 1  # that it computes on

    @property
    def name(self) -> str:
        return " ".join(filter(None, [self.engine, self.form, self.variant]))


@dataclasses.dataclass
class Case:
    """One question to all contenders. The first is the one the others are compared with."""
    name: str
    contenders: list[Contender]
    # Writes the contenders' models, where they are not there; returns the input and the float
    # answer.
    prepare: Callable[[], tuple[np.ndarray, np.ndarray]]
    operations: int  # of one inference: two for each multiplication
    weight_bytes: int  # read by one inference
    float_operations: int = 0  # those of `operations` that no engine computes in integers
    num_parts: int = 1  # equal parts of one inference; times are told of one part
    integer_percent: float | None = None  # of its multiplications, where Octet was asked


def write_once(folder: pathlib.Path, write: Callable[[], None], *sources: str) -> None:
    """Calls `write`, which fills `folder`, unless it did so before: then, too, if one of `sources`,
    the files that say what is written, or a peer's version has changed since."""
    digest = hashlib.sha256()
    for source in (*sources, pathlib.Path(__file__).with_name("peers") / "requirements.txt"):
        digest.update(pathlib.Path(source).read_bytes())
    stamp = folder / ".written"
    if stamp.exists() and stamp.read_text() == digest.hexdigest():
        return
    folder.mkdir(parents=True, exist_ok=True)
    write()
    stamp.write_text(digest.hexdigest())
