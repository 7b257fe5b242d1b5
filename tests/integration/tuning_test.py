# SPDX-License-Identifier: Apache-2.0
"""An idle server measures which implementation of each layer is the fastest, keeps it for the next
start, and does not let clients or a drain wait for it."""

import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ZOO, ServerProcess, program

pb, services = inference_stubs.load()
MODEL = "digits-int8-static"
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")[:1]


def thread_names(server: ServerProcess) -> set[str]:
    names = set()
    for task in pathlib.Path(f"/proc/{server.process.pid}/task").iterdir():
        try:
            names.add((task / "comm").read_text().strip())
        except (FileNotFoundError, ProcessLookupError):
            pass  # it has ended meanwhile
    return names


def metric(server: ServerProcess, name: str) -> float:
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
        return float(re.search(rf"^{name} (\S+)$", answer.read().decode(), re.MULTILINE)[1])


def wait_for(condition, seconds: float = 60) -> None:
    stop_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop_at, "it did not come about in time"
        time.sleep(0.005)


MODELS = sorted(path.name for path in (ZOO / "repository").iterdir())


def is_tuned(server: ServerProcess) -> bool:
    """Whether the layers and batches of every model were measured."""
    log = "".join(server.log)
    return (all(f"tuning: {model} version 1: batches pay up to " in log for model in MODELS) and
            metric(server, "octet_tuning_pending_layers") == 0)


def batch_limits(server: ServerProcess) -> dict[str, str]:
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
        return dict(re.findall(r'^octet_batch_limit_rows{model="([^"]+)"[^}]*} (\S+)$',
                               answer.read().decode(), re.MULTILINE))


class TuningTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.state = pathlib.Path(folder.name)

    def serve(self, *arguments: str) -> ServerProcess:
        return ServerProcess(ZOO / "repository", "--state-directory", str(self.state), *arguments)

    def layers_to_measure(self) -> int:
        with self.serve() as server:
            wait_for(lambda: "tuning: " in "".join(server.log))
            return int(metric(server, "octet_tuning_pending_layers"))

    def test_what_is_measured_is_kept_shown_and_taken_at_the_next_start(self):
        if self.layers_to_measure() == 0:
            self.skipTest("this CPU's kernels have one implementation for each layer")
        with self.serve() as server:
            wait_for(lambda: is_tuned(server))
            limits = batch_limits(server)
            self.assertEqual(sorted(limits), MODELS)
            measured = metric(server, "octet_tuning_measured_layers_total")
            self.assertGreater(measured, 0)
            self.assertGreater(metric(server, "octet_tuning_seconds_total"), 0)
            self.assertRegex("".join(server.log),
                             rf"tuning: {MODEL} version 1: \d of \d layers measured in ")
        self.assertEqual(sorted(path.name for path in self.state.iterdir()),
                         ["cost-curves.txt", "kernel-choices.txt"])
        shown = json.loads(subprocess.check_output(
            [program("octet"), "inspect", str(ZOO / "repository" / MODEL / "1"), "--json",
             "--kernel-choices", str(self.state / "kernel-choices.txt")]))
        reasons = re.findall(r'"chosen_by": ?"(\w+)"', json.dumps(shown))
        self.assertIn("measurement", reasons)
        with self.serve() as server:
            self.assertEqual(batch_limits(server), limits)
            time.sleep(2)  # idle for longer than it takes to begin
            self.assertEqual(metric(server, "octet_tuning_pending_layers"), 0)
            self.assertEqual(metric(server, "octet_tuning_measured_layers_total"), 0)
            self.assertNotIn("batches pay", "".join(server.log))
            self.assertIn(f"kernel choices: {measured:.0f} layers in ", "".join(server.log))

    def test_it_is_off_where_it_is_asked_to_be(self):
        with self.serve("--tune-budget", "0") as server:
            self.assertFalse({"tuner", "measure"} & thread_names(server))
            self.assertEqual(metric(server, "octet_tuning_pending_layers"), 0)
        self.assertEqual(list(self.state.iterdir()), [])

    def test_nothing_is_measured_while_requests_come(self):
        with self.serve() as server, grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            name = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL)).inputs[0].name
            message = pb.ModelInferRequest(model_name=MODEL)
            message.inputs.add(name=name, datatype="FP32", shape=[1, 8, 8, 1])
            message.raw_input_contents.append(IMAGES.tobytes())
            answers = set()
            stop_at = time.monotonic() + 2.5
            while time.monotonic() < stop_at:
                answers.add(stub.ModelInfer(message, timeout=10).raw_output_contents[0])
                time.sleep(0.05)
            self.assertEqual(metric(server, "octet_tuning_seconds_total"), 0)
            # Afterwards it is, and it changes no answer.
            wait_for(lambda: is_tuned(server))
            answers.add(stub.ModelInfer(message, timeout=10).raw_output_contents[0])
            self.assertEqual(len(answers), 1)

    def test_a_drain_does_not_wait_for_it(self):
        if self.layers_to_measure() == 0:
            self.skipTest("this CPU's kernels have one implementation for each layer")
        server = self.serve()
        wait_for(lambda: "measure" in thread_names(server))
        started = time.monotonic()
        server.terminate()
        self.assertEqual(server.process.wait(timeout=30), 0)
        self.assertLess(time.monotonic() - started, 2)

    def test_a_state_directory_that_is_not_there_is_said_once_and_no_hindrance(self):
        self.state = self.state / "none"
        if self.layers_to_measure() == 0:
            self.skipTest("this CPU's kernels have one implementation for each layer")
        with self.serve() as server:
            wait_for(lambda: is_tuned(server))
        self.assertEqual("".join(server.log).count("is not kept for the next start"), 1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
