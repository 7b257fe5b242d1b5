# SPDX-License-Identifier: Apache-2.0
"""`octet demo`: the accuracies it shows, the server it leaves running, and what makes it fail.

Without --once it takes the ports 8000 to 8002: a stub of octet-server between the two gives it free
ones.
"""

import os
import pathlib
import re
import signal
import subprocess
import sys
import tempfile
import unittest
import urllib.request

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ROOT, ZOO, program

pb, services = inference_stubs.load()
MODELS = {f"digits{kind}-{precision}" for kind in ("", "-mlp")
          for precision in ("fp32", "int8", "int8-static", "int4")}
NUM_ROWS = len(np.load(ZOO / "data" / "digits_test_labels.npy"))
ROW = re.compile(r"^(digits\S*) +(\d+\.\d+) % .* (\d+)$", re.MULTILINE)


def command(server: str, *arguments: str) -> list[str]:
    return [program("octet"), "demo", "--server", server, "--model-repository",
            str(ZOO / "repository"), "--seconds", "0.1", *arguments]


class DemoTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)

        def stub(name: str, script: str) -> str:
            path = pathlib.Path(folder.name) / name
            path.write_text(f"#!/bin/bash\n{script}\n")
            path.chmod(0o755)
            return str(path)

        on_free_ports = stub("on_free_ports",
                             f'exec "{program("octet-server")}" "${{@/%:800?/:0}}"')
        # What comes before the measurement is answered, and a few of the measured requests.
        failing = stub("failing", f'cd "{ROOT}" && exec "{sys.executable}" '
                                  f'-m tests.support.failing_server {NUM_ROWS + 2} "$@"')
        # All at once: each measures for a while.
        cls.once = cls.start(program("octet-server"), "--once")
        cls.running = cls.start(on_free_ports)
        cls.failing = cls.start(failing, "--once")

    @classmethod
    def start(cls, *arguments: str) -> subprocess.Popen:
        """In a group of its own, as a shell's: Ctrl-C reaches the whole of it."""
        demo = subprocess.Popen(command(*arguments), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                text=True, start_new_session=True)

        def end() -> None:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)
            demo.wait()
            demo.stdout.close()
            demo.stderr.close()

        cls.addClassCleanup(end)
        return demo

    def assert_accurate(self, table: str) -> None:
        rows = {model: (float(accuracy), int(failed))
                for model, accuracy, failed in ROW.findall(table)}
        self.assertEqual(set(rows), MODELS, table)
        for model, (accuracy, failed) in rows.items():
            self.assertGreater(accuracy, 95, model)
            self.assertLessEqual(accuracy, 100, model)
            self.assertEqual(failed, 0, model)

    def test_once_shows_accuracies_and_ends(self):
        said, errors = self.once.communicate(timeout=240)
        self.assertEqual(self.once.returncode, 0, errors)
        self.assert_accurate(said)
        self.assertNotIn("The server runs on", said)

    def test_it_stays_up_and_answers_until_it_is_interrupted(self):
        said = []
        for line in self.running.stdout:
            said.append(line)
            if line.startswith("The server runs on"):
                break
        self.assert_accurate("".join(said[:-1]))
        page, address, metrics = re.search(
            r"page (http://\S+/), gRPC (\S+), metrics (http://\S+/metrics)", said[-1]).groups()
        with grpc.insecure_channel(address) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            index = stub.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=20).models
            self.assertEqual({model.name for model in index}, MODELS)
        for url, holds in ((page, "digits-int8"), (metrics, "octet_ready 1")):
            with urllib.request.urlopen(url, timeout=10) as answer:
                self.assertIn(holds, answer.read().decode())
        self.assertIsNone(self.running.poll())
        os.killpg(self.running.pid, signal.SIGINT)
        self.assertEqual(self.running.wait(timeout=30), 0)
        with self.assertRaises(OSError):
            urllib.request.urlopen(page, timeout=10)

    def test_it_fails_where_a_measured_request_failed(self):
        said, errors = self.failing.communicate(timeout=240)
        self.assertEqual(self.failing.returncode, 1, errors)
        self.assertIn("digits-fp32", said)  # the table comes first
        self.assertRegex(errors,
                         r'^octet demo: model "digits-fp32": \d+ of \d+ measured requests failed, '
                         r"the first with UNAVAILABLE: this server has answered enough\n$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
