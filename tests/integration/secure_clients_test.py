# SPDX-License-Identifier: Apache-2.0
"""The field's clients, unchanged, over TLS and mutual TLS with a token: tritonclient's gRPC and HTTP
clients, both also asynchronous, and curl; and a scrape of the metrics port."""

import asyncio
import json
import pathlib
import ssl
import subprocess
import tempfile
import unittest

import numpy as np
import tritonclient.grpc as triton_grpc
import tritonclient.grpc.aio as triton_grpc_aio
import tritonclient.http as triton_http
import tritonclient.http.aio as triton_http_aio
from tritonclient.utils import InferenceServerException

from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ZOO, ServerProcess

MODEL = "digits-mlp-fp32"
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")[:4].reshape(4, 64)
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")[:4]
INFER, READ = (f"{name}-8c1f29c5a1cf40e59df5b5c3e0a3d2b1" for name in ("infer", "read"))


def bearer(token: str) -> dict[str, str]:
    return {"authorization": f"Bearer {token}"}


def local(address: str) -> str:
    return address.replace("127.0.0.1", "localhost")


def inputs(module):
    x = module.InferInput("pixels", list(IMAGES.shape), "FP32")
    x.set_data_from_numpy(IMAGES)
    return [x]


class SecureClientsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.authority = Authority(cls.folder)
        cls.ca = str(cls.authority.certificate)
        cls.certificate, cls.key = cls.authority.issue("server", SERVER_NAMES)
        cls.client = tuple(map(str, cls.authority.issue("client", "URI:spiffe://octet.test/c")))
        cls.access = cls.folder / "access"
        cls.access.write_text(f"i infer token:{INFER}\nr read token:{READ}\n")
        cls.access.chmod(0o600)
        base = ("--tls-certificate", str(cls.certificate), "--tls-key", str(cls.key),
                "--access-file", str(cls.access))
        # TLS, and mutual TLS: each client with what it needs.
        cls.servers = [(ServerProcess(ZOO / "repository", *base), None),
                       (ServerProcess(ZOO / "repository", *base, "--tls-client-ca", cls.ca),
                        cls.client)]

    @classmethod
    def tearDownClass(cls):
        for server, _ in cls.servers:
            status = server.stop()
            assert status == 0, f"exit status {status}"
        cls.temporary.cleanup()

    def check(self, answer):
        scores = answer.as_numpy(answer.get_response()["outputs"][0]["name"] if isinstance(
            answer.get_response(), dict) else answer.get_response().outputs[0].name)
        np.testing.assert_array_equal(scores.argmax(1), LABELS)

    def context(self, pair) -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=self.ca)
        if pair:
            context.load_cert_chain(*pair)
        return context

    def grpc_options(self, pair) -> dict:
        certificate, key = pair or (None, None)
        return {"ssl": True, "root_certificates": self.ca, "private_key": key,
                "certificate_chain": certificate}

    def test_tritonclient_grpc(self):
        for server, pair in self.servers:
            with triton_grpc.InferenceServerClient(local(server.grpc),
                                                   **self.grpc_options(pair)) as client:
                self.check(client.infer(MODEL, inputs(triton_grpc), headers=bearer(INFER)))
                self.assertTrue(client.is_server_ready())
                self.assertIn(MODEL, str(client.get_model_repository_index(headers=bearer(READ))))
                for headers in (None, bearer(READ), bearer("unknown-8c1f29c5a1cf40e59d")):
                    with self.assertRaisesRegex(InferenceServerException, "role infer"):
                        client.infer(MODEL, inputs(triton_grpc), headers=headers)
                answers = []
                client.start_stream(lambda result, error: answers.append(error or result),
                                    headers=bearer(INFER))
                for _ in range(3):
                    client.async_stream_infer(MODEL, inputs(triton_grpc))
                client.stop_stream()
                self.assertEqual(len(answers), 3)
                for answer in answers:
                    self.check(answer)

    def test_tritonclient_grpc_aio(self):
        async def ask(server, pair):
            async with triton_grpc_aio.InferenceServerClient(local(server.grpc),
                                                             **self.grpc_options(pair)) as client:
                return await client.infer(MODEL, inputs(triton_grpc_aio), headers=bearer(INFER))

        for server, pair in self.servers:
            self.check(asyncio.run(ask(server, pair)))

    def test_tritonclient_http(self):
        for server, pair in self.servers:
            options = {"ca_certs": self.ca}
            if pair:
                options.update(certfile=pair[0], keyfile=pair[1])
            with triton_http.InferenceServerClient(local(server.http), ssl=True,
                                                   ssl_options=options) as client:
                self.check(client.infer(MODEL, inputs(triton_http), headers=bearer(INFER)))
                self.assertTrue(client.is_server_ready())
                for headers in (None, bearer(READ)):
                    with self.assertRaisesRegex(InferenceServerException, "role infer"):
                        client.infer(MODEL, inputs(triton_http), headers=headers)

    def test_tritonclient_http_aio(self):
        async def ask(server, pair):
            async with triton_http_aio.InferenceServerClient(
                    local(server.http), ssl=True, ssl_context=self.context(pair)) as client:
                return await client.infer(MODEL, inputs(triton_http_aio), headers=bearer(INFER))

        for server, pair in self.servers:
            self.check(asyncio.run(ask(server, pair)))

    def test_mutual_tls_is_asked_for(self):
        server = self.servers[1][0]
        with triton_grpc.InferenceServerClient(local(server.grpc),
                                               **self.grpc_options(None)) as client:
            with self.assertRaises(InferenceServerException):
                client.infer(MODEL, inputs(triton_grpc), headers=bearer(INFER))
        with triton_http.InferenceServerClient(local(server.http), ssl=True,
                                               ssl_options={"ca_certs": self.ca}) as client:
            with self.assertRaises(Exception):
                client.infer(MODEL, inputs(triton_http), headers=bearer(INFER))

    def curl(self, pair, token: str, *arguments: str) -> tuple[int, str]:
        """The status and the body; the token as a header of a file, which no list of processes shows."""
        header = self.folder / "header"
        header.write_text(f"Authorization: Bearer {token}\n")
        shown = ("--cert", pair[0], "--key", pair[1]) if pair else ()
        done = subprocess.run(["curl", "-sS", "--max-time", "60", "--cacert", self.ca, *shown, "-H",
                               f"@{header}", "-w", "\n%{http_code}", *arguments],
                              capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        body, _, status = done.stdout.rpartition("\n")
        return int(status), body

    def test_curl(self):
        body = json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32",
                                       "shape": list(IMAGES.shape),
                                       "data": IMAGES.ravel().tolist()}]})
        for server, pair in self.servers:
            url = f"https://{local(server.http)}/v2/models/{MODEL}/infer"
            ask = ("-H", "Content-Type: application/json", "-d", body, url)
            status, text = self.curl(pair, INFER, *ask)
            self.assertEqual(status, 200, text)
            scores = np.array(json.loads(text)["outputs"][0]["data"]).reshape(4, 10)
            np.testing.assert_array_equal(scores.argmax(1), LABELS)
            self.assertEqual(self.curl(pair, READ, *ask)[0], 403)
            self.assertEqual(self.curl(pair, "unknown-8c1f29c5a1cf40e59d", *ask)[0], 401)

    def test_metrics_are_scraped(self):
        for server, pair in self.servers:
            url = f"https://{local(server.metrics)}/metrics"
            status, text = self.curl(pair, READ, url)
            self.assertEqual(status, 200)
            self.assertIn("octet_ready 1", text)
            self.assertEqual(self.curl(pair, INFER, url)[0], 403)


if __name__ == "__main__":
    unittest.main(verbosity=2)
