# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's tritonclient over HTTP, synchronous and asyncio, and curl, against the real server."""

import asyncio
import gzip
import json
import subprocess
import time
import unittest

import numpy as np
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")


class HttpClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        cls.client = triton.InferenceServerClient(cls.server.http, connection_timeout=60,
                                                  network_timeout=60)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def input(self, rows: np.ndarray, binary: bool, module=triton):
        x = module.InferInput("image", list(rows.shape), "FP32")
        x.set_data_from_numpy(rows, binary_data=binary)
        return x

    def curl(self, *arguments: str) -> tuple[int, bytes]:
        done = subprocess.run(
            ["curl", "-s", "-m", "60", "-w", "\n%{http_code}", *arguments],
            capture_output=True, check=True)
        body, status = done.stdout.rsplit(b"\n", 1)
        return int(status), body

    def url(self, path: str) -> str:
        return f"http://{self.server.http}{path}"

    def test_health_metadata_config_statistics_and_index(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("digits-int8"))
        self.assertTrue(self.client.is_model_ready("digits-int8", "1"))
        self.assertFalse(self.client.is_model_ready("nobody"))
        self.assertIn("binary_tensor_data", self.client.get_server_metadata()["extensions"])
        metadata = self.client.get_model_metadata("digits-int8", "1")
        self.assertEqual(metadata["inputs"],
                         [{"name": "image", "datatype": "FP32", "shape": [-1, 8, 8, 1]}])
        config = self.client.get_model_config("digits-int8")
        self.assertGreater(config["max_batch_size"], 0)
        self.assertEqual(config["input"][0]["dims"], [8, 8, 1])
        names = {model["name"] for model in self.client.get_model_repository_index()}
        self.assertIn("digits-int4", names)
        self.client.infer("digits-int8-static", [self.input(IMAGES[:3], True)])
        # An answer is counted when it has been handed over.
        for _ in range(1000):
            [statistics] = self.client.get_inference_statistics("digits-int8-static")["model_stats"]
            if statistics["inference_count"]:
                break
            time.sleep(0.01)
        self.assertEqual(statistics["inference_count"], 3)
        self.assertEqual(statistics["inference_stats"]["success"]["count"], 1)
        self.assertGreater(len(self.client.get_inference_statistics()["model_stats"]), 4)

    def test_every_way_to_send_and_to_answer_gives_the_same(self):
        wanted = None
        for binary_input in (True, False):
            for binary_output in (True, False, None):
                for coding in (None, "gzip", "deflate"):
                    outputs = None
                    if binary_output is not None:
                        outputs = [triton.InferRequestedOutput("probabilities", binary_output)]
                    result = self.client.infer(
                        "digits-int8", [self.input(IMAGES, binary_input)], outputs=outputs,
                        request_id="7", request_compression_algorithm=coding,
                        response_compression_algorithm=coding)
                    self.assertEqual(result.get_response()["id"], "7")
                    self.assertEqual(result.get_response()["model_version"], "1")
                    scores = result.as_numpy("probabilities")
                    self.assertGreater((scores.argmax(1) == LABELS).mean(), 0.97)
                    wanted = scores if wanted is None else wanted
                    np.testing.assert_array_equal(scores, wanted)

    def test_classes_parameters_and_times(self):
        result = self.client.infer(
            "digits-fp32", [self.input(IMAGES[:2], True)],
            outputs=[triton.InferRequestedOutput("probabilities", True, class_count=3)],
            parameters={"octet_timing": True, "mine": "anything"}, timeout=60_000_000, priority=1)
        classes = result.as_numpy("probabilities")
        self.assertEqual(classes.shape, (2, 3))
        self.assertEqual(int(classes[0, 0].decode().split(":")[1]), LABELS[0])
        self.assertEqual(result.get_response()["parameters"]["octet_precision"], "fp32")
        as_json = self.client.infer(
            "digits-fp32", [self.input(IMAGES[:2], False)],
            outputs=[triton.InferRequestedOutput("probabilities", False, class_count=3)])
        self.assertEqual(as_json.get_output("probabilities")["data"],
                         [text.decode() for text in classes.flatten()])

    def test_errors_have_their_status(self):
        for model, rows, status, text in (("nobody", IMAGES[:1], "404", "nobody"),
                                          ("digits-fp32", IMAGES[:1, :4], "400", "shape"),
                                          ("digits-fp32", IMAGES[:0], "400", "rows")):
            with self.assertRaisesRegex(InferenceServerException, text) as raised:
                self.client.infer(model, [self.input(rows, True)])
            self.assertIn(status, raised.exception.status())
        with self.assertRaises(InferenceServerException):
            self.client.get_model_metadata("nobody")

    def test_models_are_unloaded_and_loaded(self):
        self.client.unload_model("digits-mlp-int4")
        self.assertFalse(self.client.is_model_ready("digits-mlp-int4"))
        self.client.load_model("digits-mlp-int4")
        self.assertTrue(self.client.is_model_ready("digits-mlp-int4"))
        with self.assertRaisesRegex(InferenceServerException, "config"):
            self.client.load_model("digits-mlp-int4", config="{}")
        with self.assertRaisesRegex(InferenceServerException, "nobody"):
            self.client.load_model("nobody")
        # A page that the machine's own browser shows.
        status, _ = self.curl("-X", "POST", "-H", "Origin: http://example.com",
                              self.url("/v2/repository/models/digits-mlp-int4/unload"))
        self.assertEqual(status, 403)

    def test_settings_are_told(self):
        self.assertEqual(self.client.get_trace_settings()["trace_level"], ["OFF"])
        self.assertEqual(self.client.update_trace_settings(settings={})["trace_rate"], "1000")
        self.assertTrue(self.client.get_log_settings()["log_error"])
        with self.assertRaises(InferenceServerException):
            self.client.update_log_settings({"log_file": "/tmp/x"})
        with self.assertRaises(InferenceServerException):
            self.client.get_system_shared_memory_status()

    def test_asyncio_client_runs_many_at_once(self):
        async def run():
            async with triton_aio.InferenceServerClient(self.server.http) as client:
                assert await client.is_server_ready()
                assert (await client.get_model_metadata("digits-fp32"))["name"] == "digits-fp32"
                results = await asyncio.gather(*(
                    client.infer("digits-fp32", [self.input(IMAGES[i:i + 4], i % 8 == 0)],
                                 request_id=str(i))
                    for i in range(0, 64, 4)))
                return [result.as_numpy("probabilities").argmax(1) for result in results]

        found = np.concatenate(asyncio.run(run()))
        self.assertGreater((found == LABELS[:64]).mean(), 0.97)

    def test_curl_in_the_ways_it_sends(self):
        request = json.dumps({"inputs": [{"name": "image", "shape": [1, 8, 8, 1],
                                          "datatype": "FP32", "data": IMAGES[:1].tolist()}]})
        path = self.url("/v2/models/digits-fp32/infer")
        answers = set()
        for more in ([], ["-H", "Content-Type: application/json"],
                     ["-H", "Transfer-Encoding: chunked"], ["-H", "Expect: 100-continue"], ["-0"],
                     ["--compressed"]):
            status, body = self.curl(*more, "-d", request, path)
            self.assertEqual(status, 200, (more, body))
            answers.add(json.dumps(json.loads(body)["outputs"]))
        self.assertEqual(len(answers), 1)
        status, body = self.curl("-I", self.url("/v2/health/live"))
        self.assertEqual(status, 200)
        self.assertTrue(body.rstrip().endswith(b"nosniff"), body)
        # The bytes of the only input alone.
        done = subprocess.run(
            ["curl", "-s", "--data-binary", "@-", "-H", "Inference-Header-Content-Length: 0",
             "-H", "Content-Type: application/octet-stream", path],
            input=IMAGES[0].tobytes(), capture_output=True, check=True)
        self.assertEqual(np.frombuffer(done.stdout[-40:], np.float32).argmax(), LABELS[0])

    def test_compressed_bodies_are_capped(self):
        with ServerProcess(ZOO / "repository", "--max-request-bytes", "64KiB") as server:
            bomb = gzip.compress(bytes(16 << 20))
            done = subprocess.run(
                ["curl", "-s", "-m", "60", "-w", "%{http_code}", "--data-binary", "@-", "-H",
                 "Content-Encoding: gzip", f"http://{server.http}/v2/models/digits-fp32/infer"],
                input=bomb, capture_output=True, check=True)
            self.assertTrue(done.stdout.endswith(b"413"), done.stdout)


if __name__ == "__main__":
    unittest.main()
