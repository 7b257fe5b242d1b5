# SPDX-License-Identifier: Apache-2.0
"""Clients that want to take the server's memory or its time, beside one that behaves."""

import pathlib
import struct
import threading
import time
import unittest

import grpc
import h2.events
import h2.exceptions
import numpy as np

from tests.support import inference_stubs
from tests.support.http2_connection import Http2Connection
from tests.support.server_process import ZOO, ServerProcess

pb, services = inference_stubs.load()

MIB = 1 << 20
INFER = "/inference.GRPCInferenceService/ModelInfer"
MODEL = "digits-mlp-int8"


class Peer(Http2Connection):
    """Begins large requests and never ends them."""

    def __init__(self, address: str):
        super().__init__(address)
        self.left: dict[int, int] = {}
        self.sent = 0

    def begin(self, method: str, message_bytes: int) -> None:
        stream = self.open(method)
        self.h2.send_data(stream, b"\0" + struct.pack(">I", message_bytes))
        self.left[stream] = message_bytes - 1
        self.flush()

    def listen(self) -> bool:
        """Takes in what the server says; whether it said anything."""
        events = self.receive(timeout=0.05)
        for event in events:
            if isinstance(event, (h2.events.StreamReset, h2.events.StreamEnded)):
                self.left.pop(event.stream_id, None)
        return bool(events)

    def push(self) -> None:
        """Sends all but each message's last byte, as far as the server's windows let it."""
        chunk = bytes(16384)
        idle = 0
        while self.left and not self.closed and idle < 20:
            before = self.sent
            for stream in list(self.left):
                try:
                    while (size := min(self.h2.local_flow_control_window(stream), len(chunk),
                                       self.left.get(stream, 0))) > 0 and not self.closed:
                        self.h2.send_data(stream, chunk[:size])
                        self.left[stream] -= size
                        self.sent += size
                        self.flush()
                except h2.exceptions.ProtocolError:
                    self.left.pop(stream, None)
            idle = 0 if self.listen() or self.sent > before else idle + 1


def resident_bytes(pid: int) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no VmHWM")


class HostileClientTest(unittest.TestCase):
    def infer(self, stub) -> None:
        request = pb.ModelInferRequest(model_name=MODEL)
        request.inputs.add(name=self.input, datatype="FP32", shape=[1, 64])
        request.raw_input_contents.append(np.zeros(64, np.float32).tobytes())
        stub.ModelInfer(request, timeout=20)

    def test_requests_that_never_end_take_no_more_than_their_share(self):
        with ServerProcess(ZOO / "repository", "--max-request-bytes", "16MiB",
                           "--max-buffered-bytes", "64MiB") as server:
            with grpc.insecure_channel(server.grpc) as channel:
                stub = services.GRPCInferenceServiceStub(channel)
                self.input = stub.ModelMetadata(
                    pb.ModelMetadataRequest(name=MODEL)).inputs[0].name
                self.infer(stub)
                idle = resident_bytes(server.process.pid)
                peers = [Peer(server.grpc) for _ in range(2)]
                for peer in peers:
                    for _ in range(16):  # half a gigabyte in all
                        peer.begin(INFER, 16 * MIB)
                threads = [threading.Thread(target=peer.push) for peer in peers]
                for thread in threads:
                    thread.start()
                # gRPC takes memory back from whoever has a call open: now and then from this one.
                answered = refused = 0
                while any(thread.is_alive() for thread in threads):
                    try:
                        self.infer(stub)
                        answered += 1
                    except grpc.RpcError as error:
                        self.assertIn(error.code(), (grpc.StatusCode.RESOURCE_EXHAUSTED,
                                                     grpc.StatusCode.UNAVAILABLE))
                        refused += 1
                for thread in threads:
                    thread.join()
                self.assertGreater(sum(peer.sent for peer in peers), 32 * MIB)
                self.assertGreater(answered, refused)
                grown = resident_bytes(server.process.pid) - idle
                # Twice: the allocator keeps some of what was given back.
                self.assertLess(grown, 2 * 64 * MIB, f"grew by {grown / MIB:.0f} MiB")
                for peer in peers:
                    peer.socket.close()
                self.infer(stub)

    def test_a_call_that_never_sends_its_message_delays_no_shutdown(self):
        with ServerProcess() as server:
            peer = Peer(server.grpc)
            for method in ("ServerLive", "ModelInfer"):
                peer.begin(f"/inference.GRPCInferenceService/{method}", 1000)
            peer.listen()
            time.sleep(0.5)
            start = time.monotonic()
            self.assertEqual(server.stop(), 0)
            self.assertLess(time.monotonic() - start, 15)
            peer.socket.close()


if __name__ == "__main__":
    unittest.main()
