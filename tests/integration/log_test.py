# SPDX-License-Identifier: Apache-2.0
"""The log: one object a line that no stranger's text can break, requests as the policy chooses them,
and nobody waits for who reads it."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ZOO, ServerProcess, program

pb, services = inference_stubs.load()
MODEL = "digits-mlp-int8"
IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1]
TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"
HOSTILE = ["a\nb", '"}\n{"time":"x","level":"error","message":"forged"}', "\x1b[2K\r", "\x00", "\x7f",
           "\u2028\u202e", "\\", 'x" code=OK', "é日😀", "y" * 10_000]


def infer_request(stub, id_: str = "", name: str = MODEL) -> "pb.ModelInferRequest":
    input_name = stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL)).inputs[0].name
    message = pb.ModelInferRequest(model_name=name, id=id_)
    message.inputs.add(name=input_name, datatype="FP32", shape=[1, 64])
    message.raw_input_contents.append(IMAGE.tobytes())
    return message


class LogTest(unittest.TestCase):
    def setUp(self):
        self._folder = tempfile.TemporaryDirectory()
        self.addCleanup(self._folder.cleanup)

    def config(self, text: str) -> tuple[str, str]:
        path = pathlib.Path(self._folder.name) / "octet.yaml"
        path.write_text(text)
        return "--config", str(path)

    def lines_of(self, config: str, act) -> list[dict]:
        """The requests' lines of a server in JSON, on whose stub `act` was called."""
        with ServerProcess(ZOO / "repository", *self.config(config),
                           "--log-format=json") as server, \
                grpc.insecure_channel(server.grpc) as channel:
            act(services.GRPCInferenceServiceStub(channel))
            self.assertEqual(server.stop(), 0)
            lines = [json.loads(line) for line in server.log]
        for line in lines:
            self.assertRegex(line["time"], r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z$")
            self.assertIn(line["level"], ("debug", "info", "warn", "error", "critical"))
        return [line for line in lines if line["message"] == "request"]

    def test_no_request_has_a_line_unless_asked_for(self):
        def act(stub):
            stub.ModelInfer(infer_request(stub))
            with self.assertRaises(grpc.RpcError):
                stub.ModelInfer(infer_request(stub, name="none"))
        self.assertEqual(self.lines_of("", act), [])

    def test_fields_of_a_request(self):
        def act(stub):
            stub.ModelInfer(infer_request(stub, "r-1"),
                            metadata=[("traceparent", TRACEPARENT), ("x-request-id", "not this")])
            stub.ModelInfer(infer_request(stub), metadata=[("x-request-id", "h-1")])
            answer = stub.ModelInfer(infer_request(stub))
            self.assertEqual(answer.id, "")  # what was made up is not answered
        first, second, third = self.lines_of("log_requests: {sample: 1}", act)
        self.assertEqual(first["request_id"], "r-1")
        self.assertEqual(first["trace_id"], TRACEPARENT.split("-")[1])
        self.assertEqual((first["model"], first["version"], first["code"], first["rows"]),
                         (MODEL, "1", "OK", 1))
        self.assertEqual(first["method"], "ModelInfer")
        self.assertGreater(first["compute_us"], 0)
        self.assertGreaterEqual(first["total_us"], first["queue_us"] + first["compute_us"])
        self.assertEqual(second["request_id"], "h-1")
        self.assertRegex(third["request_id"], r"^octet-[0-9a-f]{16}-[0-9a-f]+$")
        for line in (second, third):
            self.assertNotIn("trace_id", line)

    def test_hostile_names_and_ids_forge_nothing(self):
        def act(stub):
            for text in HOSTILE:
                stub.ModelInfer(infer_request(stub, text))
                with self.assertRaises(grpc.RpcError):
                    stub.ModelInfer(infer_request(stub, text, name=text))
        lines = self.lines_of("log_requests: {sample: 1}", act)
        answered = [line for line in lines if line["code"] == "OK"]
        self.assertEqual(len(answered), len(HOSTILE))
        for text, line in zip(HOSTILE, answered, strict=True):
            self.assertEqual(line["request_id"][:100], text[:100])
            self.assertLess(len(line["request_id"]), 150)
        self.assertFalse([line for line in lines if line["message"] != "request"])

    def test_errors_and_slow_requests_are_chosen(self):
        def act(stub):
            for _ in range(5):
                stub.ModelInfer(infer_request(stub))
            for _ in range(40):
                with self.assertRaises(grpc.RpcError):
                    stub.ModelInfer(infer_request(stub, name="none"))
        lines = self.lines_of("log_requests: {errors: true}", act)
        self.assertEqual({line["code"] for line in lines}, {"NOT_FOUND"})
        self.assertIn("none", lines[0]["error"])
        # Alike ones are limited; two windows at the most.
        self.assertLessEqual(10, len(lines))
        self.assertLessEqual(len(lines), 30)
        slow = self.lines_of("log_requests: {slow: 1us}",
                             lambda stub: stub.ModelInfer(infer_request(stub)))
        self.assertEqual(len(slow), 1)
        self.assertEqual(self.lines_of("log_requests: {slow: 1h}",
                                       lambda stub: stub.ModelInfer(infer_request(stub))), [])

    def test_no_contents_of_tensors(self):
        def act(stub):
            message = infer_request(stub)
            message.raw_input_contents[0] = b"SECRET" * 40 + bytes(16)
            stub.ModelInfer(message)
            stub.ModelInfer(message, metadata=[("authorization", "Bearer SECRET")])
        self.assertNotIn("SECRET", json.dumps(self.lines_of("log_requests: {sample: 1}", act)))

    def test_level_and_settings(self):
        with ServerProcess(ZOO / "repository", "--log-level", "error") as server, \
                grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            settings = stub.LogSettings(pb.LogSettingsRequest()).settings
            self.assertFalse(settings["log_info"].bool_param)
            self.assertFalse(settings["log_warning"].bool_param)
            self.assertTrue(settings["log_error"].bool_param)
            self.assertEqual(settings["log_format"].string_param, "default")
            self.assertEqual(server.stop(), 0)
            self.assertEqual(server.log, [])

    def test_a_reader_that_does_not_read_delays_no_request(self):
        command = [program("octet-server"), "--model-repository", str(ZOO / "repository"),
                   *self.config("log_requests: {sample: 1}\n")]
        for flag in ("--grpc-address", "--http-address", "--metrics-address"):
            command += [flag, "127.0.0.1:0"]
        unread, written = os.pipe()
        self.addCleanup(os.close, unread)
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=written, text=True)
        self.addCleanup(process.kill)
        os.close(written)
        ready = process.stdout.readline()
        addresses = dict(word.split("=", 1) for word in ready.split()[2:])
        with grpc.insecure_channel(addresses["grpc"]) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            message = infer_request(stub, "x" * 128)
            futures = [stub.ModelInfer.future(message, timeout=120) for _ in range(6000)]
            for future in futures:
                self.assertEqual(future.code(), grpc.StatusCode.OK)
        with urllib.request.urlopen(f"http://{addresses['metrics']}/metrics", timeout=10) as answer:
            dropped = re.search(r"^octet_log_dropped_lines_total (\d+)$", answer.read().decode(),
                                re.MULTILINE)
        self.assertGreater(int(dropped[1]), 0)
        started = time.monotonic()
        process.terminate()
        self.assertEqual(process.wait(timeout=30), 0)
        self.assertLess(time.monotonic() - started, 10)
        process.stdout.close()

    def test_every_wrong_value_is_told_at_once(self):
        config = self.config("log_format: xml\nlog_requests:\n  sample: 2\n  slow: soon\n  often: 1\n"
                             "tracing:\n  endpoint: https://collector\n  sample: -1\n"
                             "  max_requests: 0\nlog_levle: info\n")
        run = subprocess.run([program("octet-server"), "--model-repository", str(ZOO / "repository"),
                              *config, "--log-level", "loud", "--check-config"],
                             capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(run.returncode, 2)
        for expected in (': log_format: got "xml", wants text or json',
                         '--log-level: got "loud"', "log_requests.sample: got 2",
                         'log_requests.slow: got "soon"', "log_requests.often: unknown key",
                         'tracing.endpoint: got "https://collector"', "tracing.sample: got -1",
                         "tracing.max_requests: got 0", "log_levle: unknown key"):
            self.assertIn(expected, run.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
