# SPDX-License-Identifier: Apache-2.0
"""The servers that Octet is measured beside, each as setup.sh installed it.

Each is a servers.Server: `name`, `models` (the names of those that it serves), `start()`, which
returns once all of them are ready, `stop()`, `grpc_address`, `http_address` ("" where HTTP is off),
`start_seconds`, `cpu_seconds()`, `memory()`, `log()`. Octet itself is servers.Octet, on
make_models.make_repository(), the bare echo servers.Echo. Models that compute run on ONNX Runtime
with one thread in each peer.
"""
import json
import pathlib
import shutil

from peers import served_models
from peers.served_models import ServedModel
from servers import Server, free_port

HERE = pathlib.Path(__file__).resolve().parent
SERVING = pathlib.Path("build/peers/serving").absolute()
TRITON_MODEL = """name: "{name}"
backend: "octetbench"
max_batch_size: {max_batch}
input [ {{ name: "x" data_type: TYPE_FP32 dims: {input_dims} }} ]
output [ {{ name: "y" data_type: TYPE_FP32 dims: {output_dims} }} ]
instance_group [ {{ kind: KIND_CPU count: {instances} }} ]
dynamic_batching {{ }}
"""


class _Peer(Server):
    """One that setup.sh installs into an environment of its own; `onnx` is the folder of the
    models' files."""
    venv = ""

    def __init__(self, onnx: pathlib.Path, models: tuple[ServedModel, ...]):
        super().__init__()
        self.served = models
        self.models = frozenset(model.name for model in models)
        self._venv = SERVING / self.venv
        self._onnx = onnx.absolute()

    def is_installed(self) -> bool:
        return (self._venv / ".complete").exists()

    def _path(self, model: ServedModel) -> str:
        return "" if model.is_identity else str(self._onnx / f"{model.name}.onnx")

    def _ports(self) -> tuple[int, int]:
        """Of gRPC and HTTP; sets their addresses."""
        grpc, http = free_port(), free_port()
        self.grpc_address, self.http_address = f"127.0.0.1:{grpc}", f"127.0.0.1:{http}"
        return grpc, http

    def _new_folder(self) -> pathlib.Path:
        """An empty one of this server's, for its models' configuration."""
        folder = SERVING / f"{self.name}-models"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        return folder


class Triton(_Peer):
    """tritonserver of the nvidia-pytriton wheel, with triton_backend.cc. `instances` of each model
    compute at once, each a batch. Metrics cost it threads and memory, and are off; so is HTTP unless
    wanted."""
    name = "triton"
    venv = "triton"

    def __init__(self, built: pathlib.Path, onnx: pathlib.Path,
                 models: tuple[ServedModel, ...] = served_models.SMALL, instances: int = 1,
                 has_http: bool = False):
        super().__init__(onnx, models)
        self._backend = built / "tests/bench/server/libtriton_octetbench.so"
        self._instances = instances
        self._has_http = has_http

    def is_installed(self) -> bool:
        return super().is_installed() and self._backend.exists()

    def _packages(self) -> pathlib.Path:
        return next(self._venv.glob("lib/python3*/site-packages"))

    def _write_model(self, model: ServedModel, folder: pathlib.Path) -> None:
        (folder / "1").mkdir(parents=True)
        config = TRITON_MODEL.format(
            name=model.name, max_batch=model.max_batch, input_dims=list(model.input_dims),
            output_dims=list(model.output_dims), instances=self._instances)
        if not model.is_identity:
            config += ('parameters { key: "onnx" value { string_value: '
                       f'"{self._path(model)}" }} }}\n')
        (folder / "config.pbtxt").write_text(config)

    def command(self) -> list:
        repository, backends = self._new_folder(), SERVING / "triton-backends"
        for model in self.served:
            self._write_model(model, repository / model.name)
        (backends / "octetbench").mkdir(parents=True, exist_ok=True)
        shutil.copy(self._backend, backends / "octetbench")
        grpc, http = self._ports()
        flags = ["--allow-http=true", "--http-address=127.0.0.1", f"--http-port={http}"]
        if not self._has_http:
            flags, self.http_address = ["--allow-http=false"], ""
        return [self._packages() / "pytriton/tritonserver/bin/tritonserver",
                f"--model-repository={repository}", f"--backend-directory={backends}",
                "--grpc-address=127.0.0.1", f"--grpc-port={grpc}", *flags,
                "--allow-metrics=false", "--disable-auto-complete-config"]

    def environment(self) -> dict[str, str]:
        return {"LD_LIBRARY_PATH": str(self._packages() / "nvidia_pytriton.libs")}


class _PythonServer(_Peer):
    """One that takes its models from a variable."""

    def __init__(self, onnx: pathlib.Path,
                 models: tuple[ServedModel, ...] = served_models.SMALL):
        super().__init__(onnx, models)

    def environment(self) -> dict[str, str]:
        paths = {model.name: self._path(model) for model in self.served}
        return {"OCTET_BENCH_MODELS": json.dumps(paths)}


class KServe(_PythonServer):
    """KServe's own model server for Python."""
    name = "kserve"
    venv = "kserve"

    def command(self) -> list:
        grpc, http = self._ports()
        return [self._venv / "bin/python", HERE / "kserve_server.py", f"--http_port={http}",
                f"--grpc_port={grpc}"]


class MLServer(_PythonServer):
    """Seldon's; without `workers` it computes in the server's own process, where it is faster than
    with its default of one worker process."""
    venv = "mlserver"

    def __init__(self, onnx: pathlib.Path,
                 models: tuple[ServedModel, ...] = served_models.SMALL, workers: int = 0):
        self.name = "mlserver-worker" if workers else "mlserver"
        self._workers = workers
        super().__init__(onnx, models)

    def command(self) -> list:
        folder = self._new_folder()
        grpc, http = self._ports()
        settings = {"host": "127.0.0.1", "http_port": http, "grpc_port": grpc,
                    "metrics_port": free_port(), "parallel_workers": self._workers, "debug": False,
                    "environments_dir": str(folder / ".environments"),
                    "grpc_max_message_length": 64 << 20}
        (folder / "settings.json").write_text(json.dumps(settings))
        for model in self.served:
            runtime = "IdentityModel" if model.is_identity else "OnnxModel"
            (folder / model.name).mkdir()
            (folder / model.name / "model-settings.json").write_text(json.dumps(
                {"name": model.name, "implementation": f"mlserver_models.{runtime}"}))
        return [self._venv / "bin/mlserver", "start", folder]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PYTHONPATH": str(HERE)}


def available(built: pathlib.Path, onnx: pathlib.Path,
              models: tuple[ServedModel, ...] = served_models.SMALL) -> list[Server]:
    """Those that are installed, not started; `onnx` is the folder of make_models.make_onnx()."""
    servers = [Triton(built, onnx, models), KServe(onnx, models), MLServer(onnx, models)]
    return [server for server in servers if server.is_installed()]


def missing(built: pathlib.Path) -> list[str]:
    """The names of those that are not installed."""
    servers = [Triton(built, SERVING), KServe(SERVING), MLServer(SERVING)]
    return [server.name for server in servers if not server.is_installed()]
