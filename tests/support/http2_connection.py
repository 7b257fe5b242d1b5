# SPDX-License-Identifier: Apache-2.0
"""HTTP/2 by hand, for what no gRPC client would send."""

import socket
import time
from collections.abc import Iterator

import h2.config
import h2.connection
import h2.events
import hyperframe.frame

MOST_BYTES_AT_ONCE = 1 << 20


class Http2Connection:
    """`closed` once the server has ended it or no longer takes what is sent."""

    def __init__(self, address: str):
        host, port = address.rsplit(":", 1)
        self.socket = socket.create_connection((host, int(port)))
        self.h2 = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True))
        self.closed = False
        self.h2.initiate_connection()
        self.flush()

    def __enter__(self) -> "Http2Connection":
        return self

    def __exit__(self, kind, value, trace) -> None:
        self.socket.close()

    def open(self, method: str) -> int:
        """The headers of a gRPC call; its stream."""
        stream = self.h2.get_next_available_stream_id()
        self.h2.send_headers(stream, [
            (":method", "POST"), (":scheme", "http"), (":path", method), (":authority", "x"),
            ("content-type", "application/grpc"), ("te", "trailers")])
        return stream

    def flush(self) -> None:
        try:
            data = self.h2.data_to_send()
            if data:
                self.socket.settimeout(2)
                self.socket.sendall(data)
        except OSError:
            self.closed = True

    def frames(self, seconds: float) -> Iterator[hyperframe.frame.Frame]:
        """What comes from now on until the server ends the connection, `seconds` at most; pings are
        answered. For what h2 takes for the end, as a first GOAWAY that more follows."""
        stop_at = time.monotonic() + seconds
        data = b""
        while not self.closed and (left := stop_at - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                more = self.socket.recv(MOST_BYTES_AT_ONCE)
            except OSError:
                more = b""
            self.closed = not more
            data += more
            while len(data) >= 9:
                frame, size = hyperframe.frame.Frame.parse_frame_header(memoryview(data[:9]))
                if len(data) < 9 + size:
                    break
                frame.parse_body(memoryview(data[9:9 + size]))
                data = data[9 + size:]
                if isinstance(frame, hyperframe.frame.PingFrame) and "ACK" not in frame.flags:
                    answer = hyperframe.frame.PingFrame(0, frame.opaque_data, flags=["ACK"])
                    self.socket.sendall(answer.serialize())
                yield frame

    def receive(self, timeout: float) -> list[h2.events.Event]:
        """What the server has said; waits up to `timeout` seconds for the first byte."""
        self.socket.settimeout(timeout)
        try:
            data = self.socket.recv(MOST_BYTES_AT_ONCE)
        except TimeoutError:
            return []
        except OSError:
            data = b""
        if not data:
            self.closed = True
            return []
        events = self.h2.receive_data(data)
        if any(isinstance(event, h2.events.ConnectionTerminated) for event in events):
            self.closed = True
        self.flush()
        return events
