# SPDX-License-Identifier: Apache-2.0
"""A change of the CPUs that the server may use is noticed while it serves."""

import os
import re
import subprocess
import sys
import time
import unittest
import urllib.request

from tests.support.server_process import ZOO, ServerProcess


def metric(server: ServerProcess, name: str) -> float:
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)[1])


class CpuBudgetTest(unittest.TestCase):
    def await_threads(self, server: ServerProcess, count: int) -> None:
        deadline = time.monotonic() + 60
        while metric(server, "octet_computing_threads") != count:
            self.assertLess(time.monotonic(), deadline, "it was not noticed")
            time.sleep(0.2)

    def test_affinity_is_followed_down_and_up(self):
        cpus = sorted(os.sched_getaffinity(0))[:2]
        if len(cpus) < 2:
            self.skipTest("this machine has one CPU")
        two = ",".join(map(str, cpus))
        with ServerProcess(ZOO / "repository", under=("taskset", "-c", two)) as server:
            if metric(server, "octet_computing_threads") < 2:
                self.skipTest("a quota leaves less than two CPUs")
            for allowed, count in ((str(cpus[0]), 1), (two, 2)):
                subprocess.run(["taskset", "-a", "-c", "-p", allowed, str(server.process.pid)],
                               check=True, capture_output=True)
                self.await_threads(server, count)
                self.assertIn(f"CPUs changed: {count} CPUs", "".join(server.log))
            self.assertEqual(metric(server, "octet_workers"), 3)  # none was ended

    def test_a_number_that_was_given_stays(self):
        cpus = sorted(os.sched_getaffinity(0))
        if len(cpus) < 2:
            self.skipTest("this machine has one CPU")
        with ServerProcess(ZOO / "repository", "--workers", "2") as server:
            subprocess.run(["taskset", "-a", "-c", "-p", str(cpus[0]), str(server.process.pid)],
                           check=True, capture_output=True)
            time.sleep(6)  # longer than it looks away
            self.assertEqual(metric(server, "octet_computing_threads"), 2)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
