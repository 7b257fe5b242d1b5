# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's tritonclient, unchanged, against the real server."""

import sys
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")


class TritonClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        cls.client = triton.InferenceServerClient(cls.server.grpc)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def test_health_metadata_config_and_statistics(self):
        self.assertTrue(self.client.is_server_live())
        self.assertTrue(self.client.is_server_ready())
        self.assertTrue(self.client.is_model_ready("digits-int8"))
        with self.assertRaisesRegex(InferenceServerException, "nobody"):
            self.client.is_model_ready("nobody")
        metadata = self.client.get_model_metadata("digits-int8")
        self.assertEqual(metadata.inputs[0].datatype, "FP32")
        config = self.client.get_model_config("digits-int8").config
        self.assertGreater(config.max_batch_size, 0)
        self.assertEqual(list(config.input[0].dims), [8, 8, 1])
        self.assertTrue(self.client.get_inference_statistics("digits-int8").model_stats)
        names = {m.name for m in self.client.get_model_repository_index().models}
        self.assertIn("digits-int4", names)

    def test_infers_at_the_accuracy_of_the_bundle(self):
        for model in ("digits-fp32", "digits-int8", "digits-int8-static", "digits-int4"):
            metadata = self.client.get_model_metadata(model)
            x = triton.InferInput(metadata.inputs[0].name, IMAGES.shape, "FP32")
            x.set_data_from_numpy(IMAGES)
            result = self.client.infer(model, [x], request_id="7")
            self.assertEqual(result.get_response().id, "7")
            scores = result.as_numpy(metadata.outputs[0].name)
            self.assertEqual(scores.shape, (360, 10))
            self.assertGreater((scores.argmax(1) == LABELS).mean(), 0.97, model)

    def test_asynchronous_requests_all_come_back(self):
        name = self.client.get_model_metadata("digits-mlp-int8").inputs[0].name
        answers = []
        for i in range(64):
            x = triton.InferInput(name, [1, 64], "FP32")
            x.set_data_from_numpy(IMAGES[i:i + 1].reshape(1, 64))
            self.client.async_infer("digits-mlp-int8", [x], request_id=str(i),
                                    callback=lambda result, error: answers.append((result, error)))
        while len(answers) < 64:
            self.client.is_server_live()
        self.assertTrue(all(error is None for _, error in answers))
        self.assertEqual({int(r.get_response().id) for r, _ in answers}, set(range(64)))

    def test_errors_say_what_is_wrong(self):
        x = triton.InferInput("wrong", [1, 64], "FP32")
        x.set_data_from_numpy(IMAGES[:1].reshape(1, 64))
        with self.assertRaisesRegex(InferenceServerException, "wrong"):
            self.client.infer("digits-mlp-int8", [x])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
