# SPDX-License-Identifier: Apache-2.0
"""SIGTERM under load loses no request, over a slow network too; what is not whole when the drain
delay ends holds nothing up; a second signal ends the server at once."""

import collections
import concurrent.futures
import signal
import struct
import sys
import threading
import time
import unittest
import urllib.error
import urllib.request

import grpc
import hpack
import hyperframe.frame
import numpy as np

from tests.support import inference_stubs
from tests.support.http2_connection import Http2Connection
from tests.support.relay import Relay
from tests.support.server_process import ZOO, ServerProcess

pb, services = inference_stubs.load()
MODEL = "digits-mlp-int8"
IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1]
NUM_SIGNALS = 10
DRAIN_SECONDS = 0.8
NETWORK_SECONDS = 0.005  # each way
# Between asking for a call and its leaving this process, on a busy machine.
SEND_SECONDS = 0.4
# How calls may end that were sent too late.
REFUSED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.CANCELLED}


def infer_request(stub):
    """A request that the model answers."""
    name = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL)).inputs[0].name
    message = pb.ModelInferRequest(model_name=MODEL)
    message.inputs.add(name=name, datatype="FP32", shape=[1, 64])
    message.raw_input_contents.append(IMAGE.tobytes())
    return message


def call_until(stub, message, stop_at, outcomes):
    """Calls without pause; notes when each call was sent and how it ended."""
    while time.monotonic() < stop_at[0]:
        sent = time.monotonic()
        try:
            stub.ModelInfer(message, timeout=10)
            outcomes.append((sent, grpc.StatusCode.OK))
        except grpc.RpcError as error:
            outcomes.append((sent, error.code()))
            if error.code() in REFUSED:
                return


class DrainTest(unittest.TestCase):
    def test_no_request_is_lost(self):
        lost = answered = 0
        for _ in range(NUM_SIGNALS):
            server = ServerProcess(ZOO / "repository", "--drain-delay", f"{DRAIN_SECONDS}s")
            channels = [grpc.insecure_channel(server.grpc, options=[("id", i)]) for i in range(4)]
            stubs = [services.GRPCInferenceServiceStub(channel) for channel in channels]
            message = infer_request(stubs[0])
            stop_at = [time.monotonic() + 20]
            outcomes = []
            with concurrent.futures.ThreadPoolExecutor(8) as threads:
                for i in range(8):
                    threads.submit(call_until, stubs[i % 4], message, stop_at, outcomes)
                time.sleep(0.3)
                signalled = time.monotonic()
                server.terminate()
                # The delay begins when the server gets to see the signal, on a busy machine later.
                while stubs[0].ServerReady(pb.ServerReadyRequest()).ready:
                    self.assertLess(time.monotonic(), signalled + 5, "ready after SIGTERM")
                    time.sleep(0.01)
                status = server.process.wait(timeout=20)
                stop_at[0] = 0
            for channel in channels:
                channel.close()
            self.assertEqual(status, 0)
            # A call that reached the server before the delay ended must be answered; what is sent
            # around the GOAWAY may end as UNAVAILABLE or CANCELLED, and nothing else. From the
            # clock's reading to the wire a thread of eight may take long on a busy machine.
            safe = signalled + DRAIN_SECONDS / 2
            lost += sum(code is not grpc.StatusCode.OK for sent, code in outcomes if sent < safe)
            answered += sum(code is grpc.StatusCode.OK for _, code in outcomes)
            self.assertFalse({code for _, code in outcomes} - {grpc.StatusCode.OK} - REFUSED)
        print(f"requests answered over {NUM_SIGNALS} SIGTERMs: {answered}, lost: {lost}")
        self.assertEqual(lost, 0)

    def test_no_request_is_lost_in_a_slow_network(self):
        """An open loop, so that calls are on the wire at every moment of the drain."""
        late = collections.Counter()
        for _ in range(NUM_SIGNALS // 2):
            server = ServerProcess(ZOO / "repository", "--drain-delay", f"{DRAIN_SECONDS}s")
            with Relay(server.grpc, NETWORK_SECONDS) as relay:
                channels = [grpc.insecure_channel(relay.address, options=[("id", i)])
                            for i in range(4)]
                stubs = [services.GRPCInferenceServiceStub(channel) for channel in channels]
                message = infer_request(stubs[0])
                for stub in stubs:
                    stub.ModelInfer(message, timeout=10)
                calls = []
                signalled = None
                ended = None
                begun = time.monotonic()
                while ended is None or time.monotonic() < ended + 0.2:
                    now = time.monotonic()
                    calls.append((now, stubs[len(calls) % 4].ModelInfer.future(message,
                                                                               timeout=20)))
                    if signalled is None and now > begun + 0.2:
                        signalled = now
                        server.terminate()
                    if ended is None and server.process.poll() is not None:
                        ended = now
                    time.sleep(0.003)
                self.assertEqual(server.stop(), 0)
                # Waits until each has ended.
                codes = [(sent, call.code()) for sent, call in calls]
                self.assertLess(time.monotonic() - ended, 10, "a call hung")
                for channel in channels:
                    channel.close()
            safe = signalled + DRAIN_SECONDS - NETWORK_SECONDS - SEND_SECONDS
            early = collections.Counter(code for sent, code in codes if sent < safe)
            self.assertEqual(set(early), {grpc.StatusCode.OK}, early)
            late += collections.Counter(code for sent, code in codes if sent >= safe)
        print(f"calls sent when the drain delay ended or later: {late}")
        self.assertFalse(set(late) - {grpc.StatusCode.OK} - REFUSED, late)
        self.assertTrue(REFUSED & set(late), late)

    def test_an_upload_that_is_not_whole_in_time_is_refused_and_holds_nothing_up(self):
        for becomes_whole, status in ((False, grpc.StatusCode.UNAVAILABLE),
                                      (True, grpc.StatusCode.CANCELLED)):
            with self.subTest(becomes_whole=becomes_whole):
                self.assertEqual(self.how_an_upload_ends(becomes_whole), status.value[0])

    def how_an_upload_ends(self, becomes_whole: bool) -> int:
        """The code of a request whose last byte is missing when the drain delay ends, and comes right
        after or never."""
        with ServerProcess(ZOO / "repository", "--drain-delay", f"{DRAIN_SECONDS}s") as server, \
                Http2Connection(server.grpc) as connection:
            with grpc.insecure_channel(server.grpc) as channel:
                body = infer_request(
                    services.GRPCInferenceServiceStub(channel)).SerializeToString()
            stream = connection.open("/inference.GRPCInferenceService/ModelInfer")
            connection.h2.send_data(stream, b"\0" + struct.pack(">I", len(body)) + body[:-1])
            connection.flush()
            connection.receive(timeout=0.1)
            started = time.monotonic()
            server.terminate()
            frames = []
            for frame in connection.frames(seconds=20):
                frames.append(frame)
                if becomes_whole and isinstance(frame, hyperframe.frame.GoAwayFrame):
                    becomes_whole = False  # the server says it twice
                    connection.h2.send_data(stream, body[-1:], end_stream=True)
                    connection.flush()
            server.process.wait(timeout=20)
            self.assertLess(time.monotonic() - started, DRAIN_SECONDS + 2)
        self.assertFalse([frame for frame in frames
                          if isinstance(frame, hyperframe.frame.DataFrame)], "an answer")
        headers = next(frame for frame in frames
                       if isinstance(frame, hyperframe.frame.HeadersFrame))
        return int(dict(hpack.Decoder().decode(headers.data, raw=True))[b"grpc-status"])

    def test_it_is_unready_over_http_while_it_still_answers(self):
        def get(address, path):
            try:
                with urllib.request.urlopen(f"http://{address}{path}", timeout=5) as reply:
                    return reply.status, reply.read().decode()
            except urllib.error.HTTPError as error:
                return error.code, error.read().decode()

        with ServerProcess(ZOO / "repository", "--drain-delay", "3s") as server, \
                grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            message = infer_request(stub)
            self.assertEqual(get(server.http, "/v2/health/ready")[0], 200)
            server.terminate()
            stop_at = time.monotonic() + 2
            while get(server.http, "/v2/health/ready")[0] == 200:
                self.assertLess(time.monotonic(), stop_at, "it stayed ready")
            self.assertEqual(get(server.http, "/v2/health/ready")[0], 503)
            self.assertEqual(get(server.http, "/v2/health/live")[0], 200)
            self.assertIn("\noctet_ready 0\n", get(server.metrics, "/metrics")[1])
            answer = stub.ModelInfer(message, timeout=10)
            self.assertEqual(len(answer.raw_output_contents[0]), 40)
            self.assertIsNone(server.process.poll())
            self.assertEqual(server.process.wait(timeout=20), 0)

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
