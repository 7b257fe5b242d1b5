# SPDX-License-Identifier: Apache-2.0
"""client/examples/node against the real server: its numbers are those of the plain Python stubs."""

import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ROOT, ZOO, ServerProcess

pb, services = inference_stubs.load()
NODE = ROOT / "build" / "tools" / "node"
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
OUTPUT = re.compile(r"^  (\S+) (\S+) \[([\d, ]+)\] (\[.*\])$", re.MULTILINE)


class NodeClientTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        cls.channel = grpc.insecure_channel(cls.server.grpc)
        cls.stub = services.GRPCInferenceServiceStub(cls.channel)

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def run_node(self, *arguments: str, address: str | None = None):
        # The packages lie in build/: the source tree stays as it was checked out.
        environment = os.environ | {"NODE_PATH": str(NODE / "node_modules")}
        return subprocess.run(
            [NODE / "bin" / "node", ROOT / "client/examples/node/infer.js", "--address",
             address or self.server.grpc, *arguments],
            env=environment, capture_output=True, text=True, timeout=60, check=False)

    def test_answers_are_those_of_the_python_stubs(self):
        for model, shape in (("digits-mlp-int8", (64,)), ("digits-fp32", (8, 8, 1))):
            with self.subTest(model), tempfile.TemporaryDirectory() as folder:
                x = IMAGES[:5].astype(np.float32).reshape((5, *shape))
                file = pathlib.Path(folder) / "input.json"
                file.write_text(json.dumps(x.tolist()))
                done = self.run_node("--model", model, "--input", str(file))
                self.assertEqual(done.returncode, 0, done.stderr)

                metadata = self.stub.ModelMetadata(pb.ModelMetadataRequest(name=model))
                request = pb.ModelInferRequest(model_name=model)
                request.inputs.add(name=metadata.inputs[0].name, datatype="FP32", shape=x.shape)
                request.raw_input_contents.append(x.tobytes())
                answer = self.stub.ModelInfer(request, timeout=10)
                want = np.frombuffer(answer.raw_output_contents[0], np.float32)

                got = OUTPUT.findall(done.stdout)
                self.assertEqual(len(got), 2, done.stdout)
                for name, datatype, dimensions, values in got:
                    self.assertEqual((name, datatype, dimensions),
                                     (metadata.outputs[0].name, "FP32", "5, 10"))
                    np.testing.assert_allclose(json.loads(values), want, rtol=0, atol=1e-6)
                self.assertIn("raw answer of " + model + " version 1", done.stdout)
                self.assertIn("typed answer of " + model + " version 1", done.stdout)
                self.assertIn("server octet", done.stdout)
                self.assertIn("statistics", done.stdout)

    def test_without_an_input_it_sends_one_row(self):
        done = self.run_node("--model", "digits-int4", "--version", "1")
        self.assertEqual(done.returncode, 0, done.stderr)
        raw, typed = OUTPUT.findall(done.stdout)
        self.assertEqual(raw, typed)
        self.assertAlmostEqual(sum(json.loads(raw[3])), 1, places=5)

    def test_the_servers_refusal_is_told(self):
        done = self.run_node("--model", "nobody")
        self.assertEqual(done.returncode, 1)
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.ModelMetadata(pb.ModelMetadataRequest(name="nobody"))
        self.assertIn("nobody", caught.exception.details())
        self.assertEqual(done.stderr.strip(),
                         f"infer.js: NOT_FOUND: {caught.exception.details()}")

    def test_no_server_is_told(self):
        done = self.run_node("--model", "digits-int8", address="127.0.0.1:1")
        self.assertEqual(done.returncode, 1)
        self.assertIn("infer.js: UNAVAILABLE:", done.stderr)

    def test_wrong_input_is_told(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "input.json"
            for content, message in (("[1, 2, 3]", "got 3 numbers, wants a multiple of 64"),
                                     ('[1, "2"]', 'got "2", wants numbers'),
                                     ("[1,", str(file))):
                file.write_text(content)
                done = self.run_node("--model", "digits-mlp-int8", "--input", str(file))
                self.assertEqual(done.returncode, 2, done.stderr)
                self.assertIn(message, done.stderr)
        done = self.run_node()
        self.assertEqual(done.returncode, 2)
        self.assertIn("--model is missing", done.stderr)


if __name__ == "__main__":
    sys.exit(unittest.main())
