# SPDX-License-Identifier: Apache-2.0
"""LiteRT (TensorFlow Lite) on a model, as the programs of contender.h.

Its C interface is in no header of its wheel, so the interpreter is run from Python; a time is that
of as many runs as take 50 us, which makes the call from Python less than 0.1 us of each.
"""
import argparse
import importlib.metadata
import itertools
import json
import pathlib
import statistics
import sys
import time

from ai_edge_litert import interpreter as litert
import numpy as np

LEAST_NANOSECONDS = 50_000
LEAST_TIMES = 5


def measure(run, seconds: float) -> dict[str, float]:
    """See Serve in contender.h."""
    run()  # warms the caches: another contender ran just now
    start = time.perf_counter_ns()
    run()
    runs = max(1, LEAST_NANOSECONDS // (time.perf_counter_ns() - start))
    times = []
    stop_at = time.perf_counter() + seconds
    while time.perf_counter() < stop_at or len(times) < LEAST_TIMES:
        start = time.perf_counter_ns()
        for _ in itertools.repeat(None, runs):
            run()
        times.append((time.perf_counter_ns() - start) / runs / 1e3)
    return {"best_us": min(times), "median_us": statistics.median(times),
            "runs": runs * len(times)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--model", required=True)
    parser.add_argument("--input", required=True, type=pathlib.Path)
    parser.add_argument("--output", required=True, type=pathlib.Path)
    parser.add_argument("--variant", default="")
    options = parser.parse_args()
    interpreter = litert.Interpreter(options.model, num_threads=1)  # XNNPACK is its default
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], np.load(options.input))
    run = interpreter._interpreter.Invoke  # pylint: disable=protected-access
    run()
    np.save(options.output, interpreter.get_tensor(interpreter.get_output_details()[0]["index"]))
    print(json.dumps({"version": importlib.metadata.version("ai-edge-litert"),
                      "detail": "XNNPACK"}), flush=True)
    for line in sys.stdin:
        command, seconds = line.split()
        if command != "measure":
            sys.exit(f'got "{line.strip()}", want "measure SECONDS"')
        print(json.dumps(measure(run, float(seconds))), flush=True)


if __name__ == "__main__":
    main()
