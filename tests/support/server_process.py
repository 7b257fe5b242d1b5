# SPDX-License-Identifier: Apache-2.0
"""A real octet-server on free ports, for integration tests."""

import os
import pathlib
import signal
import subprocess
import threading

ROOT = pathlib.Path(__file__).resolve().parents[2]
ZOO = ROOT / "models" / "zoo"


def program(name: str) -> str:
    return str(pathlib.Path(os.environ["OCTET_BIN_DIR"]) / name)


class ServerProcess:
    """Ready when constructed; `grpc`, `http` and `metrics` are its addresses, HOST:PORT."""

    def __init__(self, repository=ZOO / "repository", *arguments: str, under: tuple = ()):
        """`under`: a command that runs the server's, such as taskset."""
        command = [*under, program("octet-server"), "--model-repository", str(repository)]
        for flag in ("--grpc-address", "--http-address", "--metrics-address"):
            command += [flag, "127.0.0.1:0"]
        self.process = subprocess.Popen(
            [*command, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        self.log: list[str] = []
        # Read all along, so that a full pipe never stops the server.
        self._reader = threading.Thread(target=self._read_log, daemon=True)
        self._reader.start()
        addresses = self._await_ready()
        self.grpc = addresses["grpc"]
        self.http = addresses["http"]
        self.metrics = addresses["metrics"]
        threading.Thread(target=self.process.stdout.read, daemon=True).start()

    def _read_log(self) -> None:
        for line in self.process.stderr:
            self.log.append(line)

    def _await_ready(self) -> dict[str, str]:
        for line in self.process.stdout:
            if line.startswith("octet-server ready "):
                return dict(word.split("=", 1) for word in line.split()[2:])
        self.process.wait(timeout=10)
        self._reader.join(timeout=5)
        raise AssertionError(f"the server ended before it was ready:\n{''.join(self.log)}")

    def terminate(self) -> None:
        self.process.send_signal(signal.SIGTERM)

    def stop(self) -> int:
        """Drains it; its exit status."""
        if self.process.poll() is None:
            self.terminate()
        try:
            status = self.process.wait(timeout=30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise
        self._reader.join(timeout=5)
        return status

    def __enter__(self) -> "ServerProcess":
        return self

    def __exit__(self, kind, value, trace) -> None:
        if kind is not None:
            print("".join(self.log))
            self.process.kill()
        status = self.stop()
        if kind is None:
            assert status == 0, f"exit status {status}:\n{''.join(self.log)}"
