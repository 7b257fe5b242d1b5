# SPDX-License-Identifier: Apache-2.0
"""Two workers against one: as many Sessions of one Executable, each in a thread on a CPU of its
own. A time is the inverse of the runs a second that all of them make, so that the ratio is how many
times as many two make: 2 if they share nothing that counts."""
import pathlib

import cases
import convolutional
import encoder

LENGTH = 16
_NETWORKS = ["anomaly detection", "ResNet-8", "MobileNetV2"]


def _contenders(form: str, model: pathlib.Path, tolerance: float) -> list[cases.Contender]:
    return [cases.Contender("octet", form, model, tolerance, f"workers={count}", num_cpus=count)
            for count in (2, 1)]


def make_cases(make_bundle: pathlib.Path):
    """All cases, model by model."""
    yield encoder.make_case(
        f"two workers, encoder int8, length {LENGTH}", LENGTH,
        _contenders("int8-dynamic", encoder.folder_of(LENGTH) / "int8-dynamic",
                    encoder.INT8_TOLERANCE), make_bundle)
    for name in _NETWORKS:
        yield convolutional.make_case(
            f"two workers, {name} int8", name,
            _contenders("int8-static", convolutional.folder_of(name) / "int8-static",
                        convolutional.INT8_TOLERANCE), make_bundle)
