# SPDX-License-Identifier: Apache-2.0
"""Two servers behind a client that heeds readiness are restarted one after the other, and no request
fails; streams and what is in flight are answered; a signal while models load ends it cleanly."""

import pathlib
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ZOO, ServerProcess, program

pb, services = inference_stubs.load()
MODEL = "digits-mlp-int8"
IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1]
DRAIN_SECONDS = 4
LOOK_SECONDS = 0.1  # between a client's questions for readiness
NUM_RESTARTS = 4


def infer_request(stub) -> "pb.ModelInferRequest":
    name = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL)).inputs[0].name
    message = pb.ModelInferRequest(model_name=MODEL)
    message.inputs.add(name=name, datatype="FP32", shape=[1, 64])
    message.raw_input_contents.append(IMAGE.tobytes())
    return message


class Balancer:
    """Sends to the servers that were ready when it last asked."""

    def __init__(self):
        self._ready = {}
        self._known = {}
        self._lock = threading.Lock()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self._thread.start()

    def add(self, server: ServerProcess) -> None:
        channel = grpc.insecure_channel(server.grpc)
        with self._lock:
            self._known[server.grpc] = (channel, services.GRPCInferenceServiceStub(channel))

    def remove(self, server: ServerProcess) -> None:
        with self._lock:
            channel, _ = self._known.pop(server.grpc)
            self._ready.pop(server.grpc, None)
        channel.close()

    def pick(self, number: int):
        with self._lock:
            ready = list(self._ready.values())
        return ready[number % len(ready)] if ready else None

    def is_ready(self, server: ServerProcess) -> bool:
        with self._lock:
            return server.grpc in self._ready

    def _look(self) -> None:
        while not self._stop.wait(LOOK_SECONDS):
            with self._lock:
                known = list(self._known.items())
            for address, (_, stub) in known:
                try:
                    ready = stub.ServerReady(pb.ServerReadyRequest(), timeout=5).ready
                except (grpc.RpcError, ValueError):  # a channel that is closed
                    ready = False
                with self._lock:
                    if ready and address in self._known:
                        self._ready[address] = stub
                    else:
                        self._ready.pop(address, None)

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()


def await_that(holds, what: str) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline, what
        time.sleep(0.02)


class RollingRestartTest(unittest.TestCase):
    def start(self, *arguments: str) -> ServerProcess:
        server = ServerProcess(ZOO / "repository", "--drain-delay", f"{DRAIN_SECONDS}s", *arguments)
        self.addCleanup(server.process.kill)
        return server

    def test_no_request_fails(self):
        balancer = Balancer()
        self.addCleanup(balancer.stop)
        servers = [self.start(), self.start()]
        for server in servers:
            balancer.add(server)
        await_that(lambda: all(map(balancer.is_ready, servers)), "not ready")
        message = infer_request(balancer.pick(0))
        over = threading.Event()
        answered, failed = [], []

        def call(number: int) -> None:
            while not over.is_set():
                stub = balancer.pick(number)
                number += 1
                try:
                    assert stub is not None, "no server was ready"
                    stub.ModelInfer(message, timeout=60)
                    answered.append(1)
                except Exception as error:  # pylint: disable=broad-except
                    failed.append(error)
                time.sleep(0.001)

        callers = [threading.Thread(target=call, args=(i,)) for i in range(4)]
        for caller in callers:
            caller.start()
        for number in range(NUM_RESTARTS):
            old = servers[number % 2]
            old.terminate()
            self.assertEqual(old.process.wait(timeout=60), 0)
            balancer.remove(old)
            servers[number % 2] = self.start()
            balancer.add(servers[number % 2])
            await_that(lambda: balancer.is_ready(servers[number % 2]), "not ready")
        over.set()
        for caller in callers:
            caller.join()
        for server in servers:
            balancer.remove(server)
            self.assertEqual(server.stop(), 0)
        print(f"answered over {NUM_RESTARTS} restarts: {len(answered)}, failed: {len(failed)}")
        self.assertEqual(failed, [])
        self.assertGreater(len(answered), 100)

    def test_requests_and_connections_that_come_during_the_delay_are_served(self):
        server = self.start()
        with grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            message = infer_request(stub)
            server.terminate()
            await_that(lambda: not stub.ServerReady(pb.ServerReadyRequest()).ready, "still ready")
            self.assertTrue(stub.ServerLive(pb.ServerLiveRequest()).live)
            self.assertFalse(stub.ModelReady(pb.ModelReadyRequest(name=MODEL)).ready)
            with grpc.insecure_channel(server.grpc, options=[("other", 1)]) as other:
                answer = services.GRPCInferenceServiceStub(other).ModelInfer(message, timeout=30)
            self.assertEqual(answer.model_name, MODEL)
            answers = list(stub.ModelStreamInfer(iter([message] * 5), timeout=30))
            self.assertEqual([answer.error_message for answer in answers], [""] * 5)
        self.assertEqual(server.process.wait(timeout=60), 0)

    def test_what_a_stream_has_sent_is_answered_before_it_ends(self):
        server = self.start()
        with grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            message = infer_request(stub)
            over = threading.Event()

            def messages():
                for _ in range(20):
                    yield message
                over.wait(60)  # the stream is left open

            stream = stub.ModelStreamInfer(messages(), timeout=60)
            first = next(stream)
            self.assertEqual(first.error_message, "")
            server.terminate()
            answers = 1
            with self.assertRaises(grpc.RpcError) as ended:
                for answer in stream:
                    self.assertEqual(answer.error_message, "")
                    answers += 1
            over.set()
            self.assertEqual(answers, 20)
            self.assertEqual(ended.exception.code(), grpc.StatusCode.UNAVAILABLE)
        self.assertEqual(server.process.wait(timeout=60), 0)

    def test_the_second_signal_is_status_1(self):
        server = self.start()
        server.terminate()
        await_that(lambda: any("draining" in line for line in server.log), "no drain")
        server.terminate()
        self.assertEqual(server.process.wait(timeout=20), 1)

    def test_a_signal_while_models_load_is_a_clean_end(self):
        with tempfile.TemporaryDirectory() as folder:
            repository = pathlib.Path(folder)
            for i in range(300):
                (repository / f"m{i}").mkdir()
                (repository / f"m{i}" / "1").symlink_to(ZOO / "repository" / "digits-int8" / "1")
            command = [program("octet-server"), "--model-repository", str(repository),
                       "--drain-delay", "30s"]
            for flag in ("--grpc-address", "--http-address", "--metrics-address"):
                command += [flag, "127.0.0.1:0"]
            process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                       text=True)
            self.addCleanup(process.kill)
            for line in process.stderr:
                if " loaded m" in line:
                    break
            process.terminate()
            drained = threading.Thread(target=process.stderr.read)
            drained.start()
            # No delay: nobody has seen it ready.
            self.assertEqual(process.wait(timeout=25), 0)
            drained.join()
            self.assertEqual(process.stdout.read(), "")
            process.stdout.close()
            process.stderr.close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
