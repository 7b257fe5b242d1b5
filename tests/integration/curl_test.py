# SPDX-License-Identifier: Apache-2.0
"""curl against every listener of the real server: HTTP, metrics, and gRPC as what it is, HTTP/2."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from tests.support import inference_stubs, outside_clients
from tests.support.server_process import ZOO, ServerProcess

pb, _ = inference_stubs.load()

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy").reshape(-1, 64)
MODEL = "digits-mlp-int8"


class CurlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def get(self, path, *flags, address=None):
        """The status, the content type and the body."""
        done = subprocess.run(
            ["curl", "--silent", "--show-error", "--max-time", "60", *flags, "--write-out",
             "\n%{http_code} %{content_type}", f"http://{address or self.server.http}{path}"],
            capture_output=True, check=True, text=True)
        body, _, last = done.stdout.rpartition("\n")
        code, _, kind = last.partition(" ")
        return int(code), kind, body

    def test_health(self):
        self.assertEqual(self.get("/v2/health/live")[0], 200)
        self.assertEqual(self.get("/v2/health/ready")[0], 200)
        self.assertEqual(self.get(f"/v2/models/{MODEL}/ready")[0], 200)
        self.assertEqual(self.get("/v2/models/nobody/ready")[0], 404)

    def test_metadata(self):
        code, kind, body = self.get(f"/v2/models/{MODEL}")
        self.assertEqual((code, kind), (200, "application/json"))
        metadata = json.loads(body)
        self.assertEqual(metadata["name"], MODEL)
        self.assertEqual(metadata["inputs"][0]["datatype"], "FP32")
        self.assertEqual(json.loads(self.get("/v2")[2])["name"], "octet")

    def test_metrics(self):
        for address in (self.server.metrics, self.server.http):
            code, kind, body = self.get("/metrics", address=address)
            self.assertEqual(code, 200)
            self.assertIn("text/plain", kind)
            self.assertIn("octet_requests_in_flight 0", body)

    def test_inference(self):
        if not outside_clients.has_rest(self.server.http, MODEL):
            self.skipTest("this server has no inference over HTTP")
        metadata = json.loads(self.get(f"/v2/models/{MODEL}")[2])
        tensor = {"name": metadata["inputs"][0]["name"], "datatype": "FP32", "shape": [1, 64],
                  "data": IMAGES[0].tolist()}
        code, _, body = self.get(f"/v2/models/{MODEL}/infer", "--header",
                                 "Content-Type: application/json", "--data",
                                 json.dumps({"id": "by curl", "inputs": [tensor]}))
        self.assertEqual(code, 200, body)
        answer = json.loads(body)
        self.assertEqual(answer["id"], "by curl")
        labels = np.load(ZOO / "data" / "digits_test_labels.npy")
        self.assertEqual(int(np.argmax(answer["outputs"][0]["data"])), int(labels[0]))

    def grpc_call(self, method, message):
        """The answer's bytes, or None, and gRPC's status: what grpcurl does, by hand."""
        with tempfile.TemporaryDirectory() as folder:
            root = pathlib.Path(folder)
            data = message.SerializeToString()
            (root / "body").write_bytes(b"\0" + len(data).to_bytes(4, "big") + data)
            subprocess.run(
                ["curl", "--silent", "--show-error", "--max-time", "60", "--http2-prior-knowledge",
                 "--header", "Content-Type: application/grpc", "--header", "TE: trailers",
                 "--data-binary", f"@{root / 'body'}", "--dump-header", root / "headers",
                 "--output", root / "answer",
                 f"http://{self.server.grpc}/inference.GRPCInferenceService/{method}"],
                check=True, capture_output=True)
            headers = (root / "headers").read_text().lower()
            answer = root / "answer"
            whole = answer.read_bytes() if answer.exists() else b""
            status = int(headers.split("grpc-status: ")[1].split()[0])
            return (whole[5:] if whole else None), status

    def test_grpc_is_http2(self):
        answer, status = self.grpc_call("ServerLive", pb.ServerLiveRequest())
        self.assertEqual(status, 0)
        self.assertTrue(pb.ServerLiveResponse.FromString(answer).live)
        answer, status = self.grpc_call("ModelMetadata", pb.ModelMetadataRequest(name=MODEL))
        self.assertEqual(status, 0)
        metadata = pb.ModelMetadataResponse.FromString(answer)
        request = pb.ModelInferRequest(model_name=MODEL, id="by curl")
        request.inputs.add(name=metadata.inputs[0].name, datatype="FP32", shape=[360, 64])
        request.raw_input_contents.append(IMAGES.tobytes())
        answer, status = self.grpc_call("ModelInfer", request)
        self.assertEqual(status, 0)
        response = pb.ModelInferResponse.FromString(answer)
        self.assertEqual(response.id, "by curl")
        scores = np.frombuffer(response.raw_output_contents[0], np.float32).reshape(360, 10)
        labels = np.load(ZOO / "data" / "digits_test_labels.npy")
        self.assertGreater((scores.argmax(1) == labels).mean(), 0.97)
        self.assertEqual(self.grpc_call("ModelMetadata", pb.ModelMetadataRequest(name="nobody")),
                         (None, 5))


if __name__ == "__main__":
    outside_clients.skip_unless(outside_clients.find("curl") is not None, "curl")
    unittest.main(argv=sys.argv[:1], verbosity=2)
