# SPDX-License-Identifier: Apache-2.0
"""Servers as processes: started on ports of their own, watched while they work, and ended."""
import os
import pathlib
import re
import signal
import socket
import subprocess
import tempfile
import time

import grpc

from measuring import Failed

READY_SECONDS = 300
POLL_SECONDS = 0.002
STOP_SECONDS = 30
LOGS = pathlib.Path("build/peers/serving/logs").absolute()  # each server's last one
_TICKS = os.sysconf("SC_CLK_TCK")


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def _stat(pid: int) -> list[str]:
    """The fields of /proc/PID/stat behind the name; empty if the process has ended."""
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _tree(root: int) -> list[int]:
    """`root` and all processes that come from it."""
    parents = {}
    for entry in pathlib.Path("/proc").iterdir():
        if entry.name.isdigit() and (stat := _stat(int(entry.name))):
            parents[int(entry.name)] = int(stat[1])
    tree = [root]
    for pid in tree:
        tree += [child for child, parent in parents.items() if parent == pid]
    return tree


class Server:
    """A server that is started, polled until it is ready, and stopped. As a context: started."""
    name = "server"
    models: frozenset[str] = frozenset()

    def __init__(self):
        self.grpc_address = ""
        self.http_address = ""  # empty if it has none
        self.start_seconds = 0.0  # from its start until it said that it is ready
        self._process = None
        self._log = None

    def command(self) -> list:
        """What starts it; sets grpc_address, and http_address if it has one."""
        raise NotImplementedError

    def environment(self) -> dict[str, str]:
        """What differs from this process's own."""
        return {}

    def is_ready(self) -> bool:
        """Asked over and over, from the start on."""
        return all(_is_model_ready(self.grpc_address, model) for model in self.models)

    def start(self) -> None:
        """Returns once it is ready."""
        command = self.command()
        LOGS.mkdir(parents=True, exist_ok=True)
        self._log = (LOGS / f"{self.name.replace(' ', '-')}.log").open("w")
        begin = time.monotonic()
        self._process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=self._log, stderr=subprocess.STDOUT,
            env=os.environ | self.environment(), start_new_session=True)
        while not self.is_ready():
            if self._process.poll() is not None:
                raise Failed(f"{self.name} ended with status {self._process.returncode}:\n"
                             f"{self.log()[-2000:]}")
            if time.monotonic() - begin > READY_SECONDS:
                self.stop()
                raise Failed(f"{self.name} was not ready in {READY_SECONDS} s")
            time.sleep(POLL_SECONDS)
        self.start_seconds = time.monotonic() - begin

    def stop(self) -> None:
        if self._process is None:
            return
        try:
            os.killpg(self._process.pid, signal.SIGTERM)
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
        except ProcessLookupError:
            pass
        self._process.stdin.close()
        self._log.close()
        self._process = None

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    def log(self) -> str:
        """Also after it was stopped."""
        return pathlib.Path(self._log.name).read_text(errors="replace")

    @property
    def pid(self) -> int:
        return self._process.pid

    def cpu_seconds(self) -> float:
        """Of all its processes and threads since its start."""
        stats = [_stat(pid) for pid in _tree(self.pid)]
        return sum(int(stat[11]) + int(stat[12]) for stat in stats if stat) / _TICKS

    def memory(self) -> dict[str, int]:
        """Of all its processes: `rss` and `pss` in bytes (memory that they share counts once in
        `pss`), `processes` and `threads`."""
        rss = pss = threads = processes = 0
        for pid in _tree(self.pid):
            try:
                rollup = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            rss += int(re.search(r"^Rss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) * 1024
            pss += int(re.search(r"^Pss:\s+(\d+) kB", rollup, re.MULTILINE)[1]) * 1024
            threads += int(_stat(pid)[17])
            processes += 1
        return {"rss": rss, "pss": pss, "threads": threads, "processes": processes}


def _is_model_ready(address: str, model: str) -> bool:
    host, _, port = address.rpartition(":")
    with socket.socket() as probe:  # a channel would wait before it tries once more
        if probe.connect_ex((host, int(port))) != 0:
            return False
    name = model.encode()
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary("/inference.GRPCInferenceService/ModelReady")
        try:
            return call(b"\x0a" + bytes([len(name)]) + name, timeout=0.5)[:2] == b"\x08\x01"
        except grpc.RpcError:
            return False


class Octet(Server):
    """octet-server on a repository, with more of its configuration file if wanted."""

    def __init__(self, built: pathlib.Path, repository: pathlib.Path, name: str = "octet",
                 configuration: str = "", cgroup: pathlib.Path | None = None):
        super().__init__()
        self.name = name
        self._program = built / "bin/octet-server"
        self._repository = repository
        self.models = frozenset(path.parent.name for path in repository.glob("*/1"))
        self._configuration = configuration
        self._cgroup = cgroup
        self._file = None

    def command(self) -> list:
        flags = []
        if self._configuration:
            self._file = tempfile.NamedTemporaryFile("w", suffix=".yaml")
            self._file.write(self._configuration)
            self._file.flush()
            flags = ["--config", self._file.name]
        command = [self._program, "--model-repository", self._repository, "--grpc-address",
                   "127.0.0.1:0", "--http-address", "127.0.0.1:0", "--metrics-address",
                   "127.0.0.1:0", *flags]
        if self._cgroup is None:
            return command
        return ["sh", "-c", f'echo $$ > {self._cgroup}/cgroup.procs && exec "$@"', "sh", *command]

    def is_ready(self) -> bool:
        found = re.search(r"^octet-server ready grpc=(\S+) http=(\S+)", self.log(), re.MULTILINE)
        if found:
            self.grpc_address, self.http_address = found.groups()
        return found is not None

    def await_idle(self) -> None:
        """Until it has measured what it measures when it is idle."""
        deadline = time.monotonic() + READY_SECONDS
        used = self.cpu_seconds()
        while time.monotonic() < deadline:
            time.sleep(1)
            before, used = used, self.cpu_seconds()
            if used - before < 0.02:
                return
        raise Failed(f"{self.name} was not idle in {READY_SECONDS} s")


class Echo(Server):
    """The bare gRPC echo: what no server can beat."""
    name = "echo"

    def __init__(self, built: pathlib.Path):
        super().__init__()
        self._program = built / "tests/bench/server/echo_server"

    def command(self) -> list:
        return [self._program, "127.0.0.1:0", str(os.cpu_count())]

    def is_ready(self) -> bool:
        found = re.search(r"^ready (\d+)$", self.log(), re.MULTILINE)
        if found:
            self.grpc_address = f"127.0.0.1:{found[1]}"
        return found is not None
