# SPDX-License-Identifier: Apache-2.0
"""Sentences of many lengths, sent at once to encoders that PyTorch exported, share batches and are
answered as each is alone: to the bit where the layers are int8. For NVIDIA's tritonclient."""

import pathlib
import queue
import random
import re
import sys
import tempfile
import time
import unittest
import urllib.request

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests.support import onnx_models
from tests.support.server_process import ROOT, ServerProcess, program

EXPORTS = ROOT / "tests" / "golden" / "torch_architectures"
MODELS = ["bert", "albert", "roberta", "modernbert"]
LONGEST = {"bert": 40, "albert": 40, "roberta": 38, "modernbert": 60}  # of their tables of positions
VOCABULARY = 50
# The oldest waits so long for others: most of those that are sent at once come in that time.
SETTINGS = "models:\n" + "".join(
    f"- name: {model}-{kind}\n  dynamic_batching: {{max_queue_delay: 300ms}}\n"
    for model in MODELS for kind in ("fp32", "int8"))


def import_model(model: str, repository: pathlib.Path) -> None:
    octet = program("octet")
    bundle = repository / f"{model}-fp32" / "1"
    onnx_models.run_program(octet, "import", EXPORTS / f"{model}.traced.onnx", "--output", bundle)
    onnx_models.run_program(octet, "quantize", bundle, "--mode", "int8-dynamic", "--output",
                            repository / f"{model}-int8" / "1")


class RaggedBatchesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        folder = tempfile.TemporaryDirectory()
        cls.addClassCleanup(folder.cleanup)
        repository = pathlib.Path(folder.name) / "repository"
        for model in MODELS:
            import_model(model, repository)
        config = pathlib.Path(folder.name) / "octet.yaml"
        config.write_text(SETTINGS)
        cls.server = ServerProcess(repository, "--config", str(config), "--tune-budget", "0")
        cls.addClassCleanup(cls.server.stop)
        cls.client = triton.InferenceServerClient(cls.server.grpc)
        cls.addClassCleanup(cls.client.close)

    def setUp(self):
        self.random = random.Random(41)

    def sentence(self, model: str, length: int, rows: int = 1) -> list[triton.InferInput]:
        tokens = np.array([[self.random.randrange(2, VOCABULARY) for _ in range(length)]
                           for _ in range(rows)])
        values = {"input_ids": tokens, "attention_mask": np.ones_like(tokens)}
        values["attention_mask"][:, length - length // 4:] = 0  # padding of the caller's own
        inputs = []
        for each in self.client.get_model_metadata(model).inputs:
            value = values[each.name].astype(np.int64 if each.datatype == "INT64" else np.int32)
            inputs.append(triton.InferInput(each.name, list(value.shape), each.datatype))
            inputs[-1].set_data_from_numpy(value)
        return inputs

    def answers(self, model: str, sentences) -> list:
        """Of all sentences, sent at once: what each output is, or the error."""
        names = [each.name for each in self.client.get_model_metadata(model).outputs]
        answered = queue.Queue()
        for index, inputs in enumerate(sentences):
            self.client.async_infer(
                model, inputs, callback=lambda result, error, index=index: answered.put(
                    (index, error or [result.as_numpy(name) for name in names])))
        answers = dict(answered.get(timeout=120) for _ in sentences)
        return [answers[index] for index in range(len(sentences))]

    def counts(self, model: str) -> tuple[int, int, bool]:
        """Requests that were computed, in how many batches, and whether these hold all of them."""
        statistics = self.client.get_inference_statistics(model).model_stats[0]
        rows = sum(each.batch_size * each.compute_infer.count for each in statistics.batch_stats)
        return (statistics.inference_stats.success.count, statistics.execution_count,
                rows == statistics.inference_count)

    def expect_requests(self, model: str, wanted: int) -> int:
        """How many batches they took, once all are counted: they are answered before."""
        stop_at = time.monotonic() + 30
        while True:
            requests, batches, are_whole = self.counts(model)
            if (requests == wanted and are_whole) or time.monotonic() >= stop_at:
                break
            time.sleep(0.005)
        self.assertEqual((requests, are_whole), (wanted, True))
        return batches

    def check(self, model: str, kind: str) -> None:
        name = f"{model}-{kind}"
        lengths = [self.random.randint(1, LONGEST[model]) for _ in range(60)]
        sentences = [self.sentence(name, length, 1 + (length == 3)) for length in lengths]
        # One after the other: each waits for company in vain.
        start, before, _ = self.counts(name)
        alone = [self.answers(name, [sentence])[0] for sentence in sentences[:4]]
        self.assertEqual(self.expect_requests(name, start + 4) - before, 4)
        before = self.counts(name)[1]
        together = self.answers(name, sentences)
        batches = self.expect_requests(name, start + 4 + len(sentences)) - before
        # As they came, but for a machine that is slow in sending them.
        self.assertLessEqual(batches, 15, f"{name}: of lengths {lengths}")
        again = self.answers(name, sentences[::-1])[::-1]
        for index, got in enumerate(together):
            self.assertNotIsInstance(got, Exception, str(got))
            for output, other in zip(got, again[index]):
                self.expect_equal(kind, output, other)
            if index < len(alone):
                for output, other in zip(got, alone[index]):
                    self.expect_equal(kind, output, other)

    def expect_equal(self, kind: str, got: np.ndarray, wanted: np.ndarray) -> None:
        if kind == "int8":
            np.testing.assert_array_equal(got, wanted)
        else:
            np.testing.assert_allclose(got, wanted, rtol=1e-4, atol=1e-5)

    def test_a_sentence_that_is_too_long_fails_alone(self):
        model = "bert-int8"
        sentences = [self.sentence(model, length) for length in (5, 12, LONGEST["bert"] + 1, 31, 2)]
        start = self.counts(model)[0]
        alone = [self.answers(model, [sentence])[0] for sentence in sentences]
        together = self.answers(model, sentences)
        for index, (got, wanted) in enumerate(zip(together, alone)):
            if index == 2:
                self.assertIsInstance(wanted, InferenceServerException)
                self.assertIn("INVALID_ARGUMENT", str(got))
                self.assertEqual(str(got), str(wanted))
                continue
            for output, other in zip(got, wanted):
                self.expect_equal("int8", output, other)
        self.expect_requests(model, start + 2 * (len(sentences) - 1))

    def test_encoders_answer_as_alone(self):
        for model in MODELS:
            for kind in ("int8", "fp32"):
                with self.subTest(model=model, kind=kind):
                    self.check(model, kind)
        with urllib.request.urlopen(f"http://{self.server.metrics}/metrics", timeout=10) as answer:
            text = answer.read().decode()
        self.assertFalse(re.search(r'^octet_batches_total{.*reason="other_shape"} [1-9]', text,
                                   re.MULTILINE))


if __name__ == "__main__":
    sys.exit(unittest.main(verbosity=2))
