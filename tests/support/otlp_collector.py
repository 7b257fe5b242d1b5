# SPDX-License-Identifier: Apache-2.0
"""An OpenTelemetry collector for tests: takes OTLP over HTTP, by OpenTelemetry's own messages."""

import http.server
import threading
import time

from opentelemetry.proto.collector.trace.v1 import trace_service_pb2


class OtlpCollector:
    """Listens on a free port of the loopback; `url` is its base. `answers` are the statuses of its
    first replies, 200 afterwards; `delay` is slept before each."""

    def __init__(self, answers=(), delay: float = 0, headers=None, rejects: int = 0):
        self.answers = list(answers)
        self.delay = delay
        self.headers = headers or {}
        self.rejects = rejects
        self.requests = []  # (path, content type, message), those that were taken
        self.attempts = []  # when each came
        self._changed = threading.Condition()
        collector = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status, reply = collector.take(self.path, self.headers["Content-Type"], body)
                time.sleep(collector.delay)
                try:
                    self.send_response(status)
                    for name, value in collector.headers.items():
                        self.send_header(name, value)
                    self.send_header("Content-Length", str(len(reply)))
                    self.end_headers()
                    self.wfile.write(reply)
                except OSError:
                    pass  # who asked is gone

            def log_message(self, *_):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def take(self, path, content_type, body):
        with self._changed:
            self.attempts.append(time.monotonic())
            status = self.answers.pop(0) if self.answers else 200
            reply = trace_service_pb2.ExportTraceServiceResponse()
            if status == 200:
                message = trace_service_pb2.ExportTraceServiceRequest.FromString(body)
                self.requests.append((path, content_type, message))
                if self.rejects:
                    reply.partial_success.rejected_spans = self.rejects
                    reply.partial_success.error_message = "not today"
            self._changed.notify_all()
            return status, reply.SerializeToString()

    def wait_until(self, holds, seconds: float = 60) -> None:
        """Until `holds()`, asked after each request that comes."""
        with self._changed:
            assert self._changed.wait_for(holds, timeout=seconds), "it did not come in time"

    def spans(self):
        """All spans that were taken, in the order in which they came."""
        with self._changed:
            return [span for _, _, message in self.requests for resource in message.resource_spans
                    for scope in resource.scope_spans for span in scope.spans]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._server.server_close()
