# SPDX-License-Identifier: Apache-2.0
"""HTTP clients that want to take the server's memory or its time, over raw sockets, beside one that
behaves."""

import contextlib
import json
import pathlib
import socket
import struct
import threading
import time
import unittest

from tests.support.server_process import ZOO, ServerProcess

INFER = "/v2/models/digits-mlp-int8/infer"
REQUEST = json.dumps({"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32",
                                  "data": [0] * 64}]}).encode()
MIB = 1 << 20


def post(path: str, body: bytes, *fields: str) -> bytes:
    head = "".join(f"{field}\r\n" for field in (f"Content-Length: {len(body)}", *fields))
    return f"POST {path} HTTP/1.1\r\nHost: x\r\n{head}\r\n".encode() + body


def figure(pid: int, name: str) -> int:
    for line in pathlib.Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1])
    raise AssertionError(name)


class Answer:
    def __init__(self, text: bytes):
        self.text = text
        head, _, self.body = text.partition(b"\r\n\r\n")
        self.status = int(head.split()[1]) if head else 0
        self.head = head.decode("latin-1")


class HttpHostileTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess(ZOO / "repository", "--max-request-bytes", "4MiB",
                                   "--max-buffered-bytes", "16MiB")
        host, port = cls.server.http.split(":")
        cls.address = (host, int(port))

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def tearDown(self):
        self.assertEqual(self.ask(post(INFER, REQUEST, "Connection: close")).status, 200)

    def connect(self) -> socket.socket:
        return socket.create_connection(self.address, timeout=60)

    def read_to_end(self, connection: socket.socket) -> bytes:
        text = b""
        with contextlib.suppress(ConnectionError):
            while part := connection.recv(1 << 16):
                text += part
        return text

    def ask(self, request: bytes) -> Answer:
        """One request; what comes until the server closes."""
        with self.connect() as connection:
            with contextlib.suppress(ConnectionError):
                connection.sendall(request)
            return Answer(self.read_to_end(connection))

    def test_bodies_that_kill_servers_that_recurse(self):
        for body in (b"[" * 250_000,
                     b'{"inputs": [{"name": "pixels", "shape": [1, 64], "datatype": "FP32", '
                     b'"data": ' + b"[" * 250_000 + b"]" * 250_000 + b"}]}",
                     b'{"a":' * 250_000):
            answer = self.ask(post(INFER, body, "Connection: close"))
            self.assertEqual(answer.status, 400, answer.text[:300])
            self.assertLess(len(answer.body), 500)
        index = self.ask(post("/v2/repository/index", b'{"ready":' + b"[" * 250_000,
                              "Connection: close"))
        self.assertEqual(index.status, 400)

    def test_lengths_that_lie(self):
        for value in ("99999999999", "-1", "abc", "99999999999999999999999", str(len(REQUEST) + 1)):
            answer = self.ask(post(INFER, REQUEST, f"Inference-Header-Content-Length: {value}",
                                   "Connection: close"))
            self.assertEqual(answer.status, 400, value)
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\n"
        for fields, status in (("Content-Length: 99999999999\r\n\r\n", 413),
                               ("\r\n", 411),
                               ("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
                               ("Content-Length: 2\r\nExpect: miracles\r\n\r\n{}", 417),
                               ("Content-Length: 2\r\nContent-Encoding: br\r\n\r\n{}", 415),
                               ("Content-Length: 2\r\nContent-Type: text/html\r\n\r\n{}", 415),
                               ("X: " + "a" * 9000 + "\r\n\r\n", 431)):
            fields = "Connection: close\r\n" + fields
            self.assertEqual(self.ask((head + fields).encode()).status, status, fields[:60])

    def test_too_large_a_body_is_refused_and_the_client_reads_why(self):
        # Sent whole before it reads, as most clients do.
        answer = self.ask(post(INFER, bytes(5 * MIB)))
        self.assertEqual(answer.status, 413)
        self.assertIn(b"4194304", answer.body)

    def test_three_million_chunks_of_a_byte(self):
        head = f"POST {INFER} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
        before = figure(self.server.process.pid, "VmHWM")
        answer = self.ask(head.encode() + b"1\r\n \r\n" * 3_000_000 + b"0\r\n\r\n"
                          b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.status, 400)
        self.assertLess(figure(self.server.process.pid, "VmHWM") - before, 64 << 10)

    def test_all_bodies_together_are_limited(self):
        """Uploads that stop short of their end fill the budget, not the memory."""
        held = []
        refused = 0
        try:
            for _ in range(12):
                connection = self.connect()
                connection.sendall(
                    f"POST {INFER} HTTP/1.1\r\nHost: x\r\nContent-Length: {4 * MIB}\r\n\r\n".encode())
                with contextlib.suppress(ConnectionError):
                    connection.sendall(bytes(4 * MIB - 1))
                held.append(connection)
            deadline = time.monotonic() + 60
            while not refused and time.monotonic() < deadline:
                for connection in held:
                    connection.setblocking(False)
                    with contextlib.suppress(BlockingIOError, ConnectionError):
                        refused += connection.recv(12) == b"HTTP/1.1 503"
                time.sleep(0.01)
            self.assertGreater(refused, 0)
        finally:
            for connection in held:
                connection.close()
        for _ in range(1000):  # until the server has seen that they are gone
            if self.ask(post(INFER, REQUEST, "Connection: close")).status == 200:
                break
            time.sleep(0.01)

    def test_pipelined_requests_are_answered_in_order(self):
        with self.connect() as connection:
            connection.sendall(
                post(INFER, REQUEST) + b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n" +
                post(INFER, REQUEST, "Connection: close"))
            text = self.read_to_end(connection)
        self.assertEqual(text.count(b"HTTP/1.1 200 OK"), 3)
        self.assertLess(text.index(b"probabilities"), text.index(b'{"live":true}'))
        self.assertLess(text.index(b'{"live":true}'), text.rindex(b"probabilities"))

    def test_requests_byte_by_byte(self):
        request = post(INFER, REQUEST, "Connection: close")
        with self.connect() as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for i in range(len(request)):
                connection.sendall(request[i:i + 1])
            self.assertEqual(Answer(self.read_to_end(connection)).status, 200)

    def test_expect_100_continue(self):
        with self.connect() as connection:
            connection.sendall(f"POST {INFER} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                               f"Connection: close\r\nContent-Length: {len(REQUEST)}\r\n\r\n".encode())
            self.assertEqual(connection.recv(100), b"HTTP/1.1 100 Continue\r\n\r\n")
            connection.sendall(REQUEST)
            self.assertEqual(Answer(self.read_to_end(connection)).status, 200)
        # Refused before the body is sent.
        with self.connect() as connection:
            connection.sendall(b"POST /v2/none HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n"
                               b"Content-Length: 100\r\n\r\n")
            self.assertEqual(Answer(self.read_to_end(connection)).status, 404)

    def test_connections_are_limited_and_given_back(self):
        held = [self.connect() for _ in range(256)]
        deadline = time.monotonic() + 60
        answer = Answer(b"")
        while answer.status != 503 and time.monotonic() < deadline:
            answer = self.ask(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.status, 503)
        for connection in held:
            connection.close()
        while answer.status != 200 and time.monotonic() < deadline:
            answer = self.ask(b"GET /v2/health/live HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        self.assertEqual(answer.status, 200)

    def test_storm_of_resets_leaves_nothing_behind(self):
        fds = len(list(pathlib.Path(f"/proc/{self.server.process.pid}/fd").iterdir()))

        def storm():
            for i in range(200):
                with contextlib.suppress(ConnectionError):
                    connection = self.connect()
                    connection.sendall(post(INFER, REQUEST)[:100 + i * 3])
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                          struct.pack("ii", 1, 0))
                    connection.close()

        threads = [threading.Thread(target=storm) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        deadline = time.monotonic() + 60
        while time.monotonic() < deadline:
            now = len(list(pathlib.Path(f"/proc/{self.server.process.pid}/fd").iterdir()))
            if now <= fds + 2:
                break
            time.sleep(0.05)
        self.assertLessEqual(now, fds + 2)


if __name__ == "__main__":
    unittest.main()
