# SPDX-License-Identifier: Apache-2.0
"""The servers that Octet is measured beside, each as setup.sh installed it. All of them serve
identity16, identity_img and digits_mlp, the last on ONNX Runtime with one thread."""
import pathlib
import shutil
import sys

from servers import Server, free_port

HERE = pathlib.Path(__file__).parent
SERVING = pathlib.Path("build/peers/serving").absolute()
MODELS = frozenset({"identity16", "identity_img", "digits_mlp"})
TRITON_MODEL = """name: "{name}"
backend: "octetbench"
max_batch_size: {max_batch}
input [ {{ name: "x" data_type: TYPE_FP32 dims: [ {input} ] }} ]
output [ {{ name: "y" data_type: TYPE_FP32 dims: [ {output} ] }} ]
instance_group [ {{ kind: KIND_CPU count: 1 }} ]
dynamic_batching {{ }}
"""


class Triton(Server):
    """tritonserver of the nvidia-pytriton wheel, with triton_backend.cc."""
    name = "triton"
    models = MODELS

    def __init__(self, built: pathlib.Path, onnx: pathlib.Path):
        super().__init__()
        self._venv = SERVING / "triton"
        self._backend = built / "tests/bench/server/libtriton_octetbench.so"
        self._onnx = onnx

    def is_installed(self) -> bool:
        return (self._venv / ".complete").exists() and self._backend.exists()

    def _packages(self) -> pathlib.Path:
        return next(self._venv.glob("lib/python3*/site-packages"))

    def _write_repository(self, folder: pathlib.Path) -> None:
        shutil.rmtree(folder, ignore_errors=True)
        for name, max_batch, input_, output in (("identity16", 64, "16", "16"),
                                                ("identity_img", 8, "3, 224, 224", "3, 224, 224"),
                                                ("digits_mlp", 64, "64", "10")):
            (folder / name / "1").mkdir(parents=True)
            config = TRITON_MODEL.format(name=name, max_batch=max_batch, input=input_,
                                         output=output)
            if name == "digits_mlp":
                path = (self._onnx / "digits_mlp.onnx").absolute()
                config += f'parameters {{ key: "onnx" value {{ string_value: "{path}" }} }}\n'
            (folder / name / "config.pbtxt").write_text(config)

    def command(self) -> list:
        repository, backends = SERVING / "triton-models", SERVING / "triton-backends"
        self._write_repository(repository)
        (backends / "octetbench").mkdir(parents=True, exist_ok=True)
        shutil.copy(self._backend, backends / "octetbench")
        port = free_port()
        self.grpc_address = f"127.0.0.1:{port}"
        return [self._packages() / "pytriton/tritonserver/bin/tritonserver",
                f"--model-repository={repository}", f"--backend-directory={backends}",
                "--grpc-address=127.0.0.1", f"--grpc-port={port}", "--allow-http=false",
                "--allow-metrics=false", "--disable-auto-complete-config"]

    def environment(self) -> dict[str, str]:
        # Its program is linked with the library of the Python that the wheel was made for.
        return {"LD_LIBRARY_PATH": f"{self._packages() / 'nvidia_pytriton.libs'}:"
                                   f"{pathlib.Path(sys.executable).resolve().parents[1] / 'lib'}"}


class _PythonServer(Server):
    """One that runs in an environment of its own, and is told its ports and models by variables."""
    models = MODELS
    venv = ""

    def __init__(self, onnx: pathlib.Path):
        super().__init__()
        self._venv = SERVING / self.venv
        self._onnx = onnx

    def is_installed(self) -> bool:
        return (self._venv / ".complete").exists()

    def environment(self) -> dict[str, str]:
        return {"OCTET_BENCH_ONNX": str((self._onnx / "digits_mlp.onnx").absolute())}


class KServe(_PythonServer):
    """KServe's own model server for Python."""
    name = "kserve"
    venv = "kserve"

    def command(self) -> list:
        grpc_port = free_port()
        self.grpc_address = f"127.0.0.1:{grpc_port}"
        return [self._venv / "bin/python", HERE / "kserve_server.py",
                f"--http_port={free_port()}", f"--grpc_port={grpc_port}"]


class MLServer(_PythonServer):
    """Seldon's; `workers` 0: in the server's process, where it is faster than by default."""
    name = "mlserver"
    venv = "mlserver"

    def command(self) -> list:
        folder = SERVING / "mlserver-models"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        grpc_port = free_port()
        self.grpc_address = f"127.0.0.1:{grpc_port}"
        (folder / "settings.json").write_text(
            f'{{"host": "127.0.0.1", "http_port": {free_port()}, "grpc_port": {grpc_port}, '
            f'"metrics_port": {free_port()}, "parallel_workers": 0, "debug": false, '
            f'"grpc_max_message_length": 67108864}}')
        for name in MODELS:
            runtime = "OnnxModel" if name == "digits_mlp" else "IdentityModel"
            (folder / name).mkdir()
            (folder / name / "model-settings.json").write_text(
                f'{{"name": "{name}", "implementation": "mlserver_models.{runtime}"}}')
        return [self._venv / "bin/mlserver", "start", folder]

    def environment(self) -> dict[str, str]:
        return super().environment() | {"PYTHONPATH": str(HERE)}


def available(built: pathlib.Path, onnx: pathlib.Path) -> list[Server]:
    """Those that are installed, not started; `onnx` is the folder of digits_mlp.onnx."""
    servers = [Triton(built, onnx), KServe(onnx), MLServer(onnx)]
    return [server for server in servers if server.is_installed()]
