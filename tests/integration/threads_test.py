# SPDX-License-Identifier: Apache-2.0
"""The server has as many workers as CPUs to compute on, and each of its threads has a name that
docs/threading.md explains."""

import os
import pathlib
import re
import signal
import sys
import time
import unittest
import urllib.request

from tests.support.http2_connection import Http2Connection
from tests.support.server_process import ROOT, ZOO, ServerProcess


def thread_names(server: ServerProcess) -> list[str]:
    names = []
    for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        try:
            names.append((task / "comm").read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended meanwhile
    return names


def documented_names() -> re.Pattern:
    """What stands in backquotes in the first column of the table, <n> for a number."""
    table = (ROOT / "docs/threading.md").read_text().split("| thread |", 1)[1].split("\n\n", 1)[0]
    names = [name for row in table.splitlines() if row.startswith("| ")
             for name in re.findall(r"`([^`]+)`", row.split("|")[1])]
    assert len(names) > 5, names
    return re.compile("|".join(re.escape(name).replace("<n>", r"\d+") for name in names))


def metric(server: ServerProcess, name: str) -> float:
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)[1])


class ThreadsTest(unittest.TestCase):
    def assert_workers(self, server: ServerProcess, computing: int) -> None:
        self.assertEqual(metric(server, "octet_workers"), computing + 1)  # and one that polls
        self.assertEqual(sorted(name for name in thread_names(server) if name.startswith("w:")),
                         [f"w:{i}" for i in range(computing + 1)])
        self.assertIn(f" {computing} computing threads (", "".join(server.log))

    def test_every_thread_has_a_documented_name(self):
        known = documented_names()
        with ServerProcess(ZOO / "repository") as server:
            with Http2Connection(server.grpc) as connection:
                connection.open("/inference.GRPCInferenceService/ModelInfer")
                connection.flush()
                connection.receive(timeout=0.2)
                names = set(thread_names(server))
                self.assertLessEqual({"octet-server", "signals", "http", "w:0", "w:1"}, names)
                # While an upload keeps the shutdown waiting.
                server.process.send_signal(signal.SIGTERM)
                while server.process.poll() is None:
                    names |= set(thread_names(server))
                    time.sleep(0.002)
        self.assertIn("uploads", names)
        self.assertFalse([name for name in names if not known.fullmatch(name)])

    def test_one_cpu_is_one_computing_thread(self):
        cpus = sorted(os.sched_getaffinity(0))
        with ServerProcess(ZOO / "repository", under=("taskset", "-c", str(cpus[0]))) as server:
            self.assertEqual(metric(server, "octet_cpu_limit_cpus"), 1)
            self.assert_workers(server, 1)

    def test_two_cpus_are_two(self):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("this machine has one CPU")
        with ServerProcess(ZOO / "repository",
                           under=("taskset", "-c", f"{cpus[0]},{cpus[1]}")) as server:
            if metric(server, "octet_cpu_limit_cpus") < 2:
                self.skipTest("a quota leaves less than two CPUs")
            self.assert_workers(server, 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
