# SPDX-License-Identifier: Apache-2.0
"""A running server follows its model repository, and clients with NVIDIA's tritonclient load and
unload: no request fails, none is answered by another model, and memory comes back."""

import itertools
import os
import pathlib
import re
import shutil
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")[:4]
PRECISIONS = ("fp32", "int8", "int8-static", "int4")


def wait_for(condition, seconds: float = 120) -> None:
    stop_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < stop_at, "it did not come about in time"
        time.sleep(0.02)


def resident_bytes(server: ServerProcess) -> int:
    status = pathlib.Path(f"/proc/{server.process.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+) kB", status)[1]) * 1024


class ReloadTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.root = pathlib.Path(folder.name) / "repository"
        self.put("digits-fp32", "digits/1")
        self.put("digits-mlp-fp32", "other/1")

    def put(self, zoo_model: str, place: str) -> None:
        shutil.copytree(ZOO / "repository" / zoo_model / "1", self.root / place)

    def serve(self, *arguments: str) -> ServerProcess:
        return ServerProcess(self.root, *arguments)

    def client(self, server: ServerProcess) -> triton.InferenceServerClient:
        client = triton.InferenceServerClient(server.grpc)
        self.addCleanup(client.close)
        return client

    def index(self, client) -> dict[tuple[str, str], tuple[str, str]]:
        return {(m.name, m.version): (m.state, m.reason)
                for m in client.get_model_repository_index().models}

    def state(self, client, name: str, version: str) -> str:
        return self.index(client).get((name, version), ("", ""))[0]

    def ask(self, client, model: str = "digits", version: str = "") -> tuple[str, np.ndarray]:
        metadata = client.get_model_metadata(model, version)
        shape = [4, 64] if model == "other" else [4, 8, 8, 1]
        x = triton.InferInput(metadata.inputs[0].name, shape, "FP32")
        x.set_data_from_numpy(IMAGES.reshape(shape))
        result = client.infer(model, [x], model_version=version)
        return (result.get_response().model_version,
                result.as_numpy(metadata.outputs[0].name))

    def test_versions_come_change_and_go(self):
        with self.serve() as server:
            client = self.client(server)
            version, first = self.ask(client)
            self.assertEqual(version, "1")
            # In the worst order, and slowly: the manifest first.
            source = ZOO / "repository" / "digits-int4" / "1"
            (self.root / "digits/2").mkdir()
            for name in sorted(os.listdir(source), key=lambda name: name != "manifest.json"):
                shutil.copy(source / name, self.root / "digits/2" / name)
                self.assertIn(self.ask(client)[0], "1" if name == "manifest.json" else "12")
                time.sleep(0.1)
            wait_for(lambda: self.ask(client)[0] == "2")
            self.assertEqual(self.state(client, "digits", "2"), "READY")
            # Over what is served, file by file.
            for name in os.listdir(ZOO / "repository/digits-int8/1"):
                shutil.copy(ZOO / "repository/digits-int8/1" / name, self.root / "digits/2" / name)
                self.ask(client)
            wait_for(lambda: client.get_model_config("digits", "2").config
                     .parameters["precision"].string_value == "int8-dynamic")
            # Cut short while it is served.
            (self.root / "digits/2/weights.safetensors").write_bytes(b"")
            wait_for(lambda: "serves as it was" in self.index(client)[("digits", "2")][1])
            self.assertEqual(self.ask(client)[0], "2")
            wait_for(lambda: "not whole yet" not in self.index(client)[("digits", "2")][1])
            self.assertEqual(self.ask(client)[0], "2")
            shutil.rmtree(self.root / "digits/2")
            wait_for(lambda: self.ask(client)[0] == "1")
            np.testing.assert_array_equal(self.ask(client)[1], first)
            wait_for(lambda: self.state(client, "digits", "2") == "")

    def test_a_server_without_models_serves_the_first_that_comes(self):
        shutil.rmtree(self.root)
        self.root.mkdir()
        with self.serve() as server:
            client = self.client(server)
            self.assertFalse(client.is_server_ready())
            self.put("digits-int8", "digits/1")
            wait_for(client.is_server_ready)
            self.assertEqual(self.ask(client)[0], "1")

    def test_nothing_is_watched_where_it_is_off(self):
        with self.serve("--repository-poll", "0") as server:
            client = self.client(server)
            self.put("digits-int8", "digits/2")
            names = {(task / "comm").read_text().strip() for task in
                     pathlib.Path(f"/proc/{server.process.pid}/task").iterdir()}
            self.assertNotIn("watch", names)
            self.assertEqual(self.ask(client)[0], "1")
            client.load_model("digits")
            self.assertEqual(self.ask(client)[0], "2")

    def test_a_hundred_reloads_fail_and_mislead_no_request(self):
        with self.serve("--tune-budget", "5s") as server:
            wanted = {}
            client = self.client(server)
            for precision in PRECISIONS:
                shutil.rmtree(self.root / "digits")
                self.put(f"digits-{precision}", "digits/1")
                client.load_model("digits")
                wanted[precision] = self.ask(client)[1]
            wanted_other = self.ask(client, "other")[1]
            ends = threading.Event()
            answers, failures = itertools.count(), []

            def send():
                mine = triton.InferenceServerClient(server.grpc)
                while not ends.is_set():
                    try:
                        scores = self.ask(mine)[1]
                        # Of float kernels the last bits depend on the batch they ran in.
                        if not any(np.allclose(scores, right, atol=1e-5)
                                   for right in wanted.values()):
                            failures.append("an answer of no version")
                        if not np.allclose(self.ask(mine, "other")[1], wanted_other, atol=1e-5):
                            failures.append("another model's answer")
                        next(answers)
                        next(answers)
                    except Exception as error:  # whatever it is, it is a failure
                        failures.append(repr(error))
                mine.close()

            senders = [threading.Thread(target=send) for _ in range(3)]
            for sender in senders:
                sender.start()
            version = 1
            for reload in range(100):
                source = ZOO / "repository" / f"digits-{PRECISIONS[reload % 4]}" / "1"
                place = self.root / "digits" / str(version + 1)
                shutil.copytree(source, place.with_name(f".{place.name}"))
                place.with_name(f".{place.name}").rename(place)
                wait_for(lambda: self.state(client, "digits", str(version + 1)) == "READY")
                shutil.rmtree(self.root / "digits" / str(version))
                version += 1
            ends.set()
            for sender in senders:
                sender.join()
            wait_for(lambda: [v for name, v in self.index(client) if name == "digits"]
                     == [str(version)])
            print(f"100 reloads, {next(answers)} answers, {len(failures)} failed or misled")
            self.assertEqual(failures, [])

    def test_clients_load_and_unload(self):
        with self.serve() as server:
            client = self.client(server)
            self.assertIn("model_repository", client.get_server_metadata().extensions)
            client.unload_model("digits")
            self.assertEqual(self.state(client, "digits", "1"), "UNAVAILABLE")
            self.assertFalse(client.is_model_ready("digits"))
            with self.assertRaisesRegex(InferenceServerException, "RepositoryModelLoad loads it"):
                self.ask(client)
            self.ask(client, "other")
            client.load_model("digits")
            self.assertEqual(self.ask(client)[0], "1")
            for name, wanted in (("nobody", "is not in the model repository"),
                                 ("../etc", "model_name is"), ("", "model_name is")):
                with self.assertRaisesRegex(InferenceServerException, wanted):
                    client.load_model(name)
                with self.assertRaisesRegex(InferenceServerException, wanted):
                    client.unload_model(name)
            with self.assertRaisesRegex(InferenceServerException, '"config" is not taken'):
                client.load_model("digits", config="{}")
            with self.assertRaisesRegex(InferenceServerException, "is not taken"):
                client.load_model("digits", config="{}", files={"file:1/model": b"x"})
            (self.root / "other/1/graph.json").write_text("{}")
            with self.assertRaisesRegex(InferenceServerException, "version 1 cannot be loaded"):
                client.load_model("other")
            self.ask(client, "other")

    def test_labels_and_policies(self):
        self.put("digits-int8", "digits/2")
        self.put("digits-int4", "digits/3")
        config = self.root.parent / "octet.yaml"
        config.write_text("models:\n- name: digits\n  version_policy: latest 2\n"
                          "  labels: {stable: 2, old: 1}\n")
        with self.serve("--config", str(config)) as server:
            client = self.client(server)
            self.assertEqual(self.ask(client)[0], "3")
            self.assertEqual(self.ask(client, version="stable")[0], "2")
            with self.assertRaisesRegex(InferenceServerException, "latest 2, leaves it out"):
                self.ask(client, version="old")
            with self.assertRaisesRegex(InferenceServerException, "or old, stable"):
                self.ask(client, version="canary")
            shutil.rmtree(self.root / "digits/3")
            wait_for(lambda: self.state(client, "digits", "1") == "READY")
            self.assertEqual(self.ask(client, version="old")[0], "1")

    def test_memory_comes_back(self):
        with self.serve("--tune-budget", "0") as server:
            client = self.client(server)
            self.ask(client)
            sizes = []
            for _ in range(60):
                client.unload_model("digits")
                sizes.append(resident_bytes(server))
                client.load_model("digits")
                self.ask(client)
            print("resident MiB after unloading:", [round(size / 2**20, 1) for size in sizes])
            # The allocator's arenas fill up before they are used again.
            self.assertLess(max(sizes) - sizes[4], 16 * 2**20)
            self.assertLess(sizes[-1] - sizes[29], 2 * 2**20)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
