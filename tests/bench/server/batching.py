# SPDX-License-Identifier: Apache-2.0
"""What batches are worth: beside a server that forms none, beside one that waits a fixed time for
them, and up to which number of rows they pay."""
import json
import subprocess

import models
from measuring import Bench, Figure, take_turns

IN_FLIGHT = 32
SWEEP_ROWS = (1, 2, 4, 8, 16, 32, 64)
SWEEP_SECONDS = 0.3
# A larger batch pays while it makes a row cheaper by more than this (docs/configuration.md).
PAYS = 1.1
# What a batcher waits that has to be told how long.
FIXED_DELAY = "2ms"
FIXED_DELAY_LOAD = 0.5  # of what closed-loop clients got


def one_row_batches() -> str:
    """The configuration of a server that forms no batches."""
    return "models:\n" + "".join(f"  - name: {model.name}\n    max_batch_size: 1\n"
                                 for model in models.MODELS)


def fixed_delay() -> str:
    """That of one that waits for a batch of as many as may be in flight."""
    return "models:\n" + "".join(
        f"  - name: {model.name}\n    max_batch_size: {IN_FLIGHT}\n    dynamic_batching:\n"
        f"      preferred_batch_size: [{IN_FLIGHT}]\n      max_queue_delay: {FIXED_DELAY}\n"
        for model in models.MODELS)


def beside_one_row(bench: Bench, ours, one_row) -> None:
    for model, goal in ((models.DRAM, ">= 4"), (models.L3, ">= 1.7"), (models.L2, ">= 1"),
                        (models.CONVOLUTION, ">= 0.95")):
        turns = take_turns(bench, [ours, one_row], model.request,
                           f"{model.name}, one row each, {IN_FLIGHT} in flight",
                           in_flight=IN_FLIGHT)
        bench.add(Figure(f"{model.name}: requests a second with batches, of those without",
                         turns.ratio(ours.name, one_row.name, "requests_per_second"), "", goal))


def beside_fixed_delay(bench: Bench, ours, delaying) -> None:
    for model in (models.DRAM, models.L3, models.CONVOLUTION):
        closed = take_turns(bench, [ours], model.request, f"{model.name}, capacity",
                            in_flight=IN_FLIGHT)
        rate = FIXED_DELAY_LOAD * closed.median(ours.name, "requests_per_second")
        turns = take_turns(bench, [ours, delaying], model.request,
                           f"{model.name}, {rate:.0f} a second", rate=rate, in_flight=2000)
        bench.add(Figure(f"{model.name}: p99 at half of capacity, of a batcher's that waits "
                         f"{FIXED_DELAY}", turns.ratio(ours.name, delaying.name, "p99_us"), "",
                         "<= 1"))


def _sweep(bench: Bench, bundle) -> dict[int, float]:
    """Microseconds a row, by rows."""
    times = {}
    for rows in SWEEP_ROWS:
        output = subprocess.run(
            [bench.octet, "bench", "--bundle", bundle, "--batch", str(rows), "--seconds",
             str(SWEEP_SECONDS), "--json"], check=True, capture_output=True, text=True).stdout
        times[rows] = json.loads(output)["median_us"] / rows
    return times


def limits(bench: Bench, repository) -> None:
    """The limit that Octet measures, beside the knee of a sweep of its own here."""
    bench.say("  batch limits")
    for model in (models.DRAM, models.L2, models.SMALL_CONVOLUTION, models.ENCODER):
        bundle = repository / model.name / "1"
        described = json.loads(subprocess.run(
            [bench.octet, "inspect", bundle, "--batches", "--json"], check=True,
            capture_output=True, text=True).stdout)
        limit = described["batches"]["paying_rows"]
        times = _sweep(bench, bundle)
        best = min(times.values())
        knee = next(rows for rows in SWEEP_ROWS if times[rows] <= PAYS * best)
        steps = abs(SWEEP_ROWS.index(knee) - SWEEP_ROWS.index(limit))
        sweep = ", ".join(f"{rows}: {us:.3g}" for rows, us in times.items())
        bench.add(Figure(f"{model.name}: steps between the limit and the sweep's knee", steps,
                         "steps", "<= 1", f"limit {limit}, knee {knee}; us a row {sweep}"))
