# SPDX-License-Identifier: Apache-2.0
"""A contender that runs in a process of its own: the other end of contender.h."""
import json
import os
import pathlib
import statistics
import subprocess
import sys

import cases


class Failed(Exception):
    pass


def _command(contender: cases.Contender, bin_folder: pathlib.Path) -> list:
    """A program of the build, or a script beside this one."""
    name = contender.program or f"{contender.engine}_contender"
    script = pathlib.Path(__file__).with_name(f"{name}.py")
    return [sys.executable, script] if script.exists() else [bin_folder / name]


class Process:
    """Started on the first of `cpus`, as many as the contender computes on."""

    def __init__(self, contender: cases.Contender, bin_folder: pathlib.Path, cpus: list[int],
                 input_: pathlib.Path, output: pathlib.Path, log):
        self.contender = contender
        mine = os.sched_getaffinity(0)
        os.sched_setaffinity(0, cpus[:contender.num_cpus])  # a process inherits it
        try:
            self._process = subprocess.Popen(
                [*_command(contender, bin_folder), "--model", contender.model, "--input", input_,
                 "--output", output, "--variant", contender.variant],
                stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                env=os.environ | {"OMP_NUM_THREADS": "1"})
        finally:
            os.sched_setaffinity(0, mine)
        self.about = self._read()
        self._times = []

    def _read(self) -> dict:
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self.contender.name} ended with status {self._process.wait()}")
        return json.loads(line)

    def measure(self, seconds: float) -> None:
        try:
            self._process.stdin.write(f"measure {seconds}\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            pass  # it ended: reading says so
        self._times.append(self._read())

    def best_us(self) -> float:
        return min(times["best_us"] for times in self._times)

    def median_us(self) -> float:
        return statistics.median(times["median_us"] for times in self._times)

    def close(self) -> None:
        try:
            self._process.stdin.close()
        except BrokenPipeError:
            pass
        self._process.wait()
