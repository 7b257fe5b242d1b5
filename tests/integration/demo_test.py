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


class DemoTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.server = pathlib.Path(folder.name) / "octet-server"

    def command(self, server: str, *arguments: str) -> list[str]:
        return [program("octet"), "demo", "--server", server, "--model-repository",
                str(ZOO / "repository"), "--seconds", "0.1", *arguments]

    def stub(self, script: str) -> str:
        self.server.write_text(f"#!/bin/bash\n{script}\n")
        self.server.chmod(0o755)
        return str(self.server)

    def test_once_shows_accuracies_and_ends(self):
        done = subprocess.run(self.command(program("octet-server"), "--once"), capture_output=True,
                              text=True, timeout=240, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        rows = {model: (float(accuracy), int(failed))
                for model, accuracy, failed in ROW.findall(done.stdout)}
        self.assertEqual(set(rows), MODELS, done.stdout)
        for model, (accuracy, failed) in rows.items():
            self.assertGreater(accuracy, 95, model)
            self.assertLessEqual(accuracy, 100, model)
            self.assertEqual(failed, 0, model)
        self.assertNotIn("The server runs on", done.stdout)

    def test_it_stays_up_and_answers_until_it_is_interrupted(self):
        server = self.stub(f'exec "{program("octet-server")}" "${{@/%:800?/:0}}"')
        # A group of its own, as a shell's: Ctrl-C reaches the whole of it.
        demo = subprocess.Popen(self.command(server), stdout=subprocess.PIPE,
                                stderr=subprocess.PIPE, text=True, start_new_session=True)
        try:
            said = next((line for line in demo.stdout if line.startswith("The server runs on")), "")
            page, address, metrics = re.search(
                r"page (http://\S+/), gRPC (\S+), metrics (http://\S+/metrics)", said).groups()
            with grpc.insecure_channel(address) as channel:
                stub = services.GRPCInferenceServiceStub(channel)
                index = stub.RepositoryIndex(pb.RepositoryIndexRequest(), timeout=20).models
                self.assertEqual({model.name for model in index}, MODELS)
            for url, holds in ((page, "digits-int8"), (metrics, "octet_ready 1")):
                with urllib.request.urlopen(url, timeout=10) as answer:
                    self.assertIn(holds, answer.read().decode())
            self.assertIsNone(demo.poll())
            os.killpg(demo.pid, signal.SIGINT)
            self.assertEqual(demo.wait(timeout=30), 0, demo.stderr.read())
            with self.assertRaises(OSError):
                urllib.request.urlopen(page, timeout=10)
        finally:
            if demo.poll() is None:
                os.killpg(demo.pid, signal.SIGKILL)
                demo.wait()
            demo.stdout.close()
            demo.stderr.close()

    def test_it_fails_where_a_measured_request_failed(self):
        # What comes before the measurement is answered, and a few of the measured requests.
        server = self.stub(f'cd "{ROOT}" && exec "{sys.executable}" -m tests.support.failing_server '
                           f'{NUM_ROWS + 2} "$@"')
        done = subprocess.run(self.command(server, "--once"), capture_output=True, text=True,
                              timeout=240, check=False)
        self.assertEqual(done.returncode, 1, done)
        self.assertIn("digits-fp32", done.stdout)  # the table comes first
        self.assertRegex(done.stderr,
                         r'^octet demo: model "digits-fp32": \d+ of \d+ measured requests failed, '
                         r"the first with UNAVAILABLE: this server has answered enough\n$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
