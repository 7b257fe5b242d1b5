# SPDX-License-Identifier: Apache-2.0
"""Who may call what: every listener, every method of every service, every kind of caller."""

import hashlib
import http.client
import json
import os
import pathlib
import queue
import re
import socket
import ssl
import tempfile
import time
import unittest
import urllib.request
from unittest import mock

import grpc

from tests.support import inference_stubs
from tests.support.certificates import SERVER_NAMES, Authority
from tests.support.server_process import ZOO, ServerProcess

pb, services = inference_stubs.load()

ANYBODY = {"infer", "read", "admin", None}
DESCRIBE = {"infer", "read", "admin"}
READ = {"read", "admin"}
ADMIN = {"admin"}
# Who may call each method: a new one that is not here fails the test.
RPCS = {
    "/grpc.health.v1.Health/Check": ANYBODY,
    "/grpc.health.v1.Health/Watch": ANYBODY,
    "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo": READ,
    "/inference.GRPCInferenceService/ServerLive": ANYBODY,
    "/inference.GRPCInferenceService/ServerReady": ANYBODY,
    "/inference.GRPCInferenceService/ModelReady": ANYBODY,
    "/inference.GRPCInferenceService/ServerMetadata": DESCRIBE,
    "/inference.GRPCInferenceService/ModelMetadata": DESCRIBE,
    "/inference.GRPCInferenceService/ModelConfig": DESCRIBE,
    "/inference.GRPCInferenceService/ModelInfer": {"infer"},
    "/inference.GRPCInferenceService/ModelStreamInfer": {"infer"},
    "/inference.GRPCInferenceService/ModelStatistics": READ,
    "/inference.GRPCInferenceService/RepositoryIndex": READ,
    "/inference.GRPCInferenceService/RepositoryModelLoad": ADMIN,
    "/inference.GRPCInferenceService/RepositoryModelUnload": ADMIN,
    "/inference.GRPCInferenceService/TraceSetting": ADMIN,
    "/inference.GRPCInferenceService/LogSettings": ADMIN,
    "/inference.GRPCInferenceService/SystemSharedMemoryStatus": ADMIN,
    "/inference.GRPCInferenceService/SystemSharedMemoryRegister": ADMIN,
    "/inference.GRPCInferenceService/SystemSharedMemoryUnregister": ADMIN,
    "/inference.GRPCInferenceService/CudaSharedMemoryStatus": ADMIN,
    "/inference.GRPCInferenceService/CudaSharedMemoryRegister": ADMIN,
    "/inference.GRPCInferenceService/CudaSharedMemoryUnregister": ADMIN,
}

# The same of HTTP's paths, as its OpenAPI document has them.
ROUTES = {
    ("GET", "/"): READ,
    ("GET", "/metrics"): READ,
    ("GET", "/v2"): DESCRIBE,
    ("GET", "/v2/openapi.json"): DESCRIBE,
    ("GET", "/v2/health/live"): ANYBODY,
    ("GET", "/v2/health/ready"): ANYBODY,
    ("GET", "/v2/models/stats"): READ,
    ("GET", "/v2/models/{model}"): DESCRIBE,
    ("GET", "/v2/models/{model}/versions/{version}"): DESCRIBE,
    ("GET", "/v2/models/{model}/ready"): ANYBODY,
    ("GET", "/v2/models/{model}/versions/{version}/ready"): ANYBODY,
    ("GET", "/v2/models/{model}/config"): DESCRIBE,
    ("GET", "/v2/models/{model}/versions/{version}/config"): DESCRIBE,
    ("GET", "/v2/models/{model}/stats"): READ,
    ("GET", "/v2/models/{model}/versions/{version}/stats"): READ,
    ("POST", "/v2/models/{model}/infer"): {"infer"},
    ("POST", "/v2/models/{model}/versions/{version}/infer"): {"infer"},
    ("POST", "/v2/repository/index"): READ,
    ("POST", "/v2/repository/models/{model}/load"): ADMIN,
    ("POST", "/v2/repository/models/{model}/unload"): ADMIN,
    ("GET", "/v2/trace/setting"): ADMIN,
    ("POST", "/v2/trace/setting"): ADMIN,
    ("GET", "/v2/models/{model}/trace/setting"): ADMIN,
    ("POST", "/v2/models/{model}/trace/setting"): ADMIN,
    ("GET", "/v2/logging"): ADMIN,
    ("POST", "/v2/logging"): ADMIN,
    ("GET", "/v2/systemsharedmemory/status"): ADMIN,
    ("GET", "/v2/cudasharedmemory/status"): ADMIN,
}
UNAUTHENTICATED, DENIED = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED

TOKENS = {role: f"{role}-token-{hashlib.sha256(role.encode()).hexdigest()}"
          for role in ("infer", "read", "admin")}


def methods_of_the_services() -> dict[str, bool]:
    """Path to whether it streams, as our protos have them."""
    found = {}
    for proto in ("proto/inference/open_inference_grpc.proto", "proto/grpc/health/v1/health.proto",
                  "proto/grpc/reflection/v1alpha/reflection.proto"):
        text = (pathlib.Path(__file__).resolve().parents[2] / proto).read_text()
        package = re.search(r"^package ([\w.]+);", text, re.MULTILINE)[1]
        for service in re.finditer(r"^service (\w+) \{(.*?)^\}", text, re.MULTILINE | re.DOTALL):
            for rpc in re.finditer(r"rpc (\w+)\s*\((.*?)\)\s*returns\s*\((.*?)\)", service[2],
                                   re.DOTALL):
                path = f"/{package}.{service[1]}/{rpc[1]}"
                found[path] = "stream " in rpc[2] or "stream " in rpc[3]
    return found


STREAMS = methods_of_the_services()


def code_of(channel, path: str, metadata=()) -> grpc.StatusCode:
    """Of a call with an empty message; OK of a stream that gives a first answer."""
    try:
        if STREAMS[path]:
            call = channel.stream_stream(path)(iter([b""]), metadata=metadata, timeout=60)
            next(call)
            call.cancel()
        else:
            channel.unary_unary(path)(b"", metadata=metadata, timeout=60)
    except StopIteration:
        pass
    except grpc.RpcError as error:
        return error.code()
    return grpc.StatusCode.OK


def http_status(address: str, method: str, path: str, headers=(), context=None) -> int:
    host, port = address.rsplit(":", 1)
    if context is None:
        connection = http.client.HTTPConnection(host, int(port), timeout=60)
    else:
        connection = http.client.HTTPSConnection("localhost", int(port), timeout=60,
                                                 context=context)
    try:
        path = path.replace("{model}", "none").replace("{version}", "1")
        connection.request(method, path, body="{}" if method == "POST" else None,
                           headers={name.title(): value for name, value in headers})
        response = connection.getresponse()
        response.read()
        if response.status == 401:
            assert response.getheader("WWW-Authenticate") == "Bearer"
        return response.status
    finally:
        connection.close()


def bearer(token: str):
    return (("authorization", f"Bearer {token}"),)


def own_address_beside_loopback() -> str | None:
    """An address of this machine that is not its loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


class AccessTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        cls.authority = Authority(cls.folder)
        cls.certificate, cls.key = cls.authority.issue("server", SERVER_NAMES)
        for role in TOKENS:
            cls.authority.issue(f"{role}-client", f"URI:spiffe://octet.test/{role}")
        cls.authority.issue("unknown-client", "URI:spiffe://octet.test/unknown")
        cls.access = cls.folder / "access"
        cls.access.write_text(cls.access_lines())
        cls.access.chmod(0o600)
        cls.tokens_alone = cls.folder / "tokens"
        cls.tokens_alone.write_text("".join(line + "\n" for line in cls.access_lines().split("\n")
                                            if "uri:" not in line))
        cls.tokens_alone.chmod(0o600)

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    @classmethod
    def access_lines(cls) -> str:
        lines = ["# by hash, by token, by certificate"]
        for role, token in TOKENS.items():
            proof = (f"token:{token}" if role == "read" else
                     f"sha256:{hashlib.sha256(token.encode()).hexdigest()}")
            lines += [f"{role}-caller  {role}  {proof}",
                      f"{role}-client  {role}  uri:spiffe://octet.test/{role}"]
        return "\n".join(lines) + "\n"

    def serve(self, *arguments: str, config: str = "") -> ServerProcess:
        if config:
            (self.folder / "octet.yaml").write_text(config)
            arguments += ("--config", str(self.folder / "octet.yaml"))
        return ServerProcess(ZOO / "repository", *arguments)

    def tls(self) -> tuple:
        return ("--tls-certificate", str(self.certificate), "--tls-key", str(self.key),
                "--tls-client-ca", str(self.authority.certificate))

    def secure_channel(self, address: str, client: str = "") -> grpc.Channel:
        read = lambda name: (self.folder / name).read_bytes()  # noqa: E731
        pair = (read(f"{client}.key"), read(f"{client}.pem")) if client else (None, None)
        credentials = grpc.ssl_channel_credentials(read("ca.pem"), *pair)
        return grpc.secure_channel(address.replace("127.0.0.1", "localhost"), credentials,
                                   options=[("grpc.use_local_subchannel_pool", 1)])

    def check_all(self, channel, who: str, metadata, expected) -> None:
        """`expected` is of a method: whom it lets in, to the code of a refusal or None."""
        for path, allowed in RPCS.items():
            with self.subTest(who=who, method=path):
                code = code_of(channel, path, metadata)
                refused = code in (grpc.StatusCode.UNAUTHENTICATED,
                                   grpc.StatusCode.PERMISSION_DENIED)
                self.assertEqual(code if refused else None, expected(allowed))

    def check_http(self, address: str, who: str, headers, context, expected,
                   routes=ROUTES) -> None:
        for (method, path), allowed in routes.items():
            with self.subTest(who=who, method=method, path=path):
                status = http_status(address, method, path, headers, context)
                code = {401: UNAUTHENTICATED, 403: DENIED}.get(status)
                self.assertEqual(code, expected(allowed), status)

    def client_context(self, client: str = "") -> ssl.SSLContext:
        context = ssl.create_default_context(cafile=str(self.authority.certificate))
        if client:
            context.load_cert_chain(self.folder / f"{client}.pem", self.folder / f"{client}.key")
        return context

    def test_http_and_metrics_with_tls_and_roles(self):
        config = ("access: {http: {require_client_certificate: false}, "
                  "metrics: {require_client_certificate: false}}\n")
        metrics = {("GET", "/metrics"): READ}

        def of(role, code):
            return lambda allowed: None if None in allowed or role in allowed else code

        with self.serve(*self.tls(), "--access-file", str(self.access), config=config) as server:
            for address, routes in ((server.http, ROUTES), (server.metrics, metrics)):
                plain = self.client_context()
                check = lambda *how: self.check_http(address, *how, routes)  # noqa: E731,B023
                check("nobody", (), plain, of(None, UNAUTHENTICATED))
                check("unknown token", bearer("x" * 40), plain, of(None, UNAUTHENTICATED))
                check("another scheme", (("authorization", "Basic eDp5"),), plain,
                      of(None, UNAUTHENTICATED))
                check("certificate of nobody", (), self.client_context("unknown-client"),
                      of(None, UNAUTHENTICATED))
                for role, token in TOKENS.items():
                    check(f"token of {role}", bearer(token), plain, of(role, DENIED))
                    check(f"certificate of {role}", (), self.client_context(f"{role}-client"),
                          of(role, DENIED))

    def test_the_routes_are_all_there_are(self):
        with self.serve() as server:
            text = urllib.request.urlopen(f"http://{server.http}/v2/openapi.json").read()
            found = {(method.upper(), path) for path, methods in json.loads(text)["paths"].items()
                     for method in methods if method in ("get", "post", "put", "delete", "patch")}
            self.assertEqual(found | {("GET", "/")}, set(ROUTES))

    def test_http_without_an_access_file(self):
        with self.serve() as server:
            self.check_http(server.http, "own machine", (), None, lambda allowed: None)
            # A page in a browser on this machine is no caller of this machine.
            self.check_http(server.http, "web page", (("origin", "http://evil.example"),), None,
                            lambda allowed: DENIED if allowed == ADMIN else None)
        other = own_address_beside_loopback()
        if other is None:
            self.skipTest("this machine has no address beside its loopback")
        refused = lambda allowed: DENIED if allowed == ADMIN else None  # noqa: E731
        with self.serve("--http-address", f"{other}:0") as server:
            self.check_http(server.http, "another machine", (), None, refused)
        with self.serve("--http-address", f"{other}:0", "--allow-management") as server:
            self.check_http(server.http, "another machine, allowed", (), None, lambda allowed: None)

    def test_metrics_can_be_open_where_the_rest_is_not(self):
        config = "access: {metrics: {anonymous: read, tls: false}}\n"
        with self.serve("--access-file", str(self.tokens_alone), config=config) as server:
            self.assertEqual(http_status(server.metrics, "GET", "/metrics"), 200)
            self.assertEqual(http_status(server.http, "GET", "/metrics"), 401)
            self.assertEqual(
                http_status(server.http, "GET", "/metrics", bearer(TOKENS["read"])), 200)

    def test_the_table_has_every_method(self):
        self.assertEqual(set(RPCS), set(STREAMS))
        self.assertGreaterEqual(len(STREAMS), 23)

    def test_grpc_with_tls_and_roles(self):
        config = "access: {grpc: {require_client_certificate: false}}\n"
        unknown, denied = grpc.StatusCode.UNAUTHENTICATED, grpc.StatusCode.PERMISSION_DENIED

        def of(role, code):
            return lambda allowed: None if None in allowed or role in allowed else code

        with self.serve(*self.tls(), "--access-file", str(self.access), config=config) as server:
            with self.secure_channel(server.grpc) as channel:
                self.check_all(channel, "nobody", (), of(None, unknown))
                self.check_all(channel, "unknown token", bearer("x" * 40), of(None, unknown))
                self.check_all(channel, "another scheme", (("authorization", "Basic eDp5"),),
                               of(None, unknown))
                for role, token in TOKENS.items():
                    self.check_all(channel, f"token of {role}", bearer(token), of(role, denied))
            for role in TOKENS:
                with self.secure_channel(server.grpc, f"{role}-client") as channel:
                    self.check_all(channel, f"certificate of {role}", (), of(role, denied))
            with self.secure_channel(server.grpc, "unknown-client") as channel:
                self.check_all(channel, "certificate of nobody", (), of(None, unknown))
            with self.secure_channel(server.grpc, "infer-client") as channel:
                self.assertEqual(
                    code_of(channel, "/inference.GRPCInferenceService/ModelInfer",
                            bearer("x" * 40)), grpc.StatusCode.INVALID_ARGUMENT)
                self.check_all(
                    channel, "certificate of infer, token of admin", bearer(TOKENS["admin"]),
                    lambda allowed: None if allowed & {None, "infer", "admin"} else denied)

    def test_grpc_over_a_unix_socket(self):
        path = self.folder / "grpc.sock"
        config = "access: {grpc: {own_machine: 'admin, infer'}, protect_health: true}\n"
        with self.serve("--access-file", str(self.tokens_alone), "--grpc-address", f"unix:{path}",
                        config=config) as server:
            self.assertEqual(server.grpc, f"unix:{path}")
            with grpc.insecure_channel(server.grpc) as channel:
                self.check_all(channel, "own machine", (), lambda allowed: None)

    def test_health_can_be_protected(self):
        config = "access: {protect_health: true}\n"
        with self.serve("--access-file", str(self.tokens_alone), config=config) as server:
            with grpc.insecure_channel(server.grpc) as channel:
                self.check_all(channel, "nobody", (),
                               lambda allowed: grpc.StatusCode.UNAUTHENTICATED)
                path = "/grpc.health.v1.Health/Check"
                self.assertEqual(code_of(channel, path, bearer(TOKENS["infer"])),
                                 grpc.StatusCode.OK)

    def test_without_an_access_file(self):
        denied = grpc.StatusCode.PERMISSION_DENIED
        with self.serve() as server, grpc.insecure_channel(server.grpc) as channel:
            self.check_all(channel, "own machine", (), lambda allowed: None)
        other = own_address_beside_loopback()
        if other is None:
            self.skipTest("this machine has no address beside its loopback")
        with (self.serve("--grpc-address", f"{other}:0") as server,
              grpc.insecure_channel(server.grpc) as channel):
            self.check_all(channel, "another machine", (),
                           lambda allowed: denied if allowed == ADMIN else None)
        with (self.serve("--grpc-address", f"{other}:0", "--allow-management") as server,
              grpc.insecure_channel(server.grpc) as channel):
            self.check_all(channel, "another machine, allowed", (), lambda allowed: None)

    def test_changed_lines_count_from_the_next_call_on(self):
        access = self.folder / "changing"
        access.write_text("a infer token:first-first-first-first\n")
        access.chmod(0o600)
        infer = "/inference.GRPCInferenceService/ModelInfer"
        with (self.serve("--access-file", str(access)) as server,
              grpc.insecure_channel(server.grpc) as channel):
            first, second = bearer("first-first-first-first"), bearer("second-second-second")
            stub = services.GRPCInferenceServiceStub(channel)
            requests = RequestsByHand()
            stream = stub.ModelStreamInfer(requests, metadata=first, timeout=120)
            requests.send(pb.ModelInferRequest(model_name="none"))
            self.assertIn("none", next(stream).error_message)
            access.write_text("a infer token:second-second-second\n")
            self.await_code(channel, infer, second, grpc.StatusCode.INVALID_ARGUMENT)
            self.assertEqual(code_of(channel, infer, first), grpc.StatusCode.UNAUTHENTICATED)
            requests.send(pb.ModelInferRequest(model_name="none"))
            with self.assertRaises(grpc.RpcError) as caught:
                next(stream)
            self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAUTHENTICATED)
            # One line that is wrong leaves all as it was.
            access.write_text("a infer token:third-third-third\nb infer nonsense\n")
            self.await_log(server, "changing:2: the third field")
            self.assertEqual(code_of(channel, infer, second), grpc.StatusCode.INVALID_ARGUMENT)

    def test_nothing_secret_is_logged(self):
        with mock.patch.dict(os.environ, {"GRPC_VERBOSITY": "DEBUG"}):
            server = self.serve(*self.tls(), "--access-file", str(self.access),
                                config="access: {grpc: {require_client_certificate: false}}\n")
        with server:
            with self.secure_channel(server.grpc) as channel:
                for path in RPCS:
                    for token in [*TOKENS.values(), "unknown-unknown-unknown"]:
                        code_of(channel, path, bearer(token))
                        http_status(server.http, "POST", "/v2/models/{model}/infer", bearer(token),
                                    self.client_context("read-client"))
            text = self.access.read_text()
            self.access.write_text(text + "again infer token:" + TOKENS["admin"] + "%\n")
            self.await_log(server, "the token wants letters")
            self.access.write_text(text)
            key = self.key.read_text()
            self.key.write_text(key[:100])
            self.await_log(server, "holds no private key")
            self.key.write_text(key)
        log = "".join(server.log)
        secrets = [*TOKENS.values(), "unknown-unknown-unknown", "authorization"]
        secrets += [line for line in key.splitlines() if "-----" not in line]
        secrets += re.findall(r"sha256:(\w+)", text)
        for secret in secrets:
            self.assertNotIn(secret, log)

    def await_code(self, channel, path, metadata, wanted) -> None:
        end = time.monotonic() + 60
        while (code := code_of(channel, path, metadata)) != wanted and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(code, wanted)

    def await_log(self, server, text: str) -> None:
        end = time.monotonic() + 60
        while text not in "".join(server.log) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertIn(text, "".join(server.log))


class RequestsByHand:
    """An iterator of what `send` was given."""

    def __init__(self):
        self._queue = queue.Queue()

    def send(self, message) -> None:
        self._queue.put(message)

    def __iter__(self):
        return self

    def __next__(self):
        return self._queue.get()


if __name__ == "__main__":
    unittest.main(verbosity=2)
