# SPDX-License-Identifier: Apache-2.0
"""`octet doctor` finds what is wrong with servers, bundles and this machine, and says what to do."""

import contextlib
import json
import pathlib
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest

from tests.support.server_process import ZOO, ServerProcess, program

BUNDLE = ZOO / "repository" / "digits-mlp-int8" / "1"


def doctor(*arguments: str, status: int, **kwargs) -> dict:
    """Its findings by check; the last of each."""
    done = subprocess.run([program("octet"), "doctor", *arguments, "--json"], capture_output=True,
                          text=True, timeout=120, check=False, **kwargs)
    assert done.returncode == status, (done.returncode, done.stdout, done.stderr)
    report = json.loads(done.stdout)
    for finding in report["findings"]:
        assert finding["message"], finding
        assert finding["advice"] or finding["severity"] == "ok", finding
    assert report["errors"] == sum(f["severity"] == "error" for f in report["findings"])
    assert (report["errors"] > 0) == (status == 1)
    return {finding["check"]: finding for finding in report["findings"]}


@contextlib.contextmanager
def answering(answer: bytes, closes: bool = True):
    """The address of something that answers each connection with these bytes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        kept = []

        def serve():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = listener.accept()
                    connection.recv(100)
                    connection.sendall(answer)
                    if closes:
                        connection.close()
                    else:
                        kept.append(connection)

        threading.Thread(target=serve, daemon=True).start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)


class DoctorServerTest(unittest.TestCase):
    def test_a_server_that_is_well(self):
        with ServerProcess() as server:
            found = doctor(server.grpc, status=0)
            self.assertEqual({finding["severity"] for finding in found.values()}, {"ok"})
            self.assertEqual(set(found), {"server.connection", "server.ready", "server.release",
                                          "server.models"})

    def test_the_wrong_port_of_it(self):
        with ServerProcess() as server:
            found = doctor(server.http, status=1)
            self.assertIn("gRPC port", found["server.protocol"]["advice"])

    def test_a_server_that_drains_is_not_ready(self):
        with ServerProcess(ZOO / "repository", "--drain-delay", "30s") as server:
            server.terminate()
            deadline = time.monotonic() + 20
            while not any("draining" in line for line in server.log):
                self.assertLess(time.monotonic(), deadline)
                time.sleep(0.05)
            self.assertIn("drains", doctor(server.grpc, status=1)["server.ready"]["message"])
            server.terminate()  # the second ends it
            self.assertEqual(server.process.wait(timeout=20), 1)
            server.stop = lambda: 0

    def test_a_bundle_that_is_refused_is_told_with_its_reason(self):
        with tempfile.TemporaryDirectory() as folder:
            repository = pathlib.Path(folder)
            shutil.copytree(BUNDLE, repository / "good" / "1")
            shutil.copytree(BUNDLE, repository / "bad" / "1")
            weights = next((repository / "bad" / "1").glob("*.safetensors"))
            data = bytearray(weights.read_bytes())
            data[-1] ^= 1
            weights.write_bytes(data)
            with ServerProcess(repository) as server:
                done = subprocess.run([program("octet"), "doctor", server.grpc],
                                      capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual(done.returncode, 1)
                self.assertRegex(done.stdout, r"server.models: bad version 1 is ")
                self.assertIn("1 of 2 versions are ready", done.stdout)

    def test_nobody_there(self):
        with socket.create_server(("127.0.0.1", 0)) as listener:
            port = listener.getsockname()[1]
        found = doctor(f"127.0.0.1:{port}", status=1)
        self.assertIn("start the server", found["server.connection"]["advice"])
        found = doctor("no-such-host.invalid:8001", "--timeout-ms=2000", status=1)
        self.assertIn("DNS", found["server.connection"]["advice"])
        doctor("unix:/nowhere/socket", status=1)
        doctor("127.0.0.1:", status=1)

    def test_what_is_no_server_of_ours(self):
        for answer, check in ((b"\x15\x03\x01\x00\x02\x02\x46", "server.tls"),
                              (b"HTTP/1.1 400 Bad Request\r\n\r\n", "server.protocol"),
                              (b"SSH-2.0-OpenSSH_9\r\n", "server.protocol"), (b"", "server.tls")):
            with self.subTest(answer=answer), answering(answer) as address:
                self.assertEqual(doctor(address, status=1)[check]["severity"], "error")

    def test_silence_and_a_server_that_stops_halfway_end_in_time(self):
        for answer in (b"", b"\0\0\0\4\0\0\0\0\0"):
            with self.subTest(answer=answer), answering(answer, closes=False) as address:
                started = time.monotonic()
                doctor(address, "--timeout-ms=500", status=1)
                self.assertLess(time.monotonic() - started, 20)


class DoctorBundleTest(unittest.TestCase):
    def test_a_bundle_that_is_well(self):
        found = doctor(str(BUNDLE), status=0)
        self.assertEqual(set(found), {"bundle.read", "bundle.kernels", "bundle.memory",
                                      "bundle.self_test"})

    def test_a_damaged_one_and_none(self):
        with tempfile.TemporaryDirectory() as folder:
            bundle = pathlib.Path(folder) / "1"
            shutil.copytree(BUNDLE, bundle)
            weights = next(bundle.glob("*.safetensors"))
            weights.write_bytes(weights.read_bytes()[:-1])
            self.assertIn("copy it again", doctor(str(bundle), status=1)["bundle.read"]["advice"])
        self.assertIn("folder", doctor("/nowhere", status=1)["bundle.read"]["advice"])


class DoctorHostTest(unittest.TestCase):
    def test_it_looks_at_everything(self):
        found = doctor("host", status=0)
        self.assertLessEqual({"cpu.model", "cpu.kernels", "cpu.quota", "memory.available",
                              "memory.swap", "limits.descriptors", "ports.8000", "ports.8001",
                              "ports.8002"}, set(found))

    def test_a_forced_kernel_set_that_there_is_not(self):
        found = doctor(status=1, env={"OCTET_KERNEL_SET": "abacus"})
        self.assertIn("abacus", found["cpu.forced_kernels"]["message"])

    def test_few_descriptors(self):
        command = ["bash", "-c", f"ulimit -n 256; {program('octet')} doctor host"]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertRegex(done.stdout, r"warning +limits.descriptors: at most 256")

    def test_wrong_use_is_status_2(self):
        for arguments in (["host", "more"], ["--timeout-ms", "-1"], ["--nothing"]):
            done = subprocess.run([program("octet"), "doctor", *arguments], capture_output=True,
                                  text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 2, done)


if __name__ == "__main__":
    unittest.main(argv=sys.argv, verbosity=2)
