# SPDX-License-Identifier: Apache-2.0
"""What the server holds stays the same over loads and unloads, of small and of large models, while
another model answers; and large requests do not cost it new pages each.

OCTET_RELOADS is how many loads and unloads of each model, 60 unless given.
"""

import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
import onnx
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ZOO, ServerProcess, program

RELOADS = int(os.environ.get("OCTET_RELOADS", "60"))
MIB = 1 << 20
PAGE = os.sysconf("SC_PAGESIZE")
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")[:4]
LARGE = (2048, 4096)  # 32 MiB of weights
REQUEST_BYTES = 3 * 224 * 224 * 4


def wait_for(condition, seconds: float = 120) -> None:
    stop_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop_at, "it did not come about in time"
        time.sleep(0.01)


def is_ready(client, model: str) -> bool:
    try:
        return client.is_model_ready(model)
    except InferenceServerException:  # nobody has heard of it
        return False


class Usage:
    """What the server holds at a moment."""

    def __init__(self, server: ServerProcess):
        process = pathlib.Path(f"/proc/{server.process.pid}")
        sizes = dict(line.split(":", 1) for line in
                     (process / "smaps_rollup").read_text().splitlines()[1:])
        self.memory = int(sizes["Rss"].split()[0]) * 1024
        self.threads = len(list((process / "task").iterdir()))
        self.descriptors = len(list((process / "fd").iterdir()))

    def __str__(self) -> str:
        return f"{self.memory / MIB:.1f} MiB, {self.threads} threads, {self.descriptors} descriptors"


def minor_faults(server: ServerProcess) -> int:
    stat = pathlib.Path(f"/proc/{server.process.pid}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[7])


def save_large(path: pathlib.Path) -> None:
    rows, columns = LARGE
    weights = np.random.default_rng(1).standard_normal((rows, columns), np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])], "large",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", rows])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", columns])],
        [numpy_helper.from_array(weights, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


class MemoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        cls.sources = pathlib.Path(folder.name)
        save_large(cls.sources / "large.onnx")
        subprocess.run([program("octet"), "import", cls.sources / "large.onnx", "--output",
                        cls.sources / "large"], check=True, capture_output=True, timeout=300)
        shutil.copytree(ZOO / "repository/digits-int8/1", cls.sources / "small")

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "repository"
        shutil.copytree(ZOO / "repository/digits-mlp-fp32/1", self.root / "other/1")

    def ask(self, client, model: str, shape, values=None):
        metadata = client.get_model_metadata(model)
        x = triton.InferInput(metadata.inputs[0].name, shape, "FP32")
        x.set_data_from_numpy(np.zeros(shape, np.float32) if values is None else values)
        return client.infer(model, [x]).as_numpy(metadata.outputs[0].name)

    def ask_all_along(self, server: ServerProcess, ends: threading.Event, failures: list) -> None:
        values = IMAGES.reshape(4, 64)
        with triton.InferenceServerClient(server.grpc) as client:
            wanted = self.ask(client, "other", [4, 64], values)
            while not ends.is_set():
                try:
                    if not np.allclose(self.ask(client, "other", [4, 64], values), wanted, atol=1e-5):
                        failures.append("a wrong answer")
                except Exception as error:  # whatever it is, it is a failure
                    failures.append(repr(error))
                time.sleep(0.005)

    def assert_flat(self, name: str, samples: list[Usage], spare: int) -> None:
        """The last third holds as much as the second: the first fills the allocator's arenas."""
        third = len(samples) // 3
        before, after = samples[third:2 * third], samples[2 * third:]
        print(f"{name}: {len(samples)} loads and unloads; first {samples[0]}; "
              f"a third {samples[third]}; last {samples[-1]}")
        for what, most in (("memory", spare), ("threads", 4), ("descriptors", 8)):
            self.assertLessEqual(min(getattr(usage, what) for usage in after),
                                 max(getattr(usage, what) for usage in before) + most, what)
        grown = np.median([usage.memory for usage in after]) - np.median(
            [usage.memory for usage in before])
        self.assertLess(grown, spare)

    def load_and_unload(self, source: str, shape, by_folder: bool, spare: int) -> None:
        arguments = ("--tune-budget", "0", "--repository-poll", "50ms" if by_folder else "0")
        with ServerProcess(self.root, *arguments) as server, \
                triton.InferenceServerClient(server.grpc) as client:
            ends, failures, samples = threading.Event(), [], []
            asking = threading.Thread(target=self.ask_all_along, args=(server, ends, failures))
            asking.start()
            try:
                if not by_folder:
                    shutil.copytree(self.sources / source, self.root / "model/1")
                for _ in range(RELOADS):
                    self.load(client, source, by_folder)
                    self.ask(client, "model", shape)
                    self.unload(client, by_folder)
                    samples.append(Usage(server))
            finally:
                ends.set()
                asking.join()
            self.assertEqual(failures, [])
            self.assert_flat(f"{source}, {'watched' if by_folder else 'asked for'}", samples, spare)

    def load(self, client, source: str, by_folder: bool) -> None:
        if not by_folder:
            client.load_model("model")
            return
        shutil.copytree(self.sources / source, self.root / ".model/1")
        (self.root / ".model").rename(self.root / "model")
        wait_for(lambda: is_ready(client, "model"))

    def unload(self, client, by_folder: bool) -> None:
        if not by_folder:
            client.unload_model("model")
            return
        shutil.rmtree(self.root / "model")
        wait_for(lambda: not is_ready(client, "model"))

    def test_small_models_asked_for(self):
        self.load_and_unload("small", [4, 8, 8, 1], by_folder=False, spare=2 * MIB)

    def test_small_models_watched(self):
        self.load_and_unload("small", [4, 8, 8, 1], by_folder=True, spare=2 * MIB)

    def test_large_models_asked_for(self):
        self.load_and_unload("large", [1, LARGE[0]], by_folder=False, spare=8 * MIB)

    def test_large_requests_need_no_new_pages(self):
        rows = REQUEST_BYTES // 256
        values = np.resize(IMAGES.reshape(4, 64), (rows, 64))
        with ServerProcess(self.root, "--tune-budget", "0") as server:
            for protocol, name in ((triton, "grpc"), (triton_http, "http")):
                with protocol.InferenceServerClient(getattr(server, name)) as client:
                    x = protocol.InferInput(self.input_name(server), [rows, 64], "FP32")
                    x.set_data_from_numpy(values)
                    for _ in range(50):
                        client.infer("other", [x])
                    before = minor_faults(server)
                    for _ in range(100):
                        client.infer("other", [x])
                    faults = (minor_faults(server) - before) / 100
                print(f"{name}: {faults:.1f} page faults a request of {REQUEST_BYTES} bytes")
                # Fewer than half of what one copy in new pages would cost.
                self.assertLess(faults, REQUEST_BYTES / PAGE / 2)

    def input_name(self, server: ServerProcess) -> str:
        with triton.InferenceServerClient(server.grpc) as client:
            return client.get_model_metadata("other").inputs[0].name


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
