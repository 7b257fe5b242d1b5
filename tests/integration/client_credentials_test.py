# SPDX-License-Identifier: Apache-2.0
"""`octet` over TLS and mutual TLS, with tokens: each command that asks a server, and its errors."""

import contextlib
import json
import os
import pathlib
import socket
import ssl
import subprocess
import tempfile
import threading
import time
import unittest

from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ZOO, ServerProcess, program

IMAGES = str(ZOO / "data" / "digits_test_images.npy")
LABELS = str(ZOO / "data" / "digits_test_labels.npy")
MODEL = "digits-mlp-fp32"
INFER, READ, UNKNOWN = (f"{name}-8c1f29c5a1cf40e59df5b5c3e0a3d2b1"
                        for name in ("infer", "read", "unknown"))
VARIABLES = ("OCTET_TLS_CA", "OCTET_TLS_CERTIFICATE", "OCTET_TLS_KEY", "OCTET_TLS_SERVER_NAME",
             "OCTET_TOKEN_FILE", "OCTET_TOKEN")


class Folder:
    """Certificates, keys and tokens, and a server's access file."""

    def __init__(self, folder: pathlib.Path):
        self.path = folder
        self.authority = Authority(folder)
        self.other = Authority(folder, "other-ca")
        self.server = self.authority.issue("server", SERVER_NAMES)
        self.client = self.authority.issue("client", "URI:spiffe://octet.test/client")
        self.stranger = self.other.issue("stranger")
        self.ca = ("--tls-ca", str(self.authority.certificate))
        self.tokens = {}
        for name, token in (("infer", INFER), ("read", READ), ("unknown", UNKNOWN)):
            self.tokens[name] = ("--token-file", self.write(f"{name}.token", token + "\n"))
        self.access = self.write("access", f"i infer token:{INFER}\nr read token:{READ}\n")
        self.certificates = self.write("certificates",
                                       "c infer,read uri:spiffe://octet.test/client\n")

    def write(self, name: str, text: str) -> str:
        path = self.path / name
        path.write_text(text)
        path.chmod(0o600)
        return str(path)

    @staticmethod
    def shown(pair) -> tuple[str, ...]:
        return ("--tls-certificate", str(pair[0]), "--tls-key", str(pair[1]))

    def serve(self, *arguments: str) -> ServerProcess:
        return ServerProcess(ZOO / "repository", *self.shown(self.server), *arguments)


def octet(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    clean = {name: value for name, value in os.environ.items() if name not in VARIABLES}
    done = subprocess.run([program("octet"), *arguments], capture_output=True, text=True,
                          timeout=120, check=False, env={**clean, **environment})
    for token in (INFER, READ, UNKNOWN):
        assert token not in done.stdout + done.stderr, arguments
    return done


def named(address: str) -> str:
    return address.replace("127.0.0.1", "localhost")


class ClientCredentialsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.files = Folder(pathlib.Path(cls.temporary.name))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def infer(self, server, *arguments: str, **environment: str):
        return octet("infer", MODEL, "--input", IMAGES, "--address", named(server.grpc),
                     *arguments, **environment)

    def assert_answers(self, done):
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn(f"{MODEL} version 1", done.stdout)
        self.assertEqual(done.stderr, "")

    def assert_says(self, done, *texts: str):
        self.assertEqual(done.returncode, 1, done.stdout)
        for text in texts:
            self.assertIn(text, done.stderr)
        self.assertEqual(len(done.stderr.splitlines()), 1, done.stderr)

    def test_infer_with_tls_and_a_token(self):
        files = self.files
        with files.serve("--access-file", files.access) as server:
            self.assert_answers(self.infer(server, *files.ca, *files.tokens["infer"]))
            # The same by the environment, the token's own variable included.
            ca = str(files.authority.certificate)
            self.assert_answers(self.infer(server, OCTET_TLS_CA=ca,
                                           OCTET_TOKEN_FILE=files.tokens["infer"][1]))
            self.assert_answers(self.infer(server, *files.ca, OCTET_TOKEN=INFER))
            # The server's own certificate is one to trust, too.
            self.assert_answers(self.infer(server, "--tls-ca", str(files.server[0]),
                                           *files.tokens["infer"]))
            self.assert_answers(self.infer(server, *files.ca, *files.tokens["infer"],
                                           "--tls-server-name", "127.0.0.1"))

    def test_what_is_wrong_is_named(self):
        files = self.files
        with files.serve("--access-file", files.access) as server:
            says = self.assert_says
            says(self.infer(server), "speaks TLS, and this asked without", "--tls-ca")
            says(self.infer(server, "--tls"), "CN=octet test ca, is not trusted", "--tls-ca")
            says(self.infer(server, "--tls-ca", str(files.other.certificate)), "is not trusted")
            says(self.infer(server, "--tls-ca", "/nowhere/ca.pem"), "/nowhere/ca.pem: cannot be read")
            says(self.infer(server, *files.ca, "--tls-server-name", "octet.example"),
                 "is for localhost, 127.0.0.1, wants octet.example")
            says(self.infer(server, *files.ca), "needs the role infer", "--token-file")
            says(self.infer(server, *files.ca, *files.tokens["unknown"]),
                 "does not know the bearer token")
            says(self.infer(server, *files.ca, *files.tokens["read"]), "needs the role infer",
                 "r, has read")
            says(self.infer(server, *files.ca, "--token-file", "/nowhere/token"),
                 "/nowhere/token: cannot be read")
            says(self.infer(server, *files.ca, OCTET_TOKEN="two words"),
                 "OCTET_TOKEN: is no bearer token")
        with ServerProcess(ZOO / "repository") as server:
            says(self.infer(server, *files.ca), "does not speak TLS")
            self.assert_answers(self.infer(server, *files.tokens["infer"]))

    def test_mutual_tls(self):
        files = self.files
        with files.serve("--access-file", files.certificates, "--tls-client-ca",
                         str(files.authority.certificate)) as server:
            self.assert_answers(self.infer(server, *files.ca, *files.shown(files.client)))
            self.assert_says(self.infer(server, *files.ca), "takes no client without a certificate",
                             "--tls-certificate")
            self.assert_says(self.infer(server, *files.ca, *files.shown(files.stranger)),
                             "refuses the client certificate")
            self.assert_says(self.infer(server, *files.ca, *files.shown(
                (files.client[0], files.stranger[1]))), "stranger.key: is not the key")

    def test_bench_measures_over_tls(self):
        files = self.files
        with files.serve("--access-file", files.access) as server:
            address = ("--address", named(server.grpc), "--seconds", "0.3", "--rounds", "1")
            done = octet("bench", "--compare", MODEL, "digits-mlp-int8", *address, *files.ca,
                         *files.tokens["infer"], "--input", IMAGES, "--labels", LABELS,
                         "--connections", "2", "--concurrency", "2", "--json")
            self.assertEqual(done.returncode, 0, done.stderr)
            for result in json.loads(done.stdout):
                self.assertGreater(result["answered"], 0)
                self.assertEqual(result["failed"], 0, result)
                self.assertGreater(result["accuracy"], 0.9)
            self.assert_says(octet("bench", MODEL, *address, *files.ca),
                             f'model "{MODEL}"', "--token-file")

    def test_a_token_goes_nowhere_in_plain_text(self):
        token = self.files.tokens["infer"]
        for command in (["infer", MODEL, "--address"], ["bench", MODEL, "--address"], ["doctor"]):
            self.assert_says(octet(*command, "octet.invalid:8001", *token),
                             "is not sent without TLS to another machine")
        self.assert_says(octet("doctor", "http://octet.invalid", *token), "is not sent without TLS")
        done = octet("infer", MODEL, "--address", "octet.invalid:8001", *token,
                     "--token-without-tls", "--timeout-ms", "2000")
        self.assertEqual(done.returncode, 1)
        self.assertNotIn("is not sent", done.stderr)
        self.assert_says(octet("infer", MODEL, "--address", "unix:/x", "--tls"),
                         "a Unix socket has none")


class DoctorTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.files = Folder(pathlib.Path(cls.temporary.name))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def doctor(self, status: int, *arguments: str, **environment: str) -> dict:
        done = octet("doctor", *arguments, "--json", **environment)
        self.assertEqual(done.returncode, status, done.stdout + done.stderr)
        found = json.loads(done.stdout)["findings"]
        for finding in found:
            self.assertTrue(finding["advice"] or finding["severity"] == "ok", finding)
        return {finding["check"]: finding for finding in found}

    def test_over_tls(self):
        files = self.files
        with files.serve("--access-file", files.access) as server:
            grpc, http = named(server.grpc), f"https://{named(server.http)}"
            for address in (grpc, http, http + "/"):
                found = self.doctor(0, address, *files.ca, *files.tokens["read"])
                self.assertIn("with TLSv1.3", found["server.connection"]["message"])
                # Ten days are the whole life of that certificate.
                self.assertEqual(found["server.certificate"]["severity"], "ok")
                self.assertIn("8 of 8 versions", found["server.models"]["message"])
                self.assertEqual(found["server.release"]["severity"], "ok")
                found = self.doctor(0, address, *files.ca)
                self.assertEqual(found["server.ready"]["severity"], "ok")
                self.assertIn("--token-file", found["server.models"]["advice"])
                found = self.doctor(1, address, *files.ca, "--tls-server-name", "octet.example")
                self.assertIn("wants octet.example", found["server.certificate"]["message"])
                found = self.doctor(1, address, "--tls")
                self.assertIn("--tls-ca", found["server.certificate"]["advice"])
            found = self.doctor(0, http, *files.ca, *files.tokens["read"])
            self.assertEqual(found["server.clock"]["severity"], "ok")
            # The wrong port, or TLS that is missing.
            self.assertIn("server.tls", self.doctor(1, grpc))
            self.assertIn("server.tls", self.doctor(1, http.replace("https", "http")))
            self.assertIn("server.protocol", self.doctor(1, named(server.http), *files.ca))
            self.assertIn("server.tls", self.doctor(1, f"https://{grpc}", *files.ca))

    def test_mutual_tls(self):
        files = self.files
        with files.serve("--tls-client-ca", str(files.authority.certificate)) as server:
            for address in (named(server.grpc), f"https://{named(server.http)}"):
                self.doctor(0, address, *files.ca, *files.shown(files.client))
                found = self.doctor(1, address, *files.ca)
                self.assertIn("--tls-certificate", found["client.certificate"]["advice"])
                found = self.doctor(1, address, *files.ca, *files.shown(files.stranger))
                self.assertIn("--tls-client-ca", found["client.certificate"]["advice"])

    def test_http_without_tls(self):
        with ServerProcess() as server:
            found = self.doctor(0, f"http://{server.http}", OCTET_TLS_CA="/nowhere")
            self.assertEqual({finding["severity"] for finding in found.values()}, {"ok"}, found)
            self.assertLessEqual({"server.connection", "server.ready", "server.release",
                                  "server.models", "server.clock"}, set(found))
            self.assertIn("server.protocol", self.doctor(1, f"http://{server.grpc}"))
            self.assertIn("server.tls", self.doctor(1, f"https://{server.http}"))

    @contextlib.contextmanager
    def other_server(self, certificate, answer: bytes):
        """A server of HTTP/1 with TLS that always answers this."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*map(str, certificate))
        with socket.create_server(("127.0.0.1", 0)) as listener:
            def serve():
                while True:
                    try:
                        connection, _ = listener.accept()
                    except OSError:
                        return
                    with contextlib.suppress(OSError):
                        with context.wrap_socket(connection, server_side=True) as tls:
                            tls.recv(4096)
                            tls.sendall(answer)

            threading.Thread(target=serve, daemon=True).start()
            yield f"https://localhost:{listener.getsockname()[1]}"
            listener.shutdown(socket.SHUT_RDWR)

    def test_certificates_that_end(self):
        files = self.files
        expired = files.authority.issue("expired-server", SERVER_NAMES, days=-1)
        answer = b"HTTP/1.0 503 Service Unavailable\r\n\r\n"
        with self.other_server(expired, answer) as address:
            found = self.doctor(1, address, *files.ca)
            self.assertIn("its certificate expired on", found["server.certificate"]["message"])
        # Valid for 30 days, 29.5 of which are over: "soon" is a share of its life.
        soon = self.aged("soon", files)
        with self.other_server(soon, answer) as address:
            found = self.doctor(1, address, *files.ca)
            self.assertEqual(found["server.certificate"]["severity"], "warning")
            self.assertIn("soon", found["server.certificate"]["message"])

    @staticmethod
    def aged(name: str, files: Folder):
        """A certificate that has half a day left of thirty."""
        certificate, key = files.authority.issue(name, SERVER_NAMES)
        request, extensions = files.path / f"{name}.csr", files.path / f"{name}.ext"
        day = 86400

        def text(when: float) -> str:
            return time.strftime("%Y%m%d%H%M%SZ", time.gmtime(when))

        database = files.path / f"{name}.db"
        database.mkdir()
        (database / "index.txt").touch()
        (database / "serial").write_text("77\n")
        (database / "ca.cnf").write_text(
            f"[ca]\ndefault_ca=c\n[c]\ndir={database}\ndatabase={database}/index.txt\n"
            f"new_certs_dir={database}\nserial={database}/serial\ndefault_md=sha256\npolicy=p\n"
            "[p]\ncommonName=supplied\n")
        done = subprocess.run(
            ["openssl", "ca", "-batch", "-config", str(database / "ca.cnf"), "-in", str(request),
             "-cert", str(files.authority.certificate), "-keyfile", str(files.path / "ca.key"),
             "-startdate", text(time.time() - 29.5 * day), "-enddate", text(time.time() + day / 2),
             "-extfile", str(extensions), "-notext", "-out", str(certificate)],
            capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return certificate, key

    def test_a_clock_that_is_wrong(self):
        files = self.files
        answer = (b"HTTP/1.0 200 OK\r\nDate: Sat, 28 Feb 2015 23:59:59 GMT\r\n\r\n")
        with self.other_server(files.server, answer) as address:
            found = self.doctor(0, address, *files.ca)
            self.assertIn("s behind", found["server.clock"]["message"])

    def test_memory_near_its_limit(self):
        files = self.files
        answer = (b"HTTP/1.0 200 OK\r\n\r\nprocess_resident_memory_bytes 95e6\n"
                  b"octet_memory_limit_bytes 1e8\n")
        with self.other_server(files.server, answer) as address:
            found = self.doctor(0, address, *files.ca)
            self.assertEqual(found["server.memory"]["severity"], "warning")


if __name__ == "__main__":
    unittest.main(verbosity=2)
