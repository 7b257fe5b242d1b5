# SPDX-License-Identifier: Apache-2.0
"""What a model's settings say of batches and queues holds for NVIDIA's tritonclient: queue delay,
preferred sizes, order, timeouts, and what ModelConfig tells of them."""

import pathlib
import queue
import sys
import tempfile
import time
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
MODEL = "digits-mlp-int8"
SETTINGS = """
models:
- name: digits-mlp-int8
  max_batch_size: 8
  dynamic_batching:
    preferred_batch_size: [4]
    max_queue_delay: 2s
    preserve_ordering: true
- name: digits-int8
  dynamic_batching:
    priority_levels: 2
    default_queue_policy: {timeout_action: DELAY, default_timeout: 1ms, max_queue_size: 50}
    priority_queue_policy: {1: {allow_timeout_override: true}}
"""


class BatchingSettingsTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        config = pathlib.Path(folder.name) / "octet.yaml"
        config.write_text(SETTINGS)
        self.server = ServerProcess(ZOO / "repository", "--config", str(config),
                                    "--tune-budget", "0")
        self.addCleanup(self.server.__exit__, None, None, None)
        self.client = triton.InferenceServerClient(self.server.grpc)
        self.addCleanup(self.client.close)
        self.name = self.client.get_model_metadata(MODEL).inputs[0].name

    def send(self, count: int, rows: int = 1) -> tuple[list[str], float]:
        """As many requests at once: the ids in the order of the answers, and how long all took."""
        x = triton.InferInput(self.name, [rows, 64], "FP32")
        x.set_data_from_numpy(IMAGES[:rows].reshape(rows, 64))
        answers = queue.Queue()
        start = time.monotonic()
        for i in range(count):
            self.client.async_infer(
                MODEL, [x], request_id=str(i),
                callback=lambda result, error: answers.put(
                    error or result.get_response().id))
        ids = [answers.get(timeout=60) for _ in range(count)]
        self.assertEqual([i for i in ids if not isinstance(i, str)], [])
        return ids, time.monotonic() - start

    def batches(self) -> dict[int, int]:
        statistics = self.client.get_inference_statistics(MODEL).model_stats[0]
        return {batch.batch_size: batch.compute_infer.count for batch in statistics.batch_stats}

    def expect_batches(self, wanted: dict[int, int]) -> None:
        # A batch is answered before it is counted.
        stop_at = time.monotonic() + 10
        while self.batches() != wanted and time.monotonic() < stop_at:
            time.sleep(0.005)
        self.assertEqual(self.batches(), wanted)

    def test_a_preferred_size_goes_at_once_and_what_is_less_waits(self):
        _, seconds = self.send(4)
        self.assertLess(seconds, 1.5)
        self.expect_batches({4: 1})
        _, seconds = self.send(3)
        self.assertGreater(seconds, 1.9)
        self.expect_batches({3: 1, 4: 1})
        # Full without being preferred.
        _, seconds = self.send(1, rows=8)
        self.assertLess(seconds, 1.5)
        self.expect_batches({3: 1, 4: 1, 8: 1})

    def test_many_requests_are_all_answered(self):
        ids, _ = self.send(102)
        self.assertEqual(sorted(map(int, ids)), list(range(102)))
        stop_at = time.monotonic() + 10
        counted = 0
        while counted != 102 and time.monotonic() < stop_at:
            counted = sum(size * count for size, count in self.batches().items())
        self.assertEqual(counted, 102)

    def test_the_configuration_tells_of_it(self):
        config = self.client.get_model_config(MODEL, as_json=True)["config"]
        self.assertEqual(config["max_batch_size"], 65536)
        self.assertEqual(config["dynamic_batching"],
                         {"preferred_batch_size": [4], "max_queue_delay_microseconds": "2000000",
                          "preserve_ordering": True})
        config = self.client.get_model_config("digits-int8", as_json=True)["config"]
        policy = {"timeout_action": "DELAY", "default_timeout_microseconds": "1000",
                  "max_queue_size": 50}
        self.assertEqual(config["dynamic_batching"],
                         {"priority_levels": "2", "default_priority_level": "1",
                          "default_queue_policy": policy,
                          "priority_queue_policy": {"1": {"allow_timeout_override": True}}})
        config = self.client.get_model_config("digits-fp32", as_json=True)["config"]
        self.assertEqual(config["dynamic_batching"], {})

    def test_priorities_and_timeouts_are_taken(self):
        x = triton.InferInput(self.client.get_model_metadata("digits-int8").inputs[0].name,
                              [1, 8, 8, 1], "FP32")
        x.set_data_from_numpy(IMAGES[:1].reshape(1, 8, 8, 1))
        # Level 1 lets requests have timeouts of their own, which reject; it is the default.
        for priority in (0, 1, 9):
            with self.assertRaisesRegex(InferenceServerException, "its queue timeout passed"):
                self.client.infer("digits-int8", [x], priority=priority, timeout=1)
            self.client.infer("digits-int8", [x], priority=priority)
        # Level 2 does not; and a delay refuses nobody.
        self.client.infer("digits-int8", [x], priority=2, timeout=1)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
