# SPDX-License-Identifier: Apache-2.0
"""The real server and plain gRPC stubs: every RPC, every model of the zoo, and bad requests."""

import pathlib
import shutil
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ZOO, ServerProcess, program

pb, services = inference_stubs.load()
MODELS = [f"digits{kind}-{precision}" for kind in ("", "-mlp")
          for precision in ("fp32", "int8", "int8-static", "int4")]
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")


def rows(model: str, count: int) -> np.ndarray:
    return IMAGES[:count].reshape((count, 64) if "mlp" in model else (count, 8, 8, 1))


def request(model: str, x: np.ndarray, name: str, typed: bool = False):
    message = pb.ModelInferRequest(model_name=model, id="some-id")
    tensor = message.inputs.add(name=name, datatype="FP32", shape=x.shape)
    if typed:
        tensor.contents.fp32_contents.extend(x.ravel().tolist())
    else:
        message.raw_input_contents.append(x.tobytes())
    return message


class ServingTest(unittest.TestCase):
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

    def input_name(self, model):
        return self.stub.ModelMetadata(pb.ModelMetadataRequest(name=model)).inputs[0].name

    def refuses(self, message, code, *parts):
        with self.assertRaises(grpc.RpcError) as caught:
            self.stub.ModelInfer(message, timeout=10)
        self.assertEqual(caught.exception.code(), code, caught.exception.details())
        for part in parts:
            self.assertIn(part, caught.exception.details())

    def test_health_and_metadata(self):
        self.assertTrue(self.stub.ServerLive(pb.ServerLiveRequest()).live)
        self.assertTrue(self.stub.ServerReady(pb.ServerReadyRequest()).ready)
        metadata = self.stub.ServerMetadata(pb.ServerMetadataRequest())
        self.assertEqual(metadata.name, "octet")
        self.assertIn("statistics", metadata.extensions)
        for model in MODELS:
            self.assertTrue(self.stub.ModelReady(pb.ModelReadyRequest(name=model)).ready)
            config = self.stub.ModelConfig(pb.ModelConfigRequest(name=model)).config
            self.assertEqual(config.name, model)
        index = self.stub.RepositoryIndex(pb.RepositoryIndexRequest())
        self.assertEqual({m.name for m in index.models if m.state == "READY"}, set(MODELS))

    def test_every_model_answers_as_the_engine_does_offline(self):
        for model in MODELS:
            with self.subTest(model), tempfile.TemporaryDirectory() as folder:
                x = rows(model, 100)
                np.save(f"{folder}/x.npy", x)
                subprocess.run(
                    [program("octet"), "run", str(ZOO / "repository" / model / "1"), "--input",
                     f"{folder}/x.npy", "--output", f"{folder}/y"], check=True,
                    stdout=subprocess.DEVNULL)
                want = np.load(next(pathlib.Path(f"{folder}/y").glob("*.npy")))
                name = self.input_name(model)
                for typed in (False, True):
                    answer = self.stub.ModelInfer(request(model, x, name, typed))
                    self.assertEqual((answer.model_name, answer.model_version, answer.id),
                                     (model, "1", "some-id"))
                    self.assertEqual(list(answer.outputs[0].shape), [100, 10])
                    got = np.frombuffer(answer.raw_output_contents[0], np.float32)
                    np.testing.assert_array_equal(got.reshape(100, 10), want)
                accuracy = (want.argmax(1) == LABELS[:100]).mean()
                self.assertGreater(accuracy, 0.95)

    def test_rows_do_not_depend_on_their_batch(self):
        for model in MODELS:
            name = self.input_name(model)
            x = rows(model, 70)
            whole = self.stub.ModelInfer(request(model, x, name)).raw_output_contents[0]
            single = b"".join(
                self.stub.ModelInfer(request(model, x[i:i + 1], name)).raw_output_contents[0]
                for i in range(70))
            self.assertEqual(whole, single, model)

    def test_timing_is_told_when_asked_for(self):
        message = request("digits-int8", rows("digits-int8", 1), self.input_name("digits-int8"))
        self.assertFalse(self.stub.ModelInfer(message).parameters)
        message.parameters["octet_timing"].bool_param = True
        parameters = self.stub.ModelInfer(message).parameters
        self.assertEqual(parameters["octet_precision"].string_param, "int8-dynamic")
        self.assertTrue(parameters["octet_kernel_set"].string_param)
        self.assertIn("octet_queue_us", parameters)
        self.assertIn("octet_compute_us", parameters)

    def test_statistics_count(self):
        model = "digits-mlp-fp32"
        ask = pb.ModelStatisticsRequest(name=model)
        before = self.stub.ModelStatistics(ask).model_stats[0]
        self.stub.ModelInfer(request(model, rows(model, 3), self.input_name(model)))
        # A request is counted once its answer is on its way: the client may be quicker.
        stop_at = time.monotonic() + 10
        after = before
        while after.inference_count == before.inference_count and time.monotonic() < stop_at:
            after = self.stub.ModelStatistics(ask).model_stats[0]
        self.assertEqual(after.inference_count - before.inference_count, 3)
        self.assertEqual(
            after.inference_stats.success.count - before.inference_stats.success.count, 1)

    def test_bad_requests(self):
        model, invalid = "digits-fp32", grpc.StatusCode.INVALID_ARGUMENT
        name = self.input_name(model)
        x = rows(model, 2)

        def changed(change):
            message = request(model, x, name)
            change(message)
            return message

        self.refuses(changed(lambda m: setattr(m, "model_name", "nobody")),
                     grpc.StatusCode.NOT_FOUND, "nobody")
        self.refuses(changed(lambda m: setattr(m, "model_version", "7")),
                     grpc.StatusCode.NOT_FOUND, "7")
        self.refuses(changed(lambda m: setattr(m, "model_version", "1x")), invalid, "1x")
        self.refuses(changed(lambda m: setattr(m.inputs[0], "name", "other")), invalid, "other",
                     name)
        self.refuses(changed(lambda m: setattr(m.inputs[0], "datatype", "INT8")), invalid, "INT8",
                     "FP32")
        self.refuses(changed(lambda m: m.raw_input_contents.append(b"x")), invalid)
        self.refuses(changed(lambda m: m.raw_input_contents.pop()), invalid)
        self.refuses(changed(lambda m: m.inputs.add().CopyFrom(m.inputs[0])), invalid)
        self.refuses(changed(lambda m: m.inputs[0].contents.fp32_contents.append(1)), invalid)
        self.refuses(changed(lambda m: m.outputs.add(name="no-such-output")), invalid,
                     "no-such-output")
        for shape in ([2, 8, 8], [2, 8, 8, 2], [-1, 8, 8, 1], [0, 8, 8, 1], [3, 8, 8, 1],
                      [2**4, 2**60 + 2, 8, 1], [2**63 - 1, 8, 8, 1]):
            def reshape(m, shape=shape):
                del m.inputs[0].shape[:]
                m.inputs[0].shape.extend(shape)
            self.refuses(changed(reshape), invalid)
        self.refuses(changed(lambda m: setattr(m.parameters["timeout"], "int64_param", 1)),
                     grpc.StatusCode.DEADLINE_EXCEEDED)
        # The server is as well as before.
        self.stub.ModelInfer(request(model, x, name))

    def test_what_grpc_refuses_itself_is_counted_nowhere(self):
        def failures():
            with urllib.request.urlopen(f"http://{self.server.metrics}/metrics") as answer:
                return [line for line in answer.read().decode().splitlines()
                        if line.startswith("octet_request_failures_total{")
                        and not line.endswith(" 0")
                        and ("RESOURCE_EXHAUSTED" in line or "UNIMPLEMENTED" in line)]

        model = "digits-mlp-fp32"
        message = request(model, rows(model, 1), self.input_name(model))
        large = pb.ModelInferRequest()
        large.CopyFrom(message)
        large.raw_input_contents[0] = bytes(65 << 20)
        unknown = self.channel.unary_unary("/no.such/Method", request_serializer=lambda x: x)
        for wanted, call in (
                (grpc.StatusCode.RESOURCE_EXHAUSTED, lambda: self.stub.ModelInfer(large)),
                (grpc.StatusCode.UNIMPLEMENTED, lambda: self.stub.ModelInfer(
                    message, compression=grpc.Compression.Gzip)),
                (grpc.StatusCode.UNIMPLEMENTED, lambda: unknown(b"", timeout=10))):
            with self.assertRaises(grpc.RpcError) as caught:
                call()
            self.assertEqual(caught.exception.code(), wanted, caught.exception.details())
        self.assertFalse(failures())

    def test_unknown_names_make_no_label(self):
        self.refuses(request("no-such-model-x", rows("digits", 1), "x"),
                     grpc.StatusCode.NOT_FOUND)
        with urllib.request.urlopen(f"http://{self.server.metrics}/metrics") as answer:
            text = answer.read().decode()
        self.assertNotIn("no-such-model-x", text)
        self.assertIn('model="digits-int8"', text)


class BadModelTest(unittest.TestCase):
    def test_a_bad_bundle_is_quarantined_and_the_others_serve(self):
        with tempfile.TemporaryDirectory() as folder:
            repository = pathlib.Path(folder)
            for model in ("digits-fp32", "digits-mlp-fp32"):
                shutil.copytree(ZOO / "repository" / model, repository / model)
            weights = repository / "digits-fp32" / "1" / "weights.safetensors"
            damaged = bytearray(weights.read_bytes())
            damaged[-1] ^= 1
            weights.write_bytes(damaged)
            with ServerProcess(repository) as server, grpc.insecure_channel(server.grpc) as channel:
                stub = services.GRPCInferenceServiceStub(channel)
                index = {m.name: m for m in
                         stub.RepositoryIndex(pb.RepositoryIndexRequest()).models}
                self.assertEqual(index["digits-mlp-fp32"].state, "READY")
                self.assertNotEqual(index["digits-fp32"].state, "READY")
                self.assertIn("sha256", index["digits-fp32"].reason.lower().replace("-", ""))
                self.assertFalse(stub.ModelReady(pb.ModelReadyRequest(name="digits-fp32")).ready)
                self.assertIn("digits-fp32", "".join(server.log))
                with self.assertRaises(grpc.RpcError) as caught:
                    stub.ModelInfer(request("digits-fp32", rows("digits", 1), "image"))
                self.assertEqual(caught.exception.code(), grpc.StatusCode.UNAVAILABLE)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
