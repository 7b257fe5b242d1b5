# SPDX-License-Identifier: Apache-2.0
"""HTTP's limits as the configuration file sets them, and what the metrics tell of them."""

import pathlib
import re
import socket
import tempfile
import time
import unittest
import urllib.request

from tests.support.server_process import ZOO, ServerProcess

CONFIG = """
max_request_bytes: 4MiB
max_buffered_bytes: 16MiB
http:
  max_connections: 4
  max_header_bytes: 2KiB
  header_timeout: 2s
  idle_timeout: 3s
  min_rate_bytes: 1KiB
"""
INFER = "/v2/models/digits-mlp-fp32/infer"


class HttpLimitsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        config = pathlib.Path(cls.temporary.name) / "octet.yaml"
        config.write_text(CONFIG)
        cls.server = ServerProcess(ZOO / "repository", "--config", str(config))

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"
        cls.temporary.cleanup()

    def connect(self) -> socket.socket:
        host, port = self.server.http.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=60)
        self.addCleanup(connection.close)
        return connection

    def answer(self, connection: socket.socket, request: bytes) -> bytes:
        connection.sendall(request)
        text = b""
        while part := connection.recv(65536):
            text += part
        return text

    def metric(self, name: str) -> float:
        address = f"http://{self.server.metrics}/metrics"
        with urllib.request.urlopen(address, timeout=60) as answer:
            text = answer.read().decode()
        return float(re.search(rf"^{re.escape(name)} (\S+)$", text, re.MULTILINE)[1])

    def await_metric(self, name: str, holds) -> float:
        end = time.monotonic() + 60
        while not holds(value := self.metric(name)) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertTrue(holds(value), f"{name} {value}")
        return value

    def test_limits_are_metrics(self):
        for name, value in (("max_request_bytes", 4 << 20), ("max_buffered_bytes", 16 << 20),
                            ("http.max_connections", 4), ("http.max_header_bytes", 2048),
                            ("http.header_timeout", 2), ("http.idle_timeout", 3),
                            ("http.min_rate_bytes", 1024)):
            self.assertEqual(self.metric(f'octet_limit{{limit="{name}"}}'), value)

    def test_a_header_has_its_size_and_its_time(self):
        long = b"GET /v2 HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX: %s\r\n\r\n"
        self.assertIn(b" 200 ", self.answer(self.connect(), long % (b"x" * 1500)))
        self.assertIn(b" 431 ", self.answer(self.connect(), long % (b"x" * 3000)))
        self.assertIn(b" 408 ", self.answer(self.connect(), b"GET /v2 HTTP/1.1\r\nHost:"))

    def test_an_idle_connection_is_closed(self):
        connection = self.connect()
        self.assertIn(b" 200 ", self.answer(
            connection, b"GET /v2 HTTP/1.1\r\nHost: x\r\n\r\n"))  # which reads to the end

    def test_connections_are_counted_and_have_a_limit(self):
        opened = 'octet_http_connections{listener="http"}'
        refused = 'octet_http_refused_connections_total{listener="http"}'
        self.await_metric(opened, lambda value: value == 0)
        before = self.metric(refused)
        held = []
        for _ in range(4):
            connection = self.connect()
            connection.sendall(b"POST %s HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n"
                               % INFER.encode())  # whose body takes its time
            held.append(connection)
        self.await_metric(opened, lambda value: value == 4)
        self.assertIn(b" 503 ", self.connect().recv(4096))
        self.await_metric(refused, lambda value: value == before + 1)
        for connection in held:
            connection.close()
        self.await_metric(opened, lambda value: value == 0)
        self.assertEqual(self.metric('octet_http_refused_connections_total{listener="metrics"}'), 0)

    def test_bodies_hold_half_of_the_budget_at_most(self):
        buffered = "octet_http_buffered_bytes"
        self.await_metric(buffered, lambda value: value == 0)
        head = (b"POST %s HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: %d\r\n\r\n"
                % (INFER.encode(), 4 << 20))
        held = []
        for _ in range(2):
            connection = self.connect()
            connection.sendall(head + b" " * ((4 << 20) - 1))  # all but the last byte
            held.append(connection)
            self.await_metric(buffered, lambda value: value == len(held) * (4 << 20))
        third = self.connect()
        answer = b""
        try:
            answer = self.answer(third, head + b" " * (1 << 20))
        except OSError:
            pass  # refused while it was sending
        self.assertIn(b" 503 ", answer)
        for connection in held:
            self.assertIn(b" 400 ", self.answer(connection, b" "))  # blanks are no JSON
        self.await_metric(buffered, lambda value: value == 0)


if __name__ == "__main__":
    unittest.main(verbosity=2)
