# SPDX-License-Identifier: Apache-2.0
"""KServe's own clients, unchanged: InferenceGRPCClient, and InferenceRESTClient where the server has
V2 REST."""

import asyncio
import importlib.metadata
import json
import logging
import os
import pathlib
import ssl
import sys
import tempfile
import unittest
import urllib.request

from tests.support import outside_clients

PYTHON = outside_clients.CLIENTS / "kserve" / "bin" / "python"
try:
    # Its messages have the names of those of tritonclient: it is alone in its environment.
    importlib.metadata.version("kserve")
except importlib.metadata.PackageNotFoundError:
    outside_clients.skip_unless(PYTHON.exists(), "KServe's SDK")
    os.execv(PYTHON, [str(PYTHON), *sys.argv])

import grpc
import httpx
import numpy as np
from kserve import InferenceGRPCClient, InferenceRESTClient, InferInput, InferRequest, RESTConfig

from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")
MODEL = "digits-int8"


class KserveClientTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        cls.base = f"http://{cls.server.http}"
        with urllib.request.urlopen(f"{cls.base}/v2/models/{MODEL}") as answer:
            metadata = json.loads(answer.read())
        cls.input = metadata["inputs"][0]["name"]
        cls.output = metadata["outputs"][0]["name"]

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def request(self, images, binary, **fields):
        x = InferInput(self.input, list(images.shape), "FP32")
        x.set_data_from_numpy(images, binary_data=binary)
        return InferRequest(model_name=MODEL, infer_inputs=[x], request_id="an id", **fields)

    def check(self, response, rows):
        self.assertEqual((response.model_name, response.id), (MODEL, "an id"))
        output = response.outputs[0]
        self.assertEqual((output.name, output.datatype, list(output.shape)),
                         (self.output, "FP32", [rows, 10]))
        scores = output.as_numpy()
        self.assertEqual(scores.shape, (rows, 10))
        self.assertGreater((scores.argmax(1) == LABELS[:rows]).mean(), 0.97)
        return scores

    async def test_grpc_health(self):
        async with InferenceGRPCClient(self.server.grpc) as client:
            self.assertTrue(await client.is_server_live())
            self.assertTrue(await client.is_server_ready())
            self.assertTrue(await client.is_model_ready(MODEL))
            with self.assertRaises(grpc.RpcError) as raised:
                await client.is_model_ready("nobody")
            self.assertEqual(raised.exception.code(), grpc.StatusCode.NOT_FOUND)

    async def test_grpc_raw_and_typed(self):
        async with InferenceGRPCClient(self.server.grpc) as client:
            raw = self.check(await client.infer(self.request(IMAGES, True)), 360)
            typed = self.check(await client.infer(self.request(IMAGES, False)), 360)
            np.testing.assert_array_equal(raw, typed)
            asked = self.request(IMAGES, True, parameters={"octet_typed_outputs": True})
            np.testing.assert_array_equal(self.check(await client.infer(asked), 360), raw)

    async def test_grpc_many_at_once(self):
        async with InferenceGRPCClient(self.server.grpc) as client:
            whole = (await client.infer(self.request(IMAGES, True))).outputs[0].as_numpy()
            answers = await asyncio.gather(
                *(client.infer(self.request(IMAGES[i:i + 1], True)) for i in range(360)))
        scores = np.concatenate([answer.outputs[0].as_numpy() for answer in answers])
        np.testing.assert_allclose(scores, whole, rtol=1e-5, atol=1e-6)

    async def test_grpc_errors(self):
        async with InferenceGRPCClient(self.server.grpc) as client:
            with self.assertRaises(grpc.RpcError) as raised:
                await client.infer(self.request(IMAGES[:, :7], True))
            self.assertEqual(raised.exception.code(), grpc.StatusCode.INVALID_ARGUMENT)
            self.assertIn("got shape [360, 7, 8, 1]", raised.exception.details())

    async def test_rest_health(self):
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            self.assertTrue(await client.is_server_live(self.base))
            self.assertTrue(await client.is_server_ready(self.base))
            self.assertTrue(await client.is_model_ready(self.base, MODEL))

    async def test_rest_inference(self):
        if not outside_clients.has_rest(self.server.http, MODEL):
            self.skipTest("this server has no inference over HTTP")
        async with InferenceGRPCClient(self.server.grpc) as client:
            scores = self.check(await client.infer(self.request(IMAGES, True)), 360)
        async with InferenceRESTClient(RESTConfig(protocol="v2")) as client:
            for binary in (False, True):
                answer = await client.infer(self.base, self.request(IMAGES, binary),
                                            model_name=MODEL)
                np.testing.assert_allclose(self.check(answer, 360), scores, rtol=1e-6)
            with self.assertRaises(httpx.HTTPStatusError) as raised:
                await client.infer(self.base, self.request(IMAGES[:, :7], False), model_name=MODEL)
            self.assertEqual(raised.exception.response.status_code, 400)


class KserveClientTlsTest(unittest.IsolatedAsyncioTestCase):
    """The same clients over mutual TLS, with a token."""

    async def test_infer(self):
        with tempfile.TemporaryDirectory() as folder:
            authority = Authority(pathlib.Path(folder))
            certificate, key = authority.issue("server", SERVER_NAMES)
            shown, its_key = map(str, authority.issue("client"))
            access = pathlib.Path(folder) / "access"
            access.write_text("kserve infer token:kserve-8c1f29c5a1cf40e59df5b5c3\n")
            access.chmod(0o600)
            headers = {"authorization": "Bearer kserve-8c1f29c5a1cf40e59df5b5c3"}
            with ServerProcess(ZOO / "repository", "--tls-certificate", str(certificate),
                               "--tls-key", str(key), "--tls-client-ca",
                               str(authority.certificate), "--access-file", str(access)) as server:
                x = InferInput("image", list(IMAGES.shape), "FP32")
                x.set_data_from_numpy(IMAGES, binary_data=True)
                request = InferRequest(model_name=MODEL, infer_inputs=[x])
                address = server.grpc.replace("127.0.0.1", "localhost")
                async with InferenceGRPCClient(
                        address, use_ssl=True, root_certificates=str(authority.certificate),
                        private_key=its_key, certificate_chain=shown) as client:
                    answer = await client.infer(request, headers=list(headers.items()))
                    self.assertEqual(list(answer.outputs[0].shape), [len(IMAGES), 10])
                    with self.assertRaises(grpc.RpcError) as raised:
                        await client.infer(request)
                    self.assertEqual(raised.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
                context = ssl.create_default_context(cafile=str(authority.certificate))
                context.load_cert_chain(shown, its_key)
                base = "https://" + server.http.replace("127.0.0.1", "localhost")
                async with InferenceRESTClient(RESTConfig(protocol="v2",
                                                          verify=context)) as client:
                    answer = await client.infer(base, request, model_name=MODEL, headers=headers)
                    self.assertEqual(list(answer.outputs[0].shape), [len(IMAGES), 10])


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)  # they log each error that they raise
    print(f"kserve {importlib.metadata.version('kserve')}")
    unittest.main(argv=sys.argv[:1], verbosity=2)
