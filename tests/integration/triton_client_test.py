# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's tritonclient, unchanged, against the real server."""

import json
import pathlib
import shutil
import sys
import tempfile
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

    def infer(self, model, count=1, outputs=None, **arguments):
        metadata = self.client.get_model_metadata(model)
        shape = [count, 64] if "mlp" in model else [count, 8, 8, 1]
        x = triton.InferInput(metadata.inputs[0].name, shape, "FP32")
        x.set_data_from_numpy(IMAGES[:count].reshape(shape))
        return metadata.outputs[0].name, self.client.infer(model, [x], outputs=outputs, **arguments)

    def test_classes_are_the_largest_elements_of_each_row(self):
        for model in ("digits-fp32", "digits-mlp-int8"):
            name, whole = self.infer(model, 5)
            scores = whole.as_numpy(name)
            _, result = self.infer(model, 5, [triton.InferRequestedOutput(name, class_count=3)])
            self.assertEqual(result.get_output(name).datatype, "BYTES")
            classes = result.as_numpy(name)
            self.assertEqual(classes.shape, (5, 3))
            for row, texts in zip(scores, classes):
                values, indices = zip(*(text.decode().split(":") for text in texts))
                best = np.argsort(-row, kind="stable")[:3]
                self.assertEqual([int(index) for index in indices], best.tolist())
                self.assertEqual(list(values), [f"{value:.6f}" for value in row[best]])

    def test_classes_that_there_are_not_are_refused(self):
        name, _ = self.infer("digits-fp32")
        for count in (-1, 11, 2**31, 2**62):
            with self.assertRaisesRegex(InferenceServerException, "classification"):
                self.infer("digits-fp32", 1, [triton.InferRequestedOutput(name, class_count=count)])
        self.infer("digits-fp32", 1, [triton.InferRequestedOutput(name, class_count=10)])

    def test_classes_have_the_labels_of_the_bundle(self):
        labels = "zero one two three four five six seven eight nine".split()
        with tempfile.TemporaryDirectory() as folder:
            bundle = pathlib.Path(folder) / "digits-fp32" / "1"
            shutil.copytree(ZOO / "repository" / "digits-fp32" / "1", bundle)
            manifest = json.loads((bundle / "manifest.json").read_text())
            manifest["class_labels"] = labels
            (bundle / "manifest.json").write_text(json.dumps(manifest))
            with ServerProcess(folder) as server:
                with triton.InferenceServerClient(server.grpc) as client:
                    metadata = client.get_model_metadata("digits-fp32")
                    x = triton.InferInput(metadata.inputs[0].name, [3, 8, 8, 1], "FP32")
                    x.set_data_from_numpy(IMAGES[:3])
                    name = metadata.outputs[0].name
                    wanted = triton.InferRequestedOutput(name, class_count=2)
                    result = client.infer("digits-fp32", [x], outputs=[wanted])
        for texts, label in zip(result.as_numpy(name), LABELS[:3]):
            self.assertEqual(texts[0].decode().split(":")[1:], [str(label), labels[label]])

    def test_typed_outputs_where_they_are_asked_for(self):
        name, raw = self.infer("digits-fp32", 4)
        _, typed = self.infer("digits-fp32", 4, parameters={"octet_typed_outputs": True})
        response = typed.get_response()
        self.assertEqual(len(response.raw_output_contents), 0)
        np.testing.assert_array_equal(
            np.array(response.outputs[0].contents.fp32_contents, np.float32).reshape(4, 10),
            raw.as_numpy(name))
        _, both = self.infer("digits-fp32", 4, [triton.InferRequestedOutput(name, class_count=1)],
                             parameters={"octet_typed_outputs": True})
        texts = both.get_response().outputs[0].contents.bytes_contents
        self.assertEqual([int(text.decode().split(":")[1]) for text in texts],
                         raw.as_numpy(name).argmax(1).tolist())

    def test_request_parameters(self):
        name, plain = self.infer("digits-fp32", request_id="an id")
        self.assertEqual(plain.get_response().id, "an id")
        for arguments in ({"priority": 1}, {"timeout": 10_000_000}, {"parameters": {"mine": 2.5}},
                          {"sequence_id": 3, "sequence_start": True}):
            _, result = self.infer("digits-fp32", **arguments)
            np.testing.assert_array_equal(result.as_numpy(name), plain.as_numpy(name))
        with self.assertRaisesRegex(InferenceServerException, "DEADLINE_EXCEEDED"):
            self.infer("digits-fp32", timeout=1)
        with self.assertRaisesRegex(InferenceServerException, "octet_nothing.* is reserved"):
            self.infer("digits-fp32", parameters={"octet_nothing": 1})

    def test_trace_and_log_settings_are_told_and_not_changed(self):
        trace = self.client.get_trace_settings(as_json=True)["settings"]
        self.assertEqual(trace["trace_level"]["value"], ["OFF"])
        self.client.get_trace_settings("digits-fp32")
        with self.assertRaisesRegex(InferenceServerException, "trace_file"):
            self.client.update_trace_settings(settings={"trace_file": "/etc/passwd"})
        self.client.update_trace_settings("digits-fp32", {"trace_level": ["OFF"]})
        log = self.client.get_log_settings(as_json=True)["settings"]
        self.assertIs(log["log_error"]["bool_param"], True)
        with self.assertRaisesRegex(InferenceServerException, "log_file"):
            self.client.update_log_settings({"log_file": "/etc/passwd"})

    def test_extensions_are_those_that_there_are(self):
        self.assertEqual(
            set(self.client.get_server_metadata().extensions),
            {"classification", "model_configuration", "model_repository", "statistics"})

    def test_errors_say_what_is_wrong(self):
        x = triton.InferInput("wrong", [1, 64], "FP32")
        x.set_data_from_numpy(IMAGES[:1].reshape(1, 64))
        with self.assertRaisesRegex(InferenceServerException, "wrong"):
            self.client.infer("digits-mlp-int8", [x])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
