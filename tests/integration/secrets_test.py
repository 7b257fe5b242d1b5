# SPDX-License-Identifier: Apache-2.0
"""Nothing secret comes out: no token, key, header, password in a URL and nothing of a tensor is in the
log at its most talkative, in a span, in a metric or in an error that a client gets."""

import base64
import http.client
import json
import os
import pathlib
import ssl
import subprocess
import tempfile
import time
import unittest

import grpc

from tests.support import inference_stubs
from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.otlp_collector import OtlpCollector
from tests.support.server_process import ZOO, ServerProcess, program

pb, services = inference_stubs.load()
MODEL = "digits-mlp-fp32"

TOKEN = "cleverly-hidden-token-5f1d0c"
UNKNOWN = "mistyped-hidden-token-77aa01"
NEXT = "tomorrows-hidden-token-900bcd"
PASSWORD = "hidden-password-31337"
HEADER = "hidden-header-value-4242"
PARAMETER = "hidden-parameter-value-1313"
BODY = "hidden-words-of-a-body-2718"
PIXELS = b"hidden pixels!!!" * 16  # 64 floats
NUMBER = "0.31830988618"  # of JSON


def secrets(folder: pathlib.Path) -> list[bytes]:
    texts = [TOKEN, UNKNOWN, NEXT, PASSWORD, HEADER, PARAMETER, BODY, NUMBER, "BEGIN PRIVATE KEY"]
    for key in folder.glob("*.key"):
        texts += key.read_text().splitlines()[1:-1]
    raw = [text.encode() for text in texts] + [PIXELS[:16]]
    return raw + [base64.b64encode(each)[:-4] for each in raw]


class SecretsTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)
        self.authority = Authority(self.folder)
        self.stranger = Authority(self.folder, "other-ca").issue("stranger")
        self.certificate, self.key = self.authority.issue("server", SERVER_NAMES)
        self.client = self.authority.issue("client", "URI:spiffe://octet.test/client")
        self.access = self.folder / "access"
        self.access.write_text(f"all infer,read,admin token:{TOKEN}\n")
        self.access.chmod(0o600)

    def config(self, collector) -> str:
        path = self.folder / "octet.yaml"
        path.write_text("log_level: debug\nlog_requests: {sample: 1, errors: true}\n"
                        f"tracing: {{endpoint: '{collector.url}', sample: 1}}\n"
                        "access: {http: {require_client_certificate: false}}\n")
        return str(path)

    def request(self, name: str = MODEL, contents: bytes = PIXELS) -> "pb.ModelInferRequest":
        message = pb.ModelInferRequest(model_name=name)
        message.inputs.add(name="pixels", datatype="FP32", shape=[1, 64])
        message.raw_input_contents.append(contents)
        message.parameters["hidden"].string_param = PARAMETER
        return message

    def over_grpc(self, server, said: list) -> None:
        read = pathlib.Path.read_bytes
        for pair in (self.client, self.stranger, None):
            shown = (read(pair[1]), read(pair[0])) if pair else (None, None)
            channel = grpc.secure_channel(
                server.grpc.replace("127.0.0.1", "localhost"),
                grpc.ssl_channel_credentials(read(self.authority.certificate), *shown),
                options=[("grpc.use_local_subchannel_pool", 1)])
            with channel:
                stub = services.GRPCInferenceServiceStub(channel)
                for authorization in (f"Bearer {TOKEN}", f"Bearer {UNKNOWN}", f"Basic {PASSWORD}"):
                    metadata = [("authorization", authorization), ("x-hidden", HEADER)]
                    for message in (self.request(), self.request("nobody"),
                                    self.request(contents=PIXELS[:100])):
                        self.tell(stub.ModelInfer, message, metadata, said)
                    self.tell(lambda m, **how: list(stub.ModelStreamInfer(iter([m]), **how)),
                              self.request(), metadata, said)
                    self.tell(stub.LogSettings, pb.LogSettingsRequest(), metadata, said)
                    self.tell(stub.RepositoryModelLoad,
                              pb.RepositoryModelLoadRequest(model_name="nobody"), metadata, said)
                too_much = [("authorization", f"Bearer {TOKEN}"), ("x-hidden", HEADER * 5000)]
                self.tell(stub.ModelInfer, self.request(), too_much, said)

    @staticmethod
    def tell(method, message, metadata, said) -> None:
        try:
            method(message, metadata=metadata, timeout=60)
        except grpc.RpcError as error:
            said.append(f"{error.details()} {error.trailing_metadata()}")

    def over_http(self, server, said: list) -> None:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        good = json.dumps({"inputs": [{"name": "pixels", "datatype": "FP32", "shape": [1, 64],
                                       "data": [float(NUMBER)] * 64}],
                           "parameters": {"hidden": PARAMETER}})
        infer = f"/v2/models/{MODEL}/infer"
        host, port = server.http.rsplit(":", 1)
        for authorization in (f"Bearer {TOKEN}", f"Bearer {UNKNOWN}", f"Basic {PASSWORD}"):
            headers = {"Authorization": authorization, "X-Hidden": HEADER,
                       "Content-Type": "application/json"}
            for method, path, body in (
                    ("POST", infer, good), ("POST", infer, good[:-1]), ("POST", infer, BODY),
                    ("POST", infer, good.replace('"shape": [1', '"shape": [3')),
                    ("POST", f"{infer}?password={PASSWORD}", good),
                    ("GET", f"/v2/nothing?token={TOKEN}", None),
                    ("GET", f"https://user:{PASSWORD}@localhost/v2", None),
                    ("POST", "/v2/repository/index", BODY), ("GET", "/metrics", None)):
                connection = http.client.HTTPSConnection("localhost", int(port), context=context,
                                                         timeout=60)
                connection.request(method, path, body, headers)
                answer = connection.getresponse()
                text = answer.read().decode()
                if answer.status != 200 or path == "/metrics":
                    said.append(f"{answer.status} {answer.headers} {text}")
                connection.close()
        # Somebody who forgets TLS.
        for address in (server.http, server.grpc):
            plain = http.client.HTTPConnection(*address.rsplit(":", 1), timeout=60)
            try:
                plain.request("GET", "/v2", headers={"Authorization": f"Bearer {TOKEN}"})
                said.append(plain.getresponse().read().decode())
            except (OSError, http.client.HTTPException):
                pass
            plain.close()

    def exchange_files(self, server) -> None:
        """Good, wrong and good again: each leaves a line in the log."""
        def await_line(text: str) -> None:
            end = time.monotonic() + 60
            while text not in "".join(server.log) and time.monotonic() < end:
                time.sleep(0.05)
            self.assertIn(text, "".join(server.log))

        self.access.write_text(f"all infer token:{NEXT}\nall nonsense {PASSWORD}\n")
        await_line("access:2: ")
        good = self.key.read_bytes()
        self.key.write_bytes(good[:150] + b"\n")
        await_line("holds no private key")
        self.key.write_bytes(self.stranger[1].read_bytes())
        await_line("is not the key of the certificate")
        self.key.write_bytes(good)

    def look(self, log_format: str) -> None:
        with OtlpCollector() as collector:
            server = ServerProcess(
                ZOO / "repository", "--tls-certificate", str(self.certificate), "--tls-key",
                str(self.key), "--tls-client-ca", str(self.authority.certificate), "--access-file",
                str(self.access), "--log-format", log_format, "--config", self.config(collector),
                under=("env", "GRPC_VERBOSITY=debug"))
            said: list[str] = []
            with server:
                self.over_grpc(server, said)
                self.over_http(server, said)
                self.exchange_files(server)
                collector.wait_until(collector.requests.__len__)
            spans = [message.SerializeToString() for _, _, message in collector.requests]
        log = "".join(server.log)
        # It did say something: of requests, of what was wrong with some, of failed handshakes.
        for text in ("nobody", "INVALID_ARGUMENT", "gRPC: "):
            self.assertIn(text, log)
        self.assertGreater(len(said), 20)
        everything = {"log": log.encode(), "errors": "\n".join(said).encode(),
                      "spans": b"".join(spans)}
        for place, text in everything.items():
            for secret in secrets(self.folder):
                self.assertNotIn(secret, text, place)

    def test_in_text(self):
        self.look("text")

    def test_in_json(self):
        self.look("json")

    def test_an_address_with_a_password_is_refused_without_it(self):
        for url in (f"http://user:{PASSWORD}@collector:4318", f"https://u:{PASSWORD}@collector",
                    f"http://collector/?key={PASSWORD}", f"user:{PASSWORD}@collector"):
            for environment, config in (({}, f"tracing: {{endpoint: '{url}'}}\n"),
                                        ({"OTEL_EXPORTER_OTLP_ENDPOINT": url}, "")):
                path = self.folder / "octet.yaml"
                path.write_text(config)
                done = subprocess.run(
                    [program("octet-server"), "--model-repository", str(ZOO / "repository"),
                     "--check-config", "--config", str(path)], capture_output=True, text=True,
                    timeout=60, env={**os.environ, **environment})
                self.assertEqual(done.returncode, 2, done.stdout)
                self.assertIn("wants http://HOST:PORT", done.stderr)
                self.assertNotIn(PASSWORD, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
