# SPDX-License-Identifier: Apache-2.0
"""Somebody who tries every port and every protocol fills no log: few lines of gRPC's own, in the log's
form, a counter for the rest, and everybody else is served."""

import json
import pathlib
import re
import socket
import ssl
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc
import numpy as np
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as services

from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ZOO, ServerProcess

IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1].reshape(1, 64)
SCANS = 300


class PortScanTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.authority = Authority(cls.folder)
        cls.certificate, cls.key = cls.authority.issue("server", SERVER_NAMES)
        (cls.folder / "octet.yaml").write_text("access: {metrics: {tls: false}}\n")

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def serve(self, *arguments: str) -> ServerProcess:
        return ServerProcess(ZOO / "repository", "--tls-certificate", str(self.certificate),
                             "--tls-key", str(self.key), "--log-format", "json", "--config",
                             str(self.folder / "octet.yaml"), *arguments)

    def failures(self, server, listener: str) -> float:
        text = urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=60).read().decode()
        name = f'octet_tls_handshake_failures_total{{listener="{listener}"}}'
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])

    def await_failures(self, server, listener: str, least: int) -> None:
        end = time.monotonic() + 120
        while (count := self.failures(server, listener)) < least and time.monotonic() < end:
            time.sleep(0.1)
        self.assertGreaterEqual(count, least)

    def scan(self, address: str, number: int) -> None:
        """One of what scanners do: nothing, HTTP, noise, half a handshake, a name made up."""
        host, port = address.rsplit(":", 1)
        with socket.create_connection((host, int(port)), timeout=60) as connection:
            kind = number % 5
            if kind == 1:
                connection.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            elif kind == 2:
                connection.sendall(bytes(range(256)))
            elif kind == 3:
                connection.sendall(b"\x16\x03\x01\x02\x00\x01")
            elif kind == 4:
                context = ssl.create_default_context()  # which trusts others
                try:
                    context.wrap_socket(connection, server_hostname=f"scan{number}.example")
                except OSError:
                    pass
                return
            connection.shutdown(socket.SHUT_WR)
            try:
                while connection.recv(4096):
                    pass
            except OSError:
                pass

    def infer(self, stub) -> None:
        message = pb.ModelInferRequest(model_name="digits-mlp-fp32")
        message.inputs.add(name="pixels", datatype="FP32", shape=IMAGE.shape)
        message.raw_input_contents.append(IMAGE.tobytes())
        self.assertEqual(len(stub.ModelInfer(message, timeout=120).outputs), 1)

    def test_lines_are_few_and_failures_are_counted(self):
        with self.serve() as server:
            credentials = grpc.ssl_channel_credentials(self.authority.certificate.read_bytes())
            address = server.grpc.replace("127.0.0.1", "localhost")
            with grpc.secure_channel(address, credentials) as channel:
                stub = services.GRPCInferenceServiceStub(channel)
                self.infer(stub)
                before = [self.failures(server, listener) for listener in ("grpc", "http")]
                threads = [threading.Thread(target=lambda first=first, target=target: [
                    self.scan(target, number) for number in range(first, SCANS, 4)])
                    for first in range(4) for target in (server.grpc, server.http)]
                for thread in threads:
                    thread.start()
                for thread in threads:
                    thread.join()
                self.infer(stub)
                # Handshakes of any kind but those in which the server has no part of the failure:
                # with TLS 1.3 a client that does not trust it may have said nothing in time.
                for listener, count in zip(("grpc", "http"), before):
                    self.await_failures(server, listener, int(count) + SCANS * 4 // 5)
            with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=60) as answer:
                suppressed = re.search(r"^octet_log_suppressed_lines_total (\S+)$",
                                       answer.read().decode(), re.MULTILINE)[1]
        lines = [json.loads(line) for line in server.log]
        ours = [line for line in lines if line["message"].startswith("gRPC: ")]
        self.assertTrue(ours)
        self.assertEqual({line["level"] for line in ours}, {"warn"})
        # Ten of each of a few sources in ten seconds, on a machine that may be slow.
        by_source: dict[str, int] = {}
        for line in ours:
            by_source[line["source"]] = by_source.get(line["source"], 0) + 1
        self.assertLess(max(by_source.values()), SCANS // 2, by_source)
        self.assertGreater(float(suppressed), 0, by_source)


if __name__ == "__main__":
    unittest.main(verbosity=2)
