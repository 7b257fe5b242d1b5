# SPDX-License-Identifier: Apache-2.0
"""grpcurl, unchanged: with the server's reflection and without, with typed and raw tensors."""

import base64
import json
import os
import pathlib
import re
import sys
import tempfile
import unittest
import unittest.mock

import numpy as np
import tritonclient.grpc as triton

from tests.support import outside_clients
from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ROOT, ZOO, ServerProcess

MODEL = "digits-mlp-int8"
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy").reshape(-1, 64)
SERVICE = "inference.GRPCInferenceService"


class GrpcurlTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        with triton.InferenceServerClient(cls.server.grpc) as client:
            metadata = client.get_model_metadata(MODEL)
            cls.input, cls.output = metadata.inputs[0].name, metadata.outputs[0].name
            cls.scores = []
            for row in IMAGES[:4]:
                x = triton.InferInput(cls.input, [1, 64], "FP32")
                x.set_data_from_numpy(row[None])
                cls.scores.append(client.infer(MODEL, [x]).as_numpy(cls.output)[0])

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def grpcurl(self, *arguments, **how):
        return outside_clients.run("grpcurl", "-plaintext", *arguments, **how)

    def call(self, method, message, *flags):
        text = self.grpcurl(*flags, "-d", json.dumps(message), self.server.grpc, method)
        return json.loads(text) if text.strip() else {}

    def message(self, row, **fields):
        return {"model_name": MODEL, "id": str(row),
                "inputs": [{"name": self.input, "datatype": "FP32", "shape": [1, 64],
                            "contents": {"fp32_contents": IMAGES[row].tolist()}}], **fields}

    def test_it_lists_and_describes_what_there_is(self):
        services = self.grpcurl(self.server.grpc, "list").split()
        self.assertEqual(services, ["grpc.health.v1.Health",
                                    "grpc.reflection.v1alpha.ServerReflection", SERVICE])
        methods = self.grpcurl(self.server.grpc, "list", SERVICE).split()
        self.assertEqual(len(methods), 20)
        self.assertIn("rpc ModelInfer", self.grpcurl(self.server.grpc, "describe", SERVICE))
        self.assertIn("raw_input_contents",
                      self.grpcurl(self.server.grpc, "describe", ".inference.ModelInferRequest"))

    def test_health_and_metadata(self):
        self.assertEqual(self.call("grpc.health.v1.Health/Check", {}), {"status": "SERVING"})
        self.assertEqual(self.call(f"{SERVICE}/ServerLive", {}), {"live": True})
        self.assertEqual(self.call(f"{SERVICE}/ModelReady", {"name": MODEL}), {"ready": True})
        metadata = self.call(f"{SERVICE}/ModelMetadata", {"name": MODEL})
        self.assertEqual(metadata["inputs"], [{"name": self.input, "datatype": "FP32",
                                               "shape": ["-1", "64"]}])

    def test_raw_and_typed_answers_with_and_without_reflection(self):
        proto = ("-import-path", ROOT / "proto" / "inference", "-proto",
                 "open_inference_grpc.proto")
        for row, score in enumerate(self.scores):
            for flags in ((), proto):
                answer = self.call(f"{SERVICE}/ModelInfer", self.message(row), *flags)
                raw = np.frombuffer(base64.b64decode(answer["rawOutputContents"][0]), np.float32)
                np.testing.assert_array_equal(raw, score)
                self.assertEqual(answer["id"], str(row))
            answer = self.call(f"{SERVICE}/ModelInfer", self.message(
                row, parameters={"octet_typed_outputs": {"bool_param": True}}))
            typed = np.array(answer["outputs"][0]["contents"]["fp32Contents"], np.float32)
            np.testing.assert_array_equal(typed, score)
            self.assertNotIn("rawOutputContents", answer)

    def test_a_stream(self):
        text = self.grpcurl("-d", "@", self.server.grpc, f"{SERVICE}/ModelStreamInfer",
                            stdin="".join(json.dumps(self.message(row)) for row in range(4)))
        answers = [json.loads(part) for part in re.split(r"(?<=^\})\n", text, flags=re.MULTILINE)
                   if part.strip()]
        self.assertEqual([answer["inferResponse"]["id"] for answer in answers], list("0123"))
        for answer, score in zip(answers, self.scores):
            raw = base64.b64decode(answer["inferResponse"]["rawOutputContents"][0])
            np.testing.assert_array_equal(np.frombuffer(raw, np.float32), score)

    def test_errors_have_their_codes(self):
        message = self.message(0, model_name="nobody")
        text = self.grpcurl("-d", json.dumps(message), self.server.grpc, f"{SERVICE}/ModelInfer",
                            status=64 + 5)
        self.assertIn("Code: NotFound", text)
        self.assertIn("nobody", text)
        text = self.grpcurl("-d", "{}", self.server.grpc, f"{SERVICE}/CudaSharedMemoryStatus",
                            status=64 + 12)
        self.assertIn("Code: Unimplemented", text)


class GrpcurlTlsTest(unittest.TestCase):
    """Over mutual TLS, with a token that stands in the environment and in no argument."""

    def test_infer(self):
        token = "grpcurl-8c1f29c5a1cf40e59df5b5c3"
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(pathlib.Path(folder))
            certificate, key = authority.issue("server", SERVER_NAMES)
            shown, its_key = authority.issue("client")
            access = pathlib.Path(folder) / "access"
            access.write_text(f"grpcurl infer,read token:{token}\n")
            access.chmod(0o600)
            message = {"model_name": MODEL, "inputs": [
                {"name": "pixels", "datatype": "FP32", "shape": [1, 64],
                 "contents": {"fp32_contents": IMAGES[0].tolist()}}]}
            trust = ("-cacert", authority.certificate)
            identify = ("-cert", shown, "-key", its_key)
            authorize = ("-expand-headers", "-H", "authorization: Bearer ${OCTET_TOKEN}")
            with ServerProcess(ZOO / "repository", "--tls-certificate", str(certificate),
                               "--tls-key", str(key), "--tls-client-ca",
                               str(authority.certificate), "--access-file", str(access)) as server, \
                    unittest.mock.patch.dict(os.environ, {"OCTET_TOKEN": token}):
                address = server.grpc.replace("127.0.0.1", "localhost")
                ask = ("-d", json.dumps(message), address, f"{SERVICE}/ModelInfer")
                answer = json.loads(outside_clients.run("grpcurl", *trust, *identify, *authorize,
                                                        *ask))
                self.assertEqual(answer["outputs"][0]["shape"], ["1", "10"])
                text = outside_clients.run("grpcurl", *trust, *identify, "-import-path",
                                           ROOT / "proto" / "inference", "-proto",
                                           "open_inference_grpc.proto", *ask, status=80)
                self.assertIn("Unauthenticated", text)
                outside_clients.run("grpcurl", *trust, *authorize, *ask, status=1)


if __name__ == "__main__":
    outside_clients.skip_unless(outside_clients.find("grpcurl") is not None, "grpcurl")
    unittest.main(argv=sys.argv[:1], verbosity=2)
