# SPDX-License-Identifier: Apache-2.0
"""Ten thousand open streams of health and of reflection cost the server no thread."""

import pathlib
import struct
import unittest

import grpc
import h2.events
import numpy as np

from tests.support import inference_stubs
from tests.support.http2_connection import Http2Connection
from tests.support.server_process import ServerProcess

pb, services = inference_stubs.load()

CONNECTIONS = 10
STREAMS = 1000  # of each connection
MODEL = "digits-mlp-int8"
METHODS = {
    "/grpc.health.v1.Health/Watch": b"",
    # ServerReflectionRequest: list_services, field 7, is "".
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": b"\x3a\x00",
}


def count_threads(server: ServerProcess) -> int:
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()))


def open_streams(connection: Http2Connection, method: str, message: bytes) -> None:
    """STREAMS of `method`, each with its first answer read and nothing ended."""
    unanswered = set()
    for _ in range(STREAMS):
        stream = connection.open(method)
        connection.h2.send_data(stream, b"\0" + struct.pack(">I", len(message)) + message)
        unanswered.add(stream)
    connection.flush()
    while unanswered:
        events = connection.receive(timeout=20)
        if not events:
            raise AssertionError(f"{method}: {len(unanswered)} streams got no answer")
        for event in events:
            if isinstance(event, (h2.events.StreamEnded, h2.events.StreamReset)):
                raise AssertionError(f"{method}: {event}")
            if isinstance(event, h2.events.DataReceived):
                connection.h2.acknowledge_received_data(event.flow_controlled_length,
                                                        event.stream_id)
                unanswered.discard(event.stream_id)
        connection.flush()


class OpenStreamsTest(unittest.TestCase):
    def infer(self, stub) -> None:
        wanted = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL)).inputs[0]
        request = pb.ModelInferRequest(model_name=MODEL)
        request.inputs.add(name=wanted.name, datatype="FP32", shape=[1, 64])
        request.raw_input_contents.append(np.zeros(64, np.float32).tobytes())
        stub.ModelInfer(request, timeout=20)

    def test_ten_thousand_of_each_start_no_thread(self):
        with ServerProcess() as server, grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            self.infer(stub)
            before = count_threads(server)
            connections = []
            for method, message in METHODS.items():
                for _ in range(CONNECTIONS):
                    connections.append(Http2Connection(server.grpc))
                    open_streams(connections[-1], method, message)
            # gRPC's own timer and executor may start a few on a busy machine, however many streams.
            self.assertLessEqual(count_threads(server), before + 4)
            self.infer(stub)
            self.assertEqual([c for c in connections if c.closed], [])
            self.assertEqual(server.stop(), 0)  # with all of them open
            for connection in connections:
                connection.socket.close()


if __name__ == "__main__":
    unittest.main()
