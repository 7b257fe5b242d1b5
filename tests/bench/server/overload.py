# SPDX-License-Identifier: Apache-2.0
"""Twice as many requests as a server can answer, and how much of the CPU becomes answers."""
import json
import os
import subprocess
import statistics

import models
from measuring import Bench, Figure, load, take_turns

# Several times what a request takes to compute.
DEADLINE_SECONDS = 0.1
# Always one that waits for each worker.
SERVED_IN_FLIGHT = 4


def overload(bench: Bench, ours) -> None:
    model = models.CONVOLUTION
    closed = take_turns(bench, [ours], model.request, f"{model.name}, capacity", in_flight=8)
    capacity = closed.median(ours.name, "requests_per_second")
    turns = take_turns(bench, [ours], model.request,
                       f"{model.name}, open loop at twice the capacity", may_fail=True,
                       rate=2 * capacity, in_flight=100_000, timeout=DEADLINE_SECONDS)
    refusals = "; ".join(sorted(turns.failures(ours.name)))
    bench.add(Figure("overload: answers in time at twice the capacity, of the capacity",
                     turns.median(ours.name, "requests_per_second") / capacity, "", ">= 0.9"))
    bench.add(Figure("overload: p99 of refusals", turns.median(ours.name, "failed_p99_us") / 1e3,
                     "ms", "<= 5", refusals[:160]))


def served_beside_in_process(bench: Bench, ours, repository) -> None:
    """Rows a second of a model over loopback, beside as many threads that only compute."""
    model = models.CONVOLUTION
    ratios = []
    for _ in range(bench.rounds):
        output = subprocess.run(
            [bench.octet, "bench", "--bundle", repository / model.name / "1", "--threads",
             str(os.cpu_count()), "--seconds", str(bench.seconds), "--json"], check=True,
            capture_output=True, text=True).stdout
        row = load(bench, ours, model.request, "served", in_flight=SERVED_IN_FLIGHT)
        ratios.append(row["requests_per_second"] / json.loads(output)["rows_per_second"])
    bench.add(Figure(f"{model.name}: served, of what it computes in process",
                     statistics.median(ratios), "", ">= 0.95"))
