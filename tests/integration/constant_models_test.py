# SPDX-License-Identifier: Apache-2.0
"""Models whose answers are constants, and models without inputs, through the real programs and
NVIDIA's tritonclient."""

import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np
import onnx
import tritonclient.grpc as triton
from onnx import TensorProto, helper, numpy_helper
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ServerProcess, program

TABLE = np.arange(6, dtype=np.float32).reshape(2, 3) - 2.5


def value_info(name, array):
    return helper.make_tensor_value_info(
        name, helper.np_dtype_to_tensor_dtype(array.dtype), array.shape)


def save(path, nodes, inputs, outputs):
    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def save_table(path):
    """No inputs, two constants."""
    flags = np.array([True, False])
    save(path, [helper.make_node("Constant", [], ["table"], value=numpy_helper.from_array(TABLE)),
                helper.make_node("Constant", [], ["flags"], value=numpy_helper.from_array(flags))],
         [], [value_info("table", TABLE), value_info("flags", flags)])


def save_shape(path):
    """An input that only its shape is asked of."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [3, 4, 5])
    save(path, [helper.make_node("Shape", ["x"], ["shape"]),
                helper.make_node("Size", ["x"], ["size"])],
         [x], [value_info("shape", np.zeros(3, np.int64)), value_info("size", np.int64(0))])


def save_empty(path):
    """A tensor without elements, and its sum."""
    nothing = np.zeros((2, 0, 3), np.float32)
    save(path, [helper.make_node("Constant", [], ["n"], value=numpy_helper.from_array(nothing)),
                helper.make_node("Identity", ["n"], ["nothing"]),
                helper.make_node("Constant", [], ["axes"], value_ints=[1]),
                helper.make_node("ReduceSum", ["n", "axes"], ["sum"])],
         [], [value_info("nothing", nothing), value_info("sum", np.zeros((2, 1, 3), np.float32))])


class ConstantModelsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.root = pathlib.Path(cls.folder.name)
        cls.repository = cls.root / "repository"
        for name, make in (("empty", save_empty), ("shape", save_shape),
                           ("table", save_table)):
            make(cls.root / f"{name}.onnx")
            cls.octet("import", cls.root / f"{name}.onnx", "--output",
                      cls.repository / name / "1")
        cls.server = ServerProcess(cls.repository)
        cls.client = triton.InferenceServerClient(cls.server.grpc)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        cls.folder.cleanup()
        assert status == 0, f"exit status {status}"

    @staticmethod
    def octet(*arguments, status=0):
        """What it printed, errors included."""
        done = subprocess.run([program("octet"), *map(str, arguments)], capture_output=True,
                              text=True, check=False, timeout=120)
        assert done.returncode == status, done.stdout + done.stderr
        return done.stdout + done.stderr

    def test_a_model_without_inputs_is_described(self):
        metadata = self.client.get_model_metadata("table")
        self.assertEqual(len(metadata.inputs), 0)
        self.assertEqual([(o.name, o.datatype, list(o.shape)) for o in metadata.outputs],
                         [("table", "FP32", [-1, 2, 3]), ("flags", "BOOL", [-1, 2])])
        config = self.client.get_model_config("table").config
        self.assertEqual((len(config.input), config.max_batch_size), (0, 0))
        self.assertTrue(self.client.is_model_ready("table"))

    def test_a_model_without_inputs_answers_one_row(self):
        result = self.client.infer("table", [])
        np.testing.assert_array_equal(result.as_numpy("table"), TABLE[None])
        np.testing.assert_array_equal(result.as_numpy("flags"), [[True, False]])
        wanted = [triton.InferRequestedOutput("flags")]
        result = self.client.infer("table", [], outputs=wanted)
        self.assertIsNone(result.as_numpy("table"))
        np.testing.assert_array_equal(result.as_numpy("flags"), [[True, False]])

    def test_many_requests_at_once_are_each_answered(self):
        answers = []
        for i in range(200):
            self.client.async_infer("table", [], request_id=str(i),
                                    callback=lambda result, error: answers.append((result, error)))
        while len(answers) < 200:
            self.client.is_server_live()
        self.assertTrue(all(error is None for _, error in answers))
        for result, _ in answers:
            np.testing.assert_array_equal(result.as_numpy("table"), TABLE[None])
        statistics = self.client.get_inference_statistics("table").model_stats[0]
        self.assertGreaterEqual(statistics.inference_count, 200)
        self.assertEqual(statistics.inference_count, statistics.execution_count)

    def test_an_input_that_it_has_not_is_refused(self):
        x = triton.InferInput("x", [1, 3], "FP32")
        x.set_data_from_numpy(TABLE[:1])
        with self.assertRaisesRegex(InferenceServerException, '"x" is unknown, the model wants none'):
            self.client.infer("table", [x])

    def test_a_shape_is_answered_for_each_row(self):
        batch = np.zeros((7, 3, 4, 5), np.float32)
        x = triton.InferInput("x", batch.shape, "FP32")
        x.set_data_from_numpy(batch)
        result = self.client.infer("shape", [x])
        np.testing.assert_array_equal(result.as_numpy("shape"), [[3, 4, 5]] * 7)
        np.testing.assert_array_equal(result.as_numpy("size"), [60] * 7)
        with self.assertRaisesRegex(InferenceServerException, 'missing: "x"'):
            self.client.infer("shape", [])

    def test_a_tensor_without_elements_is_answered(self):
        metadata = self.client.get_model_metadata("empty")
        self.assertEqual(list(metadata.outputs[0].shape), [-1, 2, 0, 3])
        for _ in range(3):
            result = self.client.infer("empty", [])
            self.assertEqual(result.as_numpy("nothing").shape, (1, 2, 0, 3))
            np.testing.assert_array_equal(result.as_numpy("sum"), np.zeros((1, 2, 1, 3)))
        bundle = self.repository / "empty" / "1"
        self.octet("run", bundle, "--output", self.root / "empty")
        self.assertEqual(np.load(self.root / "empty" / "nothing.npy").shape, (1, 2, 0, 3))
        self.octet("infer", "empty", "--address", self.server.grpc)
        self.octet("compare", bundle, bundle)
        self.octet("bench", "empty", "--address", self.server.grpc, "--seconds", 1)

    def test_the_command_line_runs_a_model_without_inputs(self):
        bundle = self.repository / "table" / "1"
        self.octet("run", bundle, "--output", self.root / "answers")
        np.testing.assert_array_equal(np.load(self.root / "answers" / "table.npy"), TABLE[None])
        self.octet("infer", "table", "--address", self.server.grpc, "--output",
                   self.root / "remote")
        np.testing.assert_array_equal(np.load(self.root / "remote" / "flags.npy"), [[True, False]])
        self.assertIn("agreement", self.octet("compare", bundle, bundle))
        self.octet("bench", "--bundle", bundle, "--seconds", 1)
        self.octet("bench", "table", "--address", self.server.grpc, "--seconds", 1)
        self.assertIn("Constant", self.octet("inspect", bundle))
        text = self.octet("bench", "--bundle", bundle, "--batch", 2, status=1)
        self.assertIn("has no inputs", text)
        np.save(self.root / "x.npy", TABLE)
        text = self.octet("run", bundle, "--input", f"x={self.root / 'x.npy'}", "--output",
                          self.root / "answers", status=1)
        self.assertIn("the model has no inputs", text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
