# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under load loses no request; a second signal ends the server at once."""

import concurrent.futures
import signal
import sys
import threading
import time
import unittest

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ZOO, ServerProcess

pb, services = inference_stubs.load()
IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1]
NUM_SIGNALS = 10
DRAIN_SECONDS = 0.3


def call_until(stub, name, stop_at, outcomes):
    """Calls without pause; notes when each call was sent and how it ended."""
    message = pb.ModelInferRequest(model_name="digits-mlp-int8")
    message.inputs.add(name=name, datatype="FP32", shape=[1, 64])
    message.raw_input_contents.append(IMAGE.tobytes())
    while time.monotonic() < stop_at[0]:
        sent = time.monotonic()
        try:
            stub.ModelInfer(message, timeout=10)
            outcomes.append((sent, grpc.StatusCode.OK))
        except grpc.RpcError as error:
            outcomes.append((sent, error.code()))
            if error.code() is grpc.StatusCode.UNAVAILABLE:
                return


class DrainTest(unittest.TestCase):
    def test_no_request_is_lost(self):
        lost = answered = 0
        for _ in range(NUM_SIGNALS):
            server = ServerProcess(ZOO / "repository", "--drain-delay", f"{DRAIN_SECONDS}s")
            channels = [grpc.insecure_channel(server.grpc, options=[("id", i)]) for i in range(4)]
            stubs = [services.GRPCInferenceServiceStub(channel) for channel in channels]
            name = stubs[0].ModelMetadata(
                pb.ModelMetadataRequest(name="digits-mlp-int8")).inputs[0].name
            stop_at = [time.monotonic() + 20]
            outcomes = []
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                for i in range(8):
                    threads.submit(call_until, stubs[i % 4], name, stop_at, outcomes)
                time.sleep(0.3)
                signalled = time.monotonic()
                server.terminate()
                time.sleep(DRAIN_SECONDS / 2)
                self.assertFalse(stubs[0].ServerReady(pb.ServerReadyRequest()).ready)
                status = server.process.wait(timeout=20)
                stop_at[0] = 0
            for channel in channels:
                channel.close()
            self.assertEqual(status, 0)
            # A call that reached the server before the delay ended must be answered; what is sent
            # around the GOAWAY may end as UNAVAILABLE, and nothing else.
            safe = signalled + DRAIN_SECONDS * 0.9
            lost += sum(code is not grpc.StatusCode.OK for sent, code in outcomes if sent < safe)
            answered += sum(code is grpc.StatusCode.OK for _, code in outcomes)
            others = {code for _, code in outcomes} - {grpc.StatusCode.OK,
                                                       grpc.StatusCode.UNAVAILABLE}
            self.assertFalse(others)
        print(f"requests answered over {NUM_SIGNALS} SIGTERMs: {answered}, lost: {lost}")
        self.assertEqual(lost, 0)

    def test_a_second_signal_ends_it_at_once(self):
        server = ServerProcess(ZOO / "repository", "--drain-delay", "30s")
        server.terminate()
        time.sleep(0.2)
        self.assertIsNone(server.process.poll())
        started = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(timeout=10)
        self.assertLess(time.monotonic() - started, 2)


if __name__ == "__main__":
    threading.excepthook = lambda arguments: sys.__excepthook__(*arguments[:3])
    unittest.main(argv=sys.argv[:1], verbosity=2)
