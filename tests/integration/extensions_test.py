# SPDX-License-Identifier: Apache-2.0
"""What ServerMetadata announces answers, what it does not says so; docs/protocol.md has all of it."""

import os
import pathlib
import sys
import time
import unittest

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.server_process import ROOT, ZOO, ServerProcess

pb, services = inference_stubs.load()

MODEL = "digits-mlp-int8"
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
# Every extension of Triton's that is not announced without being a method of its own.
MEANINGLESS = {"binary_tensor_data", "logging", "parameters", "schedule_policy", "sequence", "trace",
               "model_repository(unload_dependents)"}


class ExtensionsTest(unittest.TestCase):
    def serve(self, *flags):
        server = ServerProcess(ZOO / "repository", *flags)
        self.addCleanup(server.stop)
        channel = grpc.insecure_channel(server.grpc)
        self.addCleanup(channel.close)
        self.stub = services.GRPCInferenceServiceStub(channel)
        metadata = self.stub.ModelMetadata(pb.ModelMetadataRequest(name=MODEL))
        self.input, self.output = metadata.inputs[0].name, metadata.outputs[0].name
        extensions = list(self.stub.ServerMetadata(pb.ServerMetadataRequest()).extensions)
        self.assertEqual(extensions, sorted(set(extensions)))
        return set(extensions)

    def request(self):
        request = pb.ModelInferRequest(model_name=MODEL)
        request.inputs.add(name=self.input, datatype="FP32", shape=[1, 64])
        request.raw_input_contents.append(IMAGES[0].tobytes())
        return request

    def call(self, method, **fields):
        return getattr(self.stub, method)(getattr(pb, f"{method}Request")(**fields), timeout=60)

    def check_classification(self):
        request = self.request()
        request.outputs.add(name=self.output).parameters["classification"].int64_param = 3
        self.assertEqual(list(self.stub.ModelInfer(request).outputs[0].shape), [1, 3])

    def check_model_configuration(self):
        self.assertEqual(self.call("ModelConfig", name=MODEL).config.name, MODEL)

    def check_statistics(self):
        def count():
            return self.call("ModelStatistics", name=MODEL).model_stats[0].inference_count

        before = count()
        self.stub.ModelInfer(self.request())
        limit = time.monotonic() + 30
        while count() == before:  # it is counted a moment after the answer
            self.assertLess(time.monotonic(), limit, "the request is not counted")

    def check_model_repository(self):
        def state():
            models = self.call("RepositoryIndex").models
            return next(model.state for model in models if model.name == "digits-int4")

        self.assertEqual(state(), "READY")
        self.call("RepositoryModelUnload", model_name="digits-int4")
        self.assertNotEqual(state(), "READY")
        self.call("RepositoryModelLoad", model_name="digits-int4")
        self.assertEqual(state(), "READY")

    def check_system_shared_memory(self):
        path = pathlib.Path(f"/dev/shm/octet_test_extensions_{os.getpid()}")
        path.write_bytes(IMAGES[0].tobytes())
        try:
            self.call("SystemSharedMemoryRegister", name="r", key=f"/{path.name}", byte_size=256)
            self.assertEqual(self.call("SystemSharedMemoryStatus").regions["r"].byte_size, 256)
            request = self.request()
            sent = self.stub.ModelInfer(request)
            request.ClearField("raw_input_contents")
            parameters = request.inputs[0].parameters
            parameters["shared_memory_region"].string_param = "r"
            parameters["shared_memory_byte_size"].int64_param = 256
            self.assertEqual(self.stub.ModelInfer(request).raw_output_contents,
                             sent.raw_output_contents)
            self.call("SystemSharedMemoryUnregister", name="r")
            self.assertFalse(self.call("SystemSharedMemoryStatus").regions)
            self.call("CudaSharedMemoryUnregister")
        finally:
            path.unlink()

    def check_all(self, extensions):
        for extension in extensions:
            with self.subTest(extension):
                getattr(self, f"check_{extension}")()

    def unimplemented(self, text, method, **fields):
        with self.assertRaises(grpc.RpcError) as raised:
            self.call(method, **fields)
        self.assertEqual(raised.exception.code(), grpc.StatusCode.UNIMPLEMENTED, method)
        self.assertIn(text, raised.exception.details())

    def test_by_default(self):
        extensions = self.serve()
        self.assertEqual(extensions, {"classification", "model_configuration", "model_repository",
                                      "statistics"})
        self.check_all(extensions)
        for method in ("Register", "Status", "Unregister"):
            self.unimplemented("--allow-shared-memory", f"SystemSharedMemory{method}")
            self.unimplemented("computes on CPUs", f"CudaSharedMemory{method}")
        value = pb.TraceSettingRequest.SettingValue(value=["TIMESTAMPS"])
        self.unimplemented("trace_level", "TraceSetting", settings={"trace_level": value})
        value = pb.LogSettingsRequest.SettingValue(uint32_param=1)
        self.unimplemented("log_verbose_level", "LogSettings",
                           settings={"log_verbose_level": value})

    def test_with_shared_memory(self):
        extensions = self.serve("--allow-shared-memory")
        self.assertIn("system_shared_memory", extensions)
        self.check_all(extensions)
        self.unimplemented("computes on CPUs", "CudaSharedMemoryRegister", name="r")
        self.unimplemented("computes on CPUs", "CudaSharedMemoryStatus")

    def test_the_documents_have_each_of_them(self):
        text = (ROOT / "docs" / "protocol.md").read_text().split("## Extensions")[1]
        for extension in MEANINGLESS | {"cuda_shared_memory"} | {
                name.removeprefix("check_") for name in dir(self)
                if name.startswith("check_") and name != "check_all"}:
            self.assertIn(f"| `{extension}` |", text)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
