# SPDX-License-Identifier: Apache-2.0
"""What nobody measures until it hurts: a start, a request after a pause, models that come and go."""
import contextlib
import os
import pathlib
import statistics
import threading
import time

import grpc

import models
from measuring import Bench, Figure, Request, load, take_turns

STARTS = 9
PAUSE_SECONDS = 2
CALLS_AFTER_PAUSE = 20
RELOAD_EVERY_SECONDS = 0.5
RELOAD_RATE = 300
QUOTA_PERIOD_US = 100_000
DIGITS = Request("digits-mlp-int8", "input:FP32:1,64")


def starts(bench: Bench, zoo_server) -> None:
    """`zoo_server` serves the zoo's models, and is not started yet; it is at the end."""
    seconds = []
    for index in range(STARTS):
        zoo_server.start()
        seconds.append(zoo_server.start_seconds)
        if index < STARTS - 1:
            zoo_server.stop()
    bench.add(Figure("start to ready with the zoo", statistics.median(seconds) * 1e3, "ms",
                     "<= 60", f"of {STARTS}, the slowest {max(seconds) * 1e3:.0f} ms"))


def pauses(bench: Bench, servers: list, request: Request) -> None:
    """`servers`: ours, then the bare echo."""
    turns = take_turns(bench, servers, request, f"first request after {PAUSE_SECONDS} s",
                       pause=PAUSE_SECONDS, requests=CALLS_AFTER_PAUSE)
    ours, echo = (max(row["max_us"] for row in turns.rows[server.name]) / 1e3
                  for server in servers)
    calls = bench.rounds * CALLS_AFTER_PAUSE
    p99 = [turns.median(server.name, "p99_us") / 1e3 for server in servers]
    bench.add(Figure(f"first request after {PAUSE_SECONDS} s: p99 above the bare echo's",
                     p99[0] - p99[1], "ms", "<= 1"))
    bench.add(Figure(f"first request after {PAUSE_SECONDS} s: p99", p99[0], "ms", "<= 5",
                     f"slowest of {calls}: {ours:.2f} ms, echo {echo:.2f} ms"))


class _Reloads:
    """Loads and unloads a model over and over, while it is entered."""

    def __init__(self, server, model: str):
        self._channel = grpc.insecure_channel(server.grpc_address)
        self._model = model
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.count = 0

    def _call(self, method: str) -> None:
        name = self._model.encode()
        call = self._channel.unary_unary(f"/inference.GRPCInferenceService/RepositoryModel{method}")
        call(b"\x12" + bytes([len(name)]) + name, timeout=60)  # field 2: model_name

    def _run(self) -> None:
        while not self._ends.wait(RELOAD_EVERY_SECONDS):
            self._call("Unload")
            self._call("Load")
            self.count += 1

    def __enter__(self) -> "_Reloads":
        self._thread.start()
        return self

    def __exit__(self, *_) -> None:
        self._ends.set()
        self._thread.join()
        self._channel.close()


def reloads(bench: Bench, ours, where: str) -> None:
    """The latency of one model while another, of 8 MiB, comes and goes."""
    ratios, count = [], 0
    arguments = {"rate": RELOAD_RATE, "in_flight": 1000, "warm_up": 0.2}
    for _ in range(bench.rounds):
        calm = load(bench, ours, models.L2.request, f"calm, {where}", **arguments)
        with _Reloads(ours, models.L3.name) as reloading:
            time.sleep(0.1)
            busy = load(bench, ours, models.L2.request, f"reloading, {where}", **arguments)
        count += reloading.count
        ratios.append(busy["p99_us"] / calm["p99_us"])
        if busy["failures"]:
            bench.say(f"    failed while reloading: {busy['failures']}")
    bench.add(Figure(f"p99 of one model while another is loaded and unloaded, {where}",
                     statistics.median(ratios), "", "<= 1.2",
                     f"{count} reloads; rounds {', '.join(f'{ratio:.2f}' for ratio in ratios)}"))


@contextlib.contextmanager
def cpu_quota(cpus: float):
    """A control group of so many CPUs, to be joined by who writes to its cgroup.procs; None where
    none can be made."""
    for parent, is_v2 in ((pathlib.Path("/sys/fs/cgroup/cpu"), False),
                          (pathlib.Path("/sys/fs/cgroup"), True)):
        group = parent / f"octet-bench-{os.getpid()}"
        try:
            group.mkdir()
        except OSError:
            continue
        try:
            quota = int(cpus * QUOTA_PERIOD_US)
            if is_v2:
                (group / "cpu.max").write_text(f"{quota} {QUOTA_PERIOD_US}")
            else:
                (group / "cpu.cfs_period_us").write_text(str(QUOTA_PERIOD_US))
                (group / "cpu.cfs_quota_us").write_text(str(quota))
            yield group
            return
        except OSError:
            continue
        finally:
            group.rmdir()
    yield None
