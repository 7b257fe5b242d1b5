# SPDX-License-Identifier: Apache-2.0
"""The engine beside its peers, one thread each: every case in one interleaved run.

    run.py BUILD_FOLDER [--filter TEXT] [--rounds N] [--seconds S] [--json FILE]

Prints a table and writes a JSON line for each contender. An answer that is not near the float one
takes an engine out of a comparison. A time is the best of all rounds; a ratio is a peer's time
divided by Octet's.
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

import numpy as np

import cases
import convolution
import convolutional
import encoder
import fully_connected

MODULES = (fully_connected, encoder, convolutional, convolution)


class Failed(Exception):
    pass


def command_of(contender: cases.Contender, bin_folder: pathlib.Path) -> list:
    """A program of the build, or a script beside this one."""
    name = contender.program or f"{contender.engine}_contender"
    script = pathlib.Path(__file__).with_name(f"{name}.py")
    return [sys.executable, script] if script.exists() else [bin_folder / name]


class Process:
    """A contender that runs."""

    def __init__(self, contender: cases.Contender, bin_folder: pathlib.Path,
                 input_: pathlib.Path, output: pathlib.Path, log):
        self.contender = contender
        self._process = subprocess.Popen(
            [*command_of(contender, bin_folder), "--model", contender.model, "--input", input_,
             "--output", output, "--variant", contender.variant],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
            env=os.environ | {"OMP_NUM_THREADS": "1"})
        self.about = self._read()
        self.times = []

    def _read(self):
        line = self._process.stdout.readline()
        if not line:
            raise Failed(f"{self.contender.name} ended with status {self._process.wait()}")
        return json.loads(line)

    def measure(self, seconds: float) -> None:
        self._process.stdin.write(f"measure {seconds}\n")
        self._process.stdin.flush()
        self.times.append(self._read())

    def best(self) -> float:
        return min(time["best_us"] for time in self.times)

    def median(self) -> float:
        return statistics.median(time["median_us"] for time in self.times)

    def close(self) -> None:
        self._process.stdin.close()
        self._process.wait()


def relative_error(answer: np.ndarray, expected: np.ndarray) -> float:
    if answer.shape != expected.shape or not np.isfinite(answer).all():
        return float("inf")
    difference = np.sqrt(np.mean(np.square(answer - expected, dtype=np.float64)))
    return float(difference / np.sqrt(np.mean(np.square(expected, dtype=np.float64))))


def read_rate(peak, size: int) -> float:
    """GB/s out of the smallest measured buffer that holds `size` bytes."""
    rates = peak["read"]
    return next((rate for bytes_, rate in rates if bytes_ >= size), rates[-1][1])


def floor_us(case: cases.Case, peak, kernel_set: str) -> float:
    """The time that arithmetic or reading the weights takes at the measured peak."""
    rates = peak["kernel_set"][kernel_set]
    integer_operations = case.operations - case.float_operations
    arithmetic = (integer_operations / rates["int8_gops"] +
                  case.float_operations / rates["f32_gflops"])
    return max(arithmetic, case.weight_bytes / read_rate(peak, case.weight_bytes)) / 1e3


def run_case(case: cases.Case, bin_folder: pathlib.Path, peak, options, log) -> list[dict]:
    processes = []
    rows = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            input_ = pathlib.Path(folder, "input.npy")
            output = pathlib.Path(folder, "output.npy")
            np.save(input_, case.input)
            for contender in case.contenders:
                row = {"case": case.name, "engine": contender.engine, "form": contender.form,
                       "variant": contender.variant}
                rows.append(row)
                try:
                    process = Process(contender, bin_folder, input_, output, log)
                except Failed as failure:
                    row["error"] = str(failure)
                    continue
                row |= process.about
                row["relative_error"] = relative_error(np.load(output), case.expected)
                if row["relative_error"] > contender.tolerance:
                    row["error"] = (f"answers wrongly: relative error {row['relative_error']:.3g}, "
                                    f"tolerance {contender.tolerance}")
                    process.close()
                    continue
                processes.append((process, row))
        for _ in range(options.rounds):
            for process, _ in processes:
                process.measure(options.seconds)
        for process, row in processes:
            row |= {"best_us": process.best(), "median_us": process.median()}
    finally:
        for process, _ in processes:
            process.close()
    ours = rows[0]
    if "error" in ours:
        raise Failed(f"{case.name}: {ours['error']}")
    for row in rows:
        if "best_us" in row:
            row["ratio"] = row["best_us"] / ours["best_us"]
    floor = floor_us(case, peak, ours["version"])
    ours["floor_us"] = floor
    ours["percent_of_peak"] = 100 * floor / ours["best_us"]
    return rows


def print_case(rows: list[dict]) -> None:
    ours = rows[0]
    print(f"{ours['case']}  [{ours['version']}]  {ours['percent_of_peak']:.0f} % of peak")
    for row in rows:
        name = " ".join(filter(None, [row["engine"], row["form"], row["variant"]]))
        if "error" in row:
            print(f"  {name:44} {row['error']}")
        else:
            print(f"  {name:44} {row['best_us']:10.2f} us  median {row['median_us']:10.2f}"
                  f"  ratio {row['ratio']:5.2f}  error {row['relative_error']:.4f}")
    sys.stdout.flush()


def best_of(rows: list[dict], engine: str) -> dict | None:
    """The fastest form of an engine that answered rightly."""
    timed = [row for row in rows if row["engine"] == engine and "best_us" in row]
    return min(timed, key=lambda row: row["best_us"], default=None)


def print_summary(results: list[list[dict]]) -> None:
    """Octet beside each peer's best form."""
    print(f"\n{'case':52} {'Octet us':>10} {'% of peak':>9}  ratio of each peer's best form")
    for rows in results:
        ours = rows[0]
        peers = []
        for engine in dict.fromkeys(row["engine"] for row in rows[1:] if row["engine"] != "octet"):
            best = best_of(rows, engine)
            form = " ".join(filter(None, [best["form"], best["variant"]])) if best else ""
            peers.append(f"{engine} {best['ratio']:.2f} ({form})" if best else f"{engine} -")
        print(f"{ours['case']:52} {ours['best_us']:10.2f} {ours['percent_of_peak']:9.0f}  "
              f"{', '.join(peers)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--filter", default="", help="only cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--seconds", type=float, default=0.03, help="of each contender's round")
    parser.add_argument("--json", type=pathlib.Path,
                        default=cases.ROOT / "build/peers/engine.jsonl")
    options = parser.parse_args()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    bin_folder = options.build.resolve() / "tests/bench/engine"
    peak = json.loads(subprocess.check_output([bin_folder / "peak"]))
    print(json.dumps(peak))
    with open(options.json, "w", encoding="utf-8") as file, \
            open(options.json.with_suffix(".log"), "w", encoding="utf-8") as log:
        file.write(json.dumps({"peak": peak}) + "\n")
        results = []
        make_bundle = bin_folder / "make_bundle"
        for case in (case for module in MODULES for case in module.make_cases(make_bundle)):
            if options.filter not in case.name:
                continue
            rows = run_case(case, bin_folder, peak, options, log)
            print_case(rows)
            results.append(rows)
            for row in rows:
                file.write(json.dumps(row) + "\n")
    print_summary(results)


if __name__ == "__main__":
    main()
