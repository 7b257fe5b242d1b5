# SPDX-License-Identifier: Apache-2.0
"""TLS with real clients: versions, certificates that are wrong, and exchanging them under load."""

import json
import pathlib
import re
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest
import urllib.request

import grpc
import numpy as np
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as pb
from tritonclient.grpc import service_pb2_grpc as services

from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ZOO, ServerProcess

IMAGE = np.load(ZOO / "data" / "digits_test_images.npy")[:1].reshape(1, 64)
# The metrics are scraped without TLS, by a client that has no certificate.
OPEN_METRICS = "access: {metrics: {tls: false}}\n"


def infer_request():
    message = pb.ModelInferRequest(model_name="digits-mlp-fp32")
    message.inputs.add(name="pixels", datatype="FP32", shape=IMAGE.shape)
    message.raw_input_contents.append(IMAGE.tobytes())
    return message


class TlsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.authority = Authority(cls.folder)
        cls.other = Authority(cls.folder, "other-ca")
        cls.authority.issue("client", "URI:spiffe://octet.test/client")
        cls.authority.issue("expired", "URI:spiffe://octet.test/client", days=-1)
        cls.other.issue("stranger", "URI:spiffe://octet.test/client")
        cls.certificate, cls.key = cls.authority.issue("server", SERVER_NAMES)
        (cls.folder / "octet.yaml").write_text(OPEN_METRICS)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def serve(self, *arguments: str) -> ServerProcess:
        return ServerProcess(ZOO / "repository", "--tls-certificate", str(self.certificate),
                             "--tls-key", str(self.key), "--config",
                             str(self.folder / "octet.yaml"), *arguments)

    def serve_mutual(self) -> ServerProcess:
        return self.serve("--tls-client-ca", str(self.authority.certificate))

    def read(self, name: str) -> bytes:
        return (self.folder / name).read_bytes()

    def channel(self, server, client: str = "", root: str = "ca.pem") -> grpc.Channel:
        pair = (self.read(f"{client}.key"), self.read(f"{client}.pem")) if client else (None, None)
        return grpc.secure_channel(
            server.grpc.replace("127.0.0.1", "localhost"),
            grpc.ssl_channel_credentials(self.read(root), *pair),
            options=[("grpc.use_local_subchannel_pool", 1)])

    def infer(self, server, client: str = "", root: str = "ca.pem"):
        with self.channel(server, client, root) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            return stub.ModelInfer(infer_request(), timeout=60)

    def assert_refused(self, server, client: str = "", root: str = "ca.pem") -> None:
        with self.assertRaises(grpc.RpcError) as caught:
            self.infer(server, client, root)
        self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)

    def handshake(self, address: str, **versions) -> ssl.SSLSocket:
        """Raises ssl.SSLError or OSError if there is none."""
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        context.set_alpn_protocols(["h2"])
        for name, version in versions.items():
            setattr(context, name, version)
        if versions:
            context.set_ciphers("DEFAULT:@SECLEVEL=0")
        host, port = address.rsplit(":", 1)
        connection = socket.create_connection((host, int(port)), timeout=60)
        return context.wrap_socket(connection, server_hostname="localhost")

    def serial_shown(self, address: str) -> str:
        with self.handshake(address) as connection:
            return connection.getpeercert()["serialNumber"]

    def metric(self, server, line: str) -> float:
        text = urllib.request.urlopen(f"http://{server.metrics}/metrics", timeout=60).read().decode()
        found = re.search(rf"^{re.escape(line)} (\S+)$", text, re.MULTILINE)
        self.assertIsNotNone(found, line)
        return float(found[1])

    def await_metric(self, server, line: str, least: float) -> None:
        end = time.monotonic() + 60
        while (value := self.metric(server, line)) < least and time.monotonic() < end:
            time.sleep(0.05)
        self.assertGreaterEqual(value, least, f"{line}\n{''.join(server.log)}")

    def test_tls_12_and_newer_only(self):
        with self.serve() as server:
            self.assertEqual(len(self.infer(server).outputs), 1)
            for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
                with self.assertRaises(OSError, msg=version):
                    self.handshake(server.grpc, minimum_version=version, maximum_version=version)
            for version, name in ((ssl.TLSVersion.TLSv1_2, "TLSv1.2"),
                                  (ssl.TLSVersion.TLSv1_3, "TLSv1.3")):
                with self.handshake(server.grpc, minimum_version=version,
                                    maximum_version=version) as connection:
                    self.assertEqual(connection.version(), name)
                    self.assertEqual(connection.selected_alpn_protocol(), "h2")
            done = subprocess.run(
                ["openssl", "s_client", "-connect", server.grpc, "-servername", "localhost",
                 "-verify_return_error", "-CAfile", str(self.authority.certificate), "-alpn", "h2"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=120)
            self.assertIn("Verify return code: 0 (ok)", done.stdout, done.stderr)
            # Without TLS nothing is answered.
            with grpc.insecure_channel(server.grpc) as channel:
                with self.assertRaises(grpc.RpcError):
                    services.GRPCInferenceServiceStub(channel).ServerLive(
                        pb.ServerLiveRequest(), timeout=20)
            self.assert_refused(server, root="other-ca.pem")  # a client that trusts another

    def curl(self, server, *arguments: str, scheme: str = "https") -> tuple[int, str]:
        """curl's exit status, and what it printed."""
        port = server.http.rsplit(":", 1)[1]
        done = subprocess.run(
            ["curl", "-sS", "--max-time", "60", "--cacert", str(self.authority.certificate),
             *arguments, f"{scheme}://localhost:{port}/v2/models/digits-mlp-fp32"],
            capture_output=True, text=True)
        return done.returncode, done.stdout

    def test_http(self):
        with self.serve() as server:
            self.assertIn("pixels", self.curl(server)[1])
            self.assertIn("pixels", self.curl(server, "--tls-max", "1.2")[1])
            self.assertNotEqual(self.curl(server, "--tls-max", "1.1", "--tlsv1.1", "--ciphers",
                                          "DEFAULT:@SECLEVEL=0")[0], 0)
            self.assertIn("this address speaks TLS", self.curl(server, scheme="http")[1])
            # A body and an answer that take many records.
            body = self.folder / "body.json"
            rows = 4096
            body.write_text('{"inputs": [{"name": "pixels", "shape": [%d, 64], "datatype": "FP32",'
                            ' "data": [%s]}]}' % (rows, ",".join(["0.5"] * 64 * rows)))
            port = server.http.rsplit(":", 1)[1]
            done = subprocess.run(
                ["curl", "-sS", "--max-time", "120", "--cacert", str(self.authority.certificate),
                 "-H", "Content-Type: application/json", "--data-binary", f"@{body}",
                 f"https://localhost:{port}/v2/models/digits-mlp-fp32/infer"],
                capture_output=True, text=True)
            answer = json.loads(done.stdout)
            self.assertEqual(answer["outputs"][0]["shape"], [rows, 10])
            self.assertEqual(len(answer["outputs"][0]["data"]), rows * 10)

    def test_http_with_client_certificates(self):
        def with_certificate(name: str) -> tuple:
            return ("--cert", str(self.folder / f"{name}.pem"), "--key",
                    str(self.folder / f"{name}.key"))

        with self.serve_mutual() as server:
            self.assertIn("pixels", self.curl(server, *with_certificate("client"))[1])
            for wrong in ((), with_certificate("expired"), with_certificate("stranger")):
                self.assertNotEqual(self.curl(server, *wrong)[0], 0, wrong)

    def test_mutual_tls(self):
        with self.serve_mutual() as server:
            self.assertEqual(len(self.infer(server, "client").outputs), 1)
            self.assert_refused(server)
            self.assert_refused(server, "expired")
            self.assert_refused(server, "stranger")
            host, port = server.grpc.rsplit(":", 1)
            client = triton.InferenceServerClient(
                f"localhost:{port}", ssl=True, root_certificates=str(self.authority.certificate),
                private_key=str(self.folder / "client.key"),
                certificate_chain=str(self.folder / "client.pem"))
            value = triton.InferInput("pixels", list(IMAGE.shape), "FP32")
            value.set_data_from_numpy(IMAGE)
            answer = client.infer("digits-mlp-fp32", [value])
            self.assertEqual(answer.as_numpy(answer.get_response().outputs[0].name).shape, (1, 10))
            client.close()

    def test_certificates_are_exchanged_under_load(self):
        taken = 'octet_credential_reloads_total{files="certificates",outcome="taken"}'
        refused = 'octet_credential_reloads_total{files="certificates",outcome="refused"}'
        pairs = [self.authority.issue(f"next{i}", SERVER_NAMES, days=20 + i) for i in range(3)]
        with self.serve_mutual() as server:
            expiry = "octet_tls_certificate_not_after_seconds"
            first_expiry = self.metric(server, expiry)
            self.assertAlmostEqual(first_expiry, time.time() + 10 * 86400, delta=3600)
            failures, calls = [], [0, 0, 0]
            ended = threading.Event()

            def load(index: int, is_new_connection: bool) -> None:
                channel = self.channel(server, "client")
                while not ended.is_set():
                    try:
                        if is_new_connection:
                            self.infer(server, "client")
                        else:
                            services.GRPCInferenceServiceStub(channel).ModelInfer(
                                infer_request(), timeout=60)
                        calls[index] += 1
                    except grpc.RpcError as error:
                        failures.append(f"{error.code()}: {error.details()}")
                channel.close()

            def load_http() -> None:
                while not ended.is_set():
                    status, text = self.curl(server, "--cert", str(self.folder / "client.pem"),
                                             "--key", str(self.folder / "client.key"))
                    if status != 0 or "pixels" not in text:
                        failures.append(f"curl: {status}: {text}")
                    calls[2] += 1

            threads = [threading.Thread(target=load, args=(i, i == 0)) for i in range(2)]
            threads.append(threading.Thread(target=load_http))
            for thread in threads:
                thread.start()
            for i, (certificate, key) in enumerate(pairs):
                # First a moment with a key that is not the certificate's.
                self.certificate.write_bytes(certificate.read_bytes())
                self.await_metric(server, refused, i + 1)
                self.key.write_bytes(key.read_bytes())
                self.await_metric(server, taken, i + 1)
            before = list(calls)
            end = time.monotonic() + 60
            while any(now < then + 5 for now, then in zip(calls, before)) and time.monotonic() < end:
                time.sleep(0.05)
            ended.set()
            for thread in threads:
                thread.join()
            self.assertEqual(failures, [])
            self.assertTrue(all(now >= then + 5 for now, then in zip(calls, before)), calls)
            self.assertGreater(self.metric(server, expiry), first_expiry + 11 * 86400)
        self.assertIn("is not the key of the certificate", "".join(server.log))

    def test_what_is_wrong_leaves_what_was_right(self):
        refused = 'octet_credential_reloads_total{files="certificates",outcome="refused"}'
        expired, expired_key = self.authority.issue("expired-server", SERVER_NAMES, days=-1)
        good, good_key = self.certificate.read_bytes(), self.key.read_bytes()
        with self.serve() as server:
            serial = self.serial_shown(server.grpc)
            for count, (certificate, key, said) in enumerate([
                    (expired.read_bytes(), expired_key.read_bytes(), "has expired"),
                    (b"nonsense", good_key, "holds no certificate"),
                    (good[: len(good) // 2], good_key, "holds no certificate"),
                    (good, good_key[:99], "holds no private key")], 1):
                # The key first: what is looked at in between is not right either.
                self.key.write_bytes(key)
                self.certificate.write_bytes(certificate)
                self.await_metric(server, refused, count)
                self.await_log(server, said)
                self.assertEqual(self.serial_shown(server.grpc), serial)
            self.certificate.unlink()
            self.await_log(server, "cannot be read: No such file")
            self.assertEqual(self.serial_shown(server.grpc), serial)
            self.key.write_bytes(good_key)
            self.certificate.write_bytes(good)

    def await_log(self, server, text: str) -> None:
        end = time.monotonic() + 60
        while text not in "".join(server.log) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertIn(text, "".join(server.log))


if __name__ == "__main__":
    unittest.main(verbosity=2)
