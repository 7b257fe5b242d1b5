# SPDX-License-Identifier: Apache-2.0
"""The engine beside its peers: every case in one interleaved run.

    run.py BUILD_FOLDER [--filter TEXT]... [--models PATH]... [--list] [--rounds N] [--seconds S]
           [--json FILE] [--markdown FILE]

Prints each case and at the end a table, and writes a JSON line for each contender. An answer that
is not near the float one takes an engine out of a comparison. A time is the best of all rounds; a
ratio is a peer's time divided by Octet's. Ends with status 1 if Octet fails in a case.
"""
import argparse
import json
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import cases
import convolution
import convolutional
import encoder
import fully_connected
import imported
import step_cost
import summary
import two_workers
from contender_process import Failed, Process

MODULES = (fully_connected, encoder, convolutional, convolution, two_workers, step_cost)
# What a contender costs beside its rounds: its start, and what ours is written from. Measured on a
# CPU of 2.4 GHz.
START_SECONDS = 0.6
LEAST_RUNS = 6  # of one round, see Serve in contender.h


def relative_error(answer: np.ndarray, expected: np.ndarray) -> float:
    """Of bytes: of their range, because all but a few of a softmax may be 0."""
    if answer.shape != expected.shape or not np.isfinite(answer).all():
        return float("inf")
    if expected.dtype.kind in "iu":
        steps = answer.astype(np.float64) - expected
        return float(np.sqrt(np.mean(np.square(steps))) / 255)
    difference = np.sqrt(np.mean(np.square(answer - expected, dtype=np.float64)))
    return float(difference / np.sqrt(np.mean(np.square(expected, dtype=np.float64))))


def read_rate(peak, size: int) -> float:
    """GB/s out of the smallest measured buffer that holds `size` bytes."""
    rates = peak["read"]
    return next((rate for bytes_, rate in rates if bytes_ >= size), rates[-1][1])


def floor_us(case: cases.Case, peak, kernel_set: str) -> float:
    """The time that arithmetic or reading the weights takes at the measured peak."""
    rates = peak["kernel_set"].get(kernel_set)
    if rates is None:
        return 0  # a set without a peak: the reference
    integer_operations = case.operations - case.float_operations
    arithmetic = (integer_operations / rates["int8_gops"] +
                  case.float_operations / rates["f32_gflops"])
    floor = max(arithmetic, case.weight_bytes / read_rate(peak, case.weight_bytes)) / 1e3
    return floor / case.contenders[0].num_cpus


def estimated_seconds(case: cases.Case, peak, options) -> float:
    """How long a case takes, about, once its models are written: as if every contender computed at
    the peak of float arithmetic."""
    rate = max(rates["f32_gflops"] for rates in peak["kernel_set"].values())
    run = case.operations / (rate * 1e9)
    return len(case.contenders) * (
        START_SECONDS + options.rounds * max(options.seconds, LEAST_RUNS * run))


def start(contender: cases.Contender, case_input: pathlib.Path, expected: np.ndarray, row: dict,
          options, log) -> Process | None:
    """A process whose answer is right; or None, and the reason in `row`."""
    output = case_input.with_name("output.npy")
    try:
        process = Process(contender, options.bin_folder, options.cpus, case_input, output, log)
    except Failed as failure:
        row["error"] = str(failure)
        return None
    row |= process.about
    row["relative_error"] = relative_error(np.load(output), expected)
    if row["relative_error"] <= contender.tolerance:
        return process
    row["error"] = (f"answers wrongly: relative error {row['relative_error']:.3g}, "
                    f"tolerance {contender.tolerance}")
    process.close()
    return None


def measure(running: list[tuple[Process, dict]], options) -> None:
    """In turns, round by round; who ends meanwhile is out."""
    for _ in range(options.rounds):
        for process, row in running:
            if "error" in row:
                continue
            try:
                process.measure(options.seconds)
            except Failed as failure:
                row["error"] = str(failure)


def run_case(case: cases.Case, peak, options, log) -> list[dict]:
    """A row for each contender, ours first."""
    rows = [{"case": case.name, "engine": contender.engine, "form": contender.form,
             "variant": contender.variant} for contender in case.contenders]
    ours = rows[0]
    try:
        input_, expected = case.prepare()
    except (subprocess.CalledProcessError, ValueError, KeyError) as error:
        ours["error"] = f"its models cannot be written: {error}"
        return [ours]
    running = []
    try:
        with tempfile.TemporaryDirectory() as folder:
            input_path = pathlib.Path(folder, "input.npy")
            np.save(input_path, input_)
            for contender, row in zip(case.contenders, rows):
                process = start(contender, input_path, expected, row, options, log)
                if process is not None:
                    running.append((process, row))
        measure(running, options)
        for process, row in running:
            if "error" not in row:
                row |= {"best_us": process.best_us() / case.num_parts,
                        "median_us": process.median_us() / case.num_parts}
    finally:
        for process, _ in running:
            process.close()
    if "error" in ours:
        return rows
    for row in rows:
        if "best_us" in row:
            row["ratio"] = row["best_us"] / ours["best_us"]
    floor = floor_us(case, peak, ours["version"])
    ours |= {"kernel_set": ours["version"], "floor_us": floor,
             "percent_of_peak": 100 * floor / ours["best_us"]}
    if case.integer_percent is not None:
        ours["integer_percent"] = case.integer_percent
    return rows


def chosen_cases(options) -> list[cases.Case]:
    """Those that --filter names and this machine has CPUs for."""
    chosen = []
    makers = [module.make_cases(options.bin_folder / "make_bundle") for module in MODULES]
    if options.models:
        makers = [imported.make_cases(options.models, options.build.resolve() / "bin/octet")]
    for maker in makers:
        for case in maker:
            if options.filter and not any(text in case.name for text in options.filter):
                continue
            wanted = max(contender.num_cpus for contender in case.contenders)
            if wanted > len(options.cpus):
                print(f"{case.name}: left out, wants {wanted} CPUs, has {len(options.cpus)}")
                continue
            chosen.append(case)
    return chosen


def parse_options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("build", type=pathlib.Path)
    parser.add_argument("--filter", action="append", metavar="TEXT",
                        help="only cases whose name contains this; given again: or that")
    parser.add_argument("--models", action="append", type=pathlib.Path, metavar="PATH",
                        help="the .tflite and .onnx files here, in place of the built-in cases")
    parser.add_argument("--list", action="store_true", help="print the names of the cases")
    parser.add_argument("--rounds", type=int, default=12)
    parser.add_argument("--seconds", type=float, default=0.03, help="of each contender's round")
    parser.add_argument("--json", type=pathlib.Path,
                        default=cases.ROOT / "build/peers/engine.jsonl")
    parser.add_argument("--markdown", type=pathlib.Path, help="the table, into a file as well")
    options = parser.parse_args()
    if options.rounds < 1:
        parser.error(f"--rounds is {options.rounds}, wants 1 at least")
    options.bin_folder = options.build.resolve() / "tests/bench/engine"
    options.cpus = sorted(os.sched_getaffinity(0))
    return options


def main() -> int:
    options = parse_options()
    chosen = chosen_cases(options)
    if options.list:
        print("\n".join(case.name for case in chosen))
        return 0
    if not chosen:
        sys.exit(f"no case has one of {options.filter} in its name; --list prints the names")
    os.sched_setaffinity(0, options.cpus[:1])
    peak = json.loads(subprocess.check_output([options.bin_folder / "peak"]))
    print(json.dumps(peak))
    minutes = sum(estimated_seconds(case, peak, options) for case in chosen) / 60
    print(f"{len(chosen)} cases, about {minutes:.1f} minutes; more where models are not written "
          "yet", flush=True)
    results = []
    with open(options.json, "w", encoding="utf-8") as file, \
            open(options.json.with_suffix(".log"), "w", encoding="utf-8") as log:
        file.write(json.dumps({"peak": peak}) + "\n")
        for case in chosen:
            rows = run_case(case, peak, options, log)
            print(summary.case_lines(rows), flush=True)
            results.append(rows)
            file.writelines(json.dumps(row) + "\n" for row in rows)
    table = summary.table(results)
    print(f"\n{table}", end="")
    if options.markdown:
        options.markdown.write_text(table, encoding="utf-8")
    return int(any("error" in rows[0] for rows in results))


if __name__ == "__main__":
    sys.exit(main())
