# SPDX-License-Identifier: Apache-2.0
"""Spans of requests reach an OpenTelemetry collector, as its own messages read them; callers' trace
contexts are taken over; a collector that is slow, down or refuses costs no request."""

import pathlib
import re
import sys
import tempfile
import time
import unittest
import urllib.request

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.otlp_collector import OtlpCollector
from tests.support.server_process import ZOO, ServerProcess

pb, services = inference_stubs.load()
MODEL = "digits-mlp-int8"
IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1]
TRACE = "0af7651916cd43dd8448eb211c80319c"
PARENT = "b7ad6b7169203331"
METHOD = "inference.GRPCInferenceService/ModelInfer"

# What the W3C's test suite sends that is no traceparent, and a few more that a header can hold.
HOSTILE_TRACEPARENTS = [
    "", "00", f"00-{TRACE}-{PARENT}", f"ff-{TRACE}-{PARENT}-01", f"00-{TRACE}-{PARENT}-01-more",
    f"00-{TRACE}-{PARENT}-01.", f"00-{'0' * 32}-{PARENT}-01", f"00-{TRACE}-{'0' * 16}-01",
    f"00-{TRACE.upper()}-{PARENT}-01", f"00-{TRACE}-{PARENT.upper()}-01", f".0-{TRACE}-{PARENT}-01",
    f"00-{TRACE[:-1]}.-{PARENT}-01", f"00-{TRACE}-{PARENT[:-1]}.-01", f"00-{TRACE}-{PARENT}-.1",
    f"00-{TRACE}0-{PARENT}-01", f"00-{TRACE}-{PARENT}0-01", f"00-{TRACE}-{PARENT}-001",
    f"000-{TRACE}-{PARENT}-01", f"00_{TRACE}_{PARENT}_01", "0" * 55, "-" * 55, "0" * 4000]


def request(id_: str = "") -> "pb.ModelInferRequest":
    message = pb.ModelInferRequest(model_name=MODEL, id=id_)
    message.inputs.add(name="pixels", datatype="FP32", shape=[1, 64])
    message.raw_input_contents.append(IMAGE.tobytes())
    return message


def attributes(span) -> dict:
    return {each.key: each.value.string_value or each.value.int_value for each in span.attributes}


def spans_metric(server: ServerProcess, outcome: str) -> int:
    with urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=10) as answer:
        text = answer.read().decode()
    return int(re.search(rf'^octet_trace_spans_total{{outcome="{outcome}"}} (\d+)', text,
                         re.MULTILINE)[1])


class Traced:
    """A server that traces to `collector`, and a stub of it."""

    def __init__(self, url: str, **tracing):
        self._folder = tempfile.TemporaryDirectory()
        config = pathlib.Path(self._folder.name) / "octet.yaml"
        lines = [f"endpoint: {url}", *(f"{key}: {value}" for key, value in tracing.items())]
        config.write_text("tracing:\n" + "".join(f"  {line}\n" for line in lines))
        self.server = ServerProcess(ZOO / "repository", "--config", str(config))
        self._channel = grpc.insecure_channel(self.server.grpc)
        self.stub = services.GRPCInferenceServiceStub(self._channel)
        metadata = self.stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL))
        self.input = metadata.inputs[0].name

    def infer(self, id_: str = "", metadata=()):
        message = request(id_)
        message.inputs[0].name = self.input
        return self.stub.ModelInfer(message, metadata=metadata, timeout=60)

    def __enter__(self):
        self.server.__enter__()
        return self

    def __exit__(self, *error):
        self._channel.close()
        self.server.__exit__(*error)
        self._folder.cleanup()


class TracingTest(unittest.TestCase):
    def test_a_request_is_a_tree_of_spans_under_its_callers(self):
        with OtlpCollector() as collector, \
                Traced(collector.url, service_name="digits") as traced:
            before = time.time_ns()
            traced.infer("r-7", [("traceparent", f"00-{TRACE}-{PARENT}-01"),
                                 ("tracestate", "vendor=1"), ("tracestate", "other=2")])
            after = time.time_ns()
            collector.wait_until(lambda: collector.requests)
            path, content_type, message = collector.requests[0]
            self.assertEqual((path, content_type), ("/v1/traces", "application/x-protobuf"))
            resource = attributes(message.resource_spans[0].resource)
            self.assertEqual(resource["service.name"], "digits")
            spans = {span.name: span for span in collector.spans()}
            self.assertEqual(set(spans), {METHOD, "parse", "queue", "batch", "compute", "encode"})
            top = spans[METHOD]
            self.assertEqual({span.trace_id.hex() for span in spans.values()}, {TRACE})
            self.assertEqual(len({span.span_id for span in spans.values()}), 6)
            self.assertEqual(top.parent_span_id.hex(), PARENT)
            self.assertEqual(top.trace_state, "vendor=1,other=2")
            self.assertEqual(top.kind, top.SPAN_KIND_SERVER)
            self.assertEqual(top.status.code, 0)
            for name in ("parse", "queue", "batch", "encode"):
                self.assertEqual(spans[name].parent_span_id, top.span_id, name)
            self.assertEqual(spans["compute"].parent_span_id, spans["batch"].span_id)
            for span in spans.values():
                self.assertLessEqual(top.start_time_unix_nano, span.start_time_unix_nano)
                self.assertLessEqual(span.start_time_unix_nano, span.end_time_unix_nano)
                self.assertLessEqual(span.end_time_unix_nano, top.end_time_unix_nano)
            self.assertLess(before - 50_000_000, top.start_time_unix_nano)
            self.assertLess(top.end_time_unix_nano, after + 50_000_000)
            self.assertEqual(attributes(top), {
                "rpc.system": "grpc", "rpc.service": "inference.GRPCInferenceService",
                "rpc.method": "ModelInfer", "rpc.grpc.status_code": 0, "octet.request_id": "r-7",
                "octet.model.name": MODEL, "octet.model.version": "1", "octet.rows": 1})

    def test_the_callers_flag_goes_before_the_share(self):
        with OtlpCollector() as collector, Traced(collector.url, sample=0) as traced:
            traced.infer("not", [("traceparent", f"00-{TRACE}-{PARENT}-00")])
            traced.infer("nobody said")
            traced.infer("yes", [("traceparent", f"00-{TRACE}-{PARENT}-01")])
            self.assertEqual(traced.server.stop(), 0)
            ids = {attributes(span).get("octet.request_id") for span in collector.spans()} - {None}
            self.assertEqual(ids, {"yes"})

    def test_what_is_no_traceparent_begins_a_trace(self):
        with OtlpCollector() as collector, Traced(collector.url) as traced:
            for number, hostile in enumerate(HOSTILE_TRACEPARENTS):
                traced.infer(f"r{number}", [("traceparent", hostile), ("tracestate", "a=1")])
            self.assertEqual(traced.server.stop(), 0)
            top = [span for span in collector.spans() if span.name == METHOD]
            self.assertEqual(len(top), len(HOSTILE_TRACEPARENTS))
            self.assertEqual(len({span.trace_id for span in top}), len(top))
            for span in top:
                self.assertEqual((span.parent_span_id, span.trace_state), (b"", ""),
                                 attributes(span))
                self.assertNotEqual(span.trace_id.hex(), TRACE)

    def test_an_error_is_a_span_and_hostile_names_are_only_text(self):
        with OtlpCollector() as collector, Traced(collector.url) as traced:
            name = 'no"\n\x1b[31msuch \N{GREEK SMALL LETTER ALPHA}' + "x" * 1000
            with self.assertRaises(grpc.RpcError) as raised:
                traced.stub.ModelInfer(pb.ModelInferRequest(model_name=name, id="\x00é"),
                                       metadata=[("x-request-id", "other")])
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)
            self.assertEqual(traced.server.stop(), 0)
            (span,) = collector.spans()
            self.assertEqual(span.status.code, span.status.STATUS_CODE_ERROR)
            self.assertTrue(span.status.message)
            found = attributes(span)
            self.assertEqual(found["rpc.grpc.status_code"], 5)
            self.assertEqual(found["octet.request_id"], "\x00é")
            self.assertTrue(found["octet.model.name"].startswith('no"\n'))
            self.assertLess(len(found["octet.model.name"]), 300)

    def test_requests_of_a_stream_have_spans_each(self):
        with OtlpCollector() as collector, Traced(collector.url) as traced:
            messages = [request(f"s{i}") for i in range(3)]
            for message in messages:
                message.inputs[0].name = traced.input
            answers = list(traced.stub.ModelStreamInfer(
                iter(messages), metadata=[("traceparent", f"00-{TRACE}-{PARENT}-01")], timeout=60))
            self.assertEqual(len(answers), 3)
            self.assertEqual(traced.server.stop(), 0)
            top = [span for span in collector.spans() if span.name.endswith("/ModelStreamInfer")]
            self.assertEqual(sorted(attributes(span)["octet.request_id"] for span in top),
                             ["s0", "s1", "s2"])
            self.assertEqual({span.parent_span_id.hex() for span in top}, {PARENT})

    def test_what_may_pass_is_tried_again_and_the_rest_is_not(self):
        for answers, taken in (([429, 503], True), ([500], False), ([400], False)):
            with self.subTest(answers=answers), OtlpCollector(answers) as collector, \
                    Traced(collector.url) as traced:
                traced.infer("first")
                if taken:
                    collector.wait_until(lambda: collector.requests)
                    self.assertEqual(len(collector.attempts), len(answers) + 1)
                    waits = np.diff(collector.attempts)
                    self.assertTrue((waits > 0.7).all(), waits)
                else:
                    collector.wait_until(lambda: collector.attempts)
                    self.await_metric(traced.server, "failed", 6)
                    self.assertFalse(collector.requests)
                    self.assertEqual(traced.server.stop(), 0)  # then its log is whole
                    self.assertIn(f"status {answers[0]}", "".join(traced.server.log))

    def test_spans_that_a_collector_rejects_are_counted(self):
        with OtlpCollector(rejects=2) as collector, Traced(collector.url) as traced:
            traced.infer()
            self.await_metric(traced.server, "exported", 4)
            self.await_metric(traced.server, "failed", 2)

    def test_no_collector_costs_no_request_and_no_long_stop(self):
        with Traced("http://127.0.0.1:1", max_requests=32) as traced:
            for _ in range(300):
                traced.infer()
            self.assertGreater(spans_metric(traced.server, "dropped"), 0)
            started = time.monotonic()
            self.assertEqual(traced.server.stop(), 0)
            self.assertLess(time.monotonic() - started, 15)

    def test_a_collector_that_never_answers_ends_nothing(self):
        with OtlpCollector(delay=600) as collector, Traced(collector.url) as traced:
            traced.infer()
            collector.wait_until(lambda: collector.attempts)
            latencies = []
            for _ in range(50):
                started = time.monotonic()
                traced.infer()
                latencies.append(time.monotonic() - started)
            self.assertLess(np.median(latencies), 1)
            started = time.monotonic()
            self.assertEqual(traced.server.stop(), 0)
            self.assertLess(time.monotonic() - started, 15)

    def test_settings_tell_what_is_set(self):
        with OtlpCollector() as collector, Traced(collector.url, sample=0.01) as traced:
            answer = traced.stub.TraceSetting(pb.TraceSettingRequest())
            settings = {name: list(value.value) for name, value in answer.settings.items()}
            self.assertEqual(settings["trace_level"], ["TIMESTAMPS"])
            self.assertEqual(settings["trace_mode"], ["opentelemetry"])
            self.assertEqual(settings["trace_rate"], ["100"])

    def await_metric(self, server, outcome, count):
        deadline = time.monotonic() + 60
        while spans_metric(server, outcome) != count:
            self.assertLess(time.monotonic(), deadline, spans_metric(server, outcome))
            time.sleep(0.1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
