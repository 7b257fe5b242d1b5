# SPDX-License-Identifier: Apache-2.0
"""The Open Inference Protocol over gRPC, walked through: every datatype both ways, and everything
that a conforming server refuses, by plain stubs against the real server."""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

import grpc
import onnx
from onnx import TensorProto, helper

from tests.support import inference_stubs
from tests.support.server_process import ServerProcess, program

pb, services = inference_stubs.load()

Code = grpc.StatusCode
INVALID = Code.INVALID_ARGUMENT
# Datatype of the protocol: ONNX's, bytes, and the field of typed contents.
DATATYPES = {
    "BOOL": (TensorProto.BOOL, 1, "bool_contents"),
    "INT8": (TensorProto.INT8, 1, "int_contents"),
    "INT16": (TensorProto.INT16, 2, "int_contents"),
    "INT32": (TensorProto.INT32, 4, "int_contents"),
    "INT64": (TensorProto.INT64, 8, "int64_contents"),
    "UINT8": (TensorProto.UINT8, 1, "uint_contents"),
    "UINT16": (TensorProto.UINT16, 2, "uint_contents"),
    "UINT32": (TensorProto.UINT32, 4, "uint_contents"),
    "UINT64": (TensorProto.UINT64, 8, "uint64_contents"),
    "FP32": (TensorProto.FLOAT, 4, "fp32_contents"),
}  # `octet import` makes FP32 of the other datatypes of floats
TYPED = {name: field for name, (_, _, field) in DATATYPES.items()}
FIELDS = {*TYPED.values(), "fp64_contents", "bytes_contents"}
EXTREMES = {
    "bool_contents": {"BOOL": [True, False, True]},
    "int_contents": {"INT8": [-128, 0, 127], "INT16": [-2**15, 1, 2**15 - 1],
                     "INT32": [-2**31, -1, 2**31 - 1]},
    "int64_contents": {"INT64": [-2**63, -1, 2**63 - 1]},
    "uint_contents": {"UINT8": [0, 1, 255], "UINT16": [0, 1, 2**16 - 1],
                      "UINT32": [0, 1, 2**32 - 1]},
    "uint64_contents": {"UINT64": [0, 1, 2**64 - 1]},
    "fp32_contents": {"FP32": [float("-inf"), 1.5, 3.4028234663852886e38]},
}


def save_model(path, tensors, nodes):
    """`tensors`: (name, ONNX's type, dimensions) of inputs and of outputs."""
    inputs, outputs = ([helper.make_tensor_value_info(*tensor) for tensor in side]
                       for side in tensors)
    graph = helper.make_graph(nodes, "graph", inputs, outputs)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)]), path)


def make_repository(root):
    """Identities of each datatype, and the sum of two inputs."""
    repository = root / "repository"
    for name, (kind, _, _) in DATATYPES.items():
        save_model(root / f"{name}.onnx", ([("x", kind, ["N", 3])], [("y", kind, ["N", 3])]),
                   [helper.make_node("Identity", ["x"], ["y"])])
    save_model(root / "pair.onnx", ([(name, TensorProto.FLOAT, ["N", 3]) for name in "ab"],
                                    [("sum", TensorProto.FLOAT, ["N", 3]),
                                     ("difference", TensorProto.FLOAT, ["N", 3])]),
               [helper.make_node("Add", ["a", "b"], ["sum"]),
                helper.make_node("Sub", ["a", "b"], ["difference"])])
    for model in sorted(root.glob("*.onnx")):
        subprocess.run([program("octet"), "import", model, "--output",
                        repository / model.stem / "1"], check=True, capture_output=True)
    broken = repository / "broken" / "1"
    broken.mkdir(parents=True)
    (broken / "manifest.json").write_text("{}")
    return repository


class ConformanceTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.server = ServerProcess(make_repository(pathlib.Path(cls.folder.name)),
                                   "--allow-shared-memory")
        cls.channel = grpc.insecure_channel(cls.server.grpc)
        cls.stub = services.GRPCInferenceServiceStub(cls.channel)
        cls.refusals = 0

    @classmethod
    def tearDownClass(cls):
        cls.channel.close()
        status = cls.server.stop()
        cls.folder.cleanup()
        print(f"refused as they should be: {cls.refusals} requests")
        assert status == 0, f"exit status {status}"

    @staticmethod
    def raw(datatype, data, rows=1):
        request = pb.ModelInferRequest(model_name=datatype, id="an id")
        request.inputs.add(name="x", datatype=datatype, shape=[rows, 3])
        request.raw_input_contents.append(data)
        return request

    @staticmethod
    def pair(rows=(2, 2)):
        request = pb.ModelInferRequest(model_name="pair")
        for name, count in zip("ab", rows):
            request.inputs.add(name=name, datatype="FP32", shape=[count, 3])
            request.raw_input_contents.append(bytes(12 * count))
        return request

    def infer(self, request):
        return self.stub.ModelInfer(request, timeout=60)

    def refused(self, request, *texts, code=INVALID):
        with self.assertRaises(grpc.RpcError) as raised:
            self.infer(request)
        error = raised.exception
        self.assertEqual(error.code(), code, error.details())
        for text in texts:
            self.assertIn(text, error.details())
        self.assertLess(len(error.details()), 4096)
        type(self).refusals += 1

    def refused_pair(self, change, *texts, code=INVALID):
        request = self.pair()
        change(request)
        self.refused(request, *texts, code=code)

    # What is answered.

    def test_each_datatype_raw(self):
        for datatype, (_, width, _) in DATATYPES.items():
            for rows in (1, 5):
                data = bytes(i % 2 for i in range(3 * rows)) if datatype == "BOOL" else \
                    os.urandom(3 * rows * width)
                response = self.infer(self.raw(datatype, data, rows))
                self.assertEqual(list(response.raw_output_contents), [data], datatype)
                self.assertEqual(response.outputs[0].datatype, datatype)
                self.assertEqual(list(response.outputs[0].shape), [rows, 3])
                self.assertEqual((response.id, response.model_name, response.model_version),
                                 ("an id", datatype, "1"))

    def test_each_datatype_typed(self):
        for field, by_type in EXTREMES.items():
            for datatype, values in by_type.items():
                request = pb.ModelInferRequest(model_name=datatype)
                tensor = request.inputs.add(name="x", datatype=datatype, shape=[1, 3])
                getattr(tensor.contents, field).extend(values)
                raw = self.infer(request)
                request.parameters["octet_typed_outputs"].bool_param = True
                typed = self.infer(request)
                self.assertEqual(list(getattr(typed.outputs[0].contents, field)), values)
                self.assertEqual(len(typed.raw_output_contents), 0)
                again = self.infer(self.raw(datatype, raw.raw_output_contents[0]))
                self.assertEqual(again.raw_output_contents, raw.raw_output_contents)

    def test_metadata_and_config_name_the_datatype(self):
        for datatype in DATATYPES:
            metadata = self.stub.ModelMetadata(pb.ModelMetadataRequest(name=datatype))
            self.assertEqual(metadata.inputs[0].datatype, datatype)
            self.assertEqual(list(metadata.inputs[0].shape), [-1, 3])
            config = self.stub.ModelConfig(pb.ModelConfigRequest(name=datatype)).config
            self.assertEqual(pb.DataType.Name(config.input[0].data_type), f"TYPE_{datatype}")
            self.assertEqual(list(config.input[0].dims), [3])

    def test_outputs_are_those_asked_for_in_that_order(self):
        request = self.pair()
        names = lambda: [output.name for output in self.infer(request).outputs]
        self.assertEqual(names(), ["sum", "difference"])
        request.outputs.add(name="difference")
        self.assertEqual(names(), ["difference"])
        request.outputs.add(name="sum")
        self.assertEqual(names(), ["difference", "sum"])
        self.assertEqual(len(self.infer(request).raw_output_contents), 2)

    def test_parameters_of_ones_own_are_passed_over(self):
        request = self.pair()
        request.parameters["mine"].double_param = 0.5
        request.parameters["other"].string_param = "text"
        request.inputs[0].parameters["mine"].bool_param = True
        request.outputs.add(name="sum").parameters["binary_data"].bool_param = True
        self.infer(request)

    # What is refused.

    def test_contents_and_raw(self):
        self.refused_pair(lambda r: r.inputs[0].contents.fp32_contents.extend([0] * 6), "contents")
        for count in (0, 1, 3, 5):
            def change(request, count=count):
                del request.raw_input_contents[:]
                request.raw_input_contents.extend([bytes(24)] * count)
            texts = [f"got {count} raw_input_contents for 2 inputs"] if count else ["0 bytes"]
            self.refused_pair(change, *texts)

    def test_typed_fields(self):
        for datatype, own in TYPED.items():
            for field in FIELDS - {own}:
                request = pb.ModelInferRequest(model_name=datatype)
                tensor = request.inputs.add(name="x", datatype=datatype, shape=[1, 3])
                value = b"1" if field == "bytes_contents" else 1
                getattr(tensor.contents, field).extend([value] * 3)
                self.refused(request, 'input "x"', own)
                getattr(tensor.contents, own).extend([1, 1, 1])
                self.refused(request, 'input "x"', own, field)
        for datatype in ("FP16", "BF16"):
            request = pb.ModelInferRequest(model_name="FP32")
            tensor = request.inputs.add(name="x", datatype=datatype, shape=[1, 3])
            tensor.contents.fp32_contents.extend([1, 1, 1])
            self.refused(request, datatype)

    def test_values_out_of_the_datatypes_range(self):
        for datatype, values in {"INT8": (-129, 128, 300, -2**31), "UINT8": (256, 2**32 - 1),
                                 "INT16": (-2**15 - 1, 2**15), "UINT16": (2**16,)}.items():
            for value in values:
                request = pb.ModelInferRequest(model_name=datatype)
                tensor = request.inputs.add(name="x", datatype=datatype, shape=[1, 3])
                getattr(tensor.contents, TYPED[datatype]).extend([0, value, 0])
                self.refused(request, str(value), datatype)

    def test_byte_counts(self):
        for datatype, (_, width, _) in DATATYPES.items():
            for size in (0, 1, 3 * width - 1, 3 * width + 1, 6 * width):
                if size != 3 * width:
                    self.refused(self.raw(datatype, bytes(size)), f"got {size} bytes",
                                 f"wants {3 * width}")
        request = pb.ModelInferRequest(model_name="FP32")
        request.inputs.add(name="x", datatype="FP32", shape=[1, 3])
        self.refused(request, "got 0 bytes")
        request.inputs[0].contents.fp32_contents.extend([1, 2])
        self.refused(request, "got 8 bytes")

    def test_shapes(self):
        for shape in ([-1, 3], [2, -1], [-2, 3], [2, -7], [2, 4], [6], [2, 3, 1], [], [0, 3], [2, 0],
                      [2**4, 2**60 + 2], [4, 2**60 + 2], [2**63 - 1, 3], [2**63 - 1, 2**63 - 1],
                      [0, 2**62], [2**31, 3], [65537, 3], [-2**63, 3], [1] * 64, [1] * 1_000_000):
            def change(request, shape=shape):
                del request.inputs[0].shape[:]
                request.inputs[0].shape.extend(shape)
            self.refused_pair(change)

    def test_rows_that_disagree(self):
        self.refused(self.pair((2, 3)), '"b"', "number of rows")

    def test_names_and_datatypes(self):
        self.refused_pair(lambda r: setattr(r.inputs[0], "name", "c"), '"c"', '"a", "b"')
        self.refused_pair(lambda r: setattr(r.inputs[0], "name", "b"), "twice")
        self.refused_pair(lambda r: setattr(r.inputs[0], "name", ""), '""')
        self.refused_pair(lambda r: setattr(r.inputs[0], "name", "a\0"), r"a\x00")

        def lacks_b(request):
            del request.inputs[1], request.raw_input_contents[1]
        self.refused_pair(lacks_b, 'missing: "b"')
        for datatype in ("INT8", "BYTES", "FP16", "fp32", "FP64", "", "x" * 100_000):
            self.refused_pair(lambda r, d=datatype: setattr(r.inputs[0], "datatype", d), "FP32")
        request = pb.ModelInferRequest(model_name="FP32")
        tensor = request.inputs.add(name="x", datatype="BYTES", shape=[1, 3])
        tensor.contents.bytes_contents.extend([b"a", b"b", b"c"])
        self.refused(request, "BYTES")

    def test_requested_outputs(self):
        self.refused_pair(lambda r: r.outputs.add(name="product"), '"product"',
                          '"sum", "difference"')
        self.refused_pair(lambda r: r.outputs.extend(
            [r.InferRequestedOutputTensor(name="sum")] * 2), "twice")
        self.refused_pair(lambda r: r.outputs.extend(
            [r.InferRequestedOutputTensor(name="sum")] * 100_000), "more than")
        for count in (0, -1, 4, 2**31, 2**62):
            self.refused_pair(lambda r, n=count: setattr(
                r.outputs.add(name="sum").parameters["classification"], "int64_param", n),
                "classification")

    def test_models_and_versions(self):
        for name, code in (("", INVALID), ("nobody", Code.NOT_FOUND), ("broken", Code.UNAVAILABLE),
                           ("../pair", Code.NOT_FOUND), ("pair/", Code.NOT_FOUND),
                           ("/etc/passwd", Code.NOT_FOUND), ("x" * 1_000_000, Code.NOT_FOUND)):
            self.refused_pair(lambda r, n=name: setattr(r, "model_name", n), code=code)
        for version, code in (("2", Code.NOT_FOUND), ("0", None), ("-1", None), ("1x", INVALID),
                              ("one two", INVALID), (" 1", INVALID), ("9" * 40, None),
                              ("x" * 100_000, INVALID)):
            request = self.pair()
            request.model_version = version
            with self.assertRaises(grpc.RpcError) as raised:
                self.infer(request)
            wanted = (code,) if code else (Code.NOT_FOUND, INVALID)
            self.assertIn(raised.exception.code(), wanted, (version[:40], raised.exception))
            self.assertLess(len(raised.exception.details()), 4096)

    def test_parameters(self):
        def parameter(name, kind, value):
            return lambda r: setattr(r.parameters[name], kind, value)

        for name, kind, value in (
                ("triton_unknown", "bool_param", True), ("octet_unknown", "bool_param", True),
                ("sequence_id", "bool_param", True), ("sequence_id", "double_param", 1.0),
                ("sequence_start", "int64_param", 1), ("sequence_end", "string_param", "x"),
                ("priority", "int64_param", -1), ("priority", "string_param", "1"),
                ("timeout", "string_param", "1"), ("timeout", "int64_param", -1),
                ("timeout", "uint64_param", 1), ("octet_timing", "int64_param", 1),
                ("octet_typed_outputs", "string_param", "true"),
                ("binary_data_output", "int64_param", 1)):
            self.refused_pair(parameter(name, kind, value), name)
        self.refused_pair(parameter("timeout", "int64_param", 1), code=Code.DEADLINE_EXCEEDED)

    def test_shared_memory(self):
        def shared(**parameters):
            def change(request):
                del request.raw_input_contents[0]
                for name, value in parameters.items():
                    kind = "string_param" if isinstance(value, str) else "int64_param"
                    setattr(request.inputs[0].parameters[f"shared_memory_{name}"], kind, value)
            return change

        self.refused_pair(shared(region="r"), "shared_memory_byte_size")
        self.refused_pair(shared(byte_size=24), "shared_memory_region")
        self.refused_pair(shared(offset=0), "shared_memory_region")
        self.refused_pair(shared(region="r", byte_size=0), "at least 1")
        self.refused_pair(shared(region="r", byte_size=24, offset=-1), "at least 0")
        self.refused_pair(shared(region=7, byte_size=24), "shared_memory_region")
        self.refused_pair(shared(region="r", byte_size=24, colour="red"), "shared_memory_colour")
        self.refused_pair(shared(region="r", byte_size=24), '"r" is not registered',
                          code=Code.NOT_FOUND)

        def with_contents(request):
            shared(region="r", byte_size=24)(request)
            request.inputs[0].contents.fp32_contents.extend([0] * 6)
        self.refused_pair(with_contents, "wants one of them")

        def with_raw(request):
            shared(region="r", byte_size=24)(request)
            request.raw_input_contents.append(bytes(24))
        self.refused_pair(with_raw, "1 of them in shared memory")

    def test_bytes_that_are_no_request(self):
        call = self.channel.unary_unary("/inference.GRPCInferenceService/ModelInfer",
                                        request_serializer=lambda x: x)
        whole = self.pair().SerializeToString()
        nested = b""
        for _ in range(200):
            nested = b"\x2a" + bytes([len(nested) & 0x7F]) + nested[:100]
        for message in (b"\xff" * 10, b"\x0a\xff\xff\xff\xff\x0f", whole[:-1], whole[:40],
                        b"\x0a\x02\xc3\x28", b"\x1a\x01\xff", b"\x08" * 1000, nested,
                        b"\x3a\x00" * 1_000_000, b"\x2a\x00" * 1_000_000,
                        b"\x22\x00" * 1_000_000):
            with self.assertRaises(grpc.RpcError) as raised:
                call(message, timeout=60)
            self.assertEqual(raised.exception.code(), INVALID, raised.exception.details())
            type(self).refusals += 1
        self.infer(self.pair())

    def test_other_methods_refuse_alike(self):
        for method, request in itertools.product(
                ("ModelMetadata", "ModelConfig", "ModelReady", "ModelStatistics"),
                ({"name": "nobody"}, {"name": "pair", "version": "7"},
                 {"name": "pair", "version": "1x"}, {"name": "../pair"})):
            message = getattr(pb, f"{method}Request")(**request)
            with self.assertRaises(grpc.RpcError) as raised:
                getattr(self.stub, method)(message, timeout=60)
            self.assertIn(raised.exception.code(),
                          (INVALID,) if request.get("version") == "1x" else (Code.NOT_FOUND,),
                          (method, request))
        self.assertFalse(self.stub.ModelReady(pb.ModelReadyRequest(name="broken")).ready)

    def test_models_are_named_and_no_paths(self):
        for name in ("", "..", ".", "../etc", "a/../b", "/etc/passwd", "pair/", " ..", ".. ", "a\nb",
                     "a\0b", "x" * 1_000_000):
            for method in ("Load", "Unload"):
                request = getattr(pb, f"RepositoryModel{method}Request")(model_name=name)
                with self.assertRaises(grpc.RpcError) as raised:
                    getattr(self.stub, f"RepositoryModel{method}")(request, timeout=60)
                self.assertEqual(raised.exception.code(), INVALID, name[:40])
        for name, value in (("config", "{}"), ("file:1/../../x", b"x"), ("file:1/model", b"x")):
            request = pb.RepositoryModelLoadRequest(model_name="pair")
            kind = "string_param" if isinstance(value, str) else "bytes_param"
            setattr(request.parameters[name], kind, value)
            with self.assertRaises(grpc.RpcError) as raised:
                self.stub.RepositoryModelLoad(request, timeout=60)
            self.assertEqual(raised.exception.code(), INVALID)
            self.assertIn("is not taken", raised.exception.details())

    def test_a_load_of_kserves_flavour_is_told_so(self):
        """KServe has the model's name in the field that is the repository's name here."""
        for method in ("Load", "Unload"):
            request = getattr(pb, f"RepositoryModel{method}Request")(repository_name="pair")
            with self.assertRaises(grpc.RpcError) as raised:
                getattr(self.stub, f"RepositoryModel{method}")(request, timeout=60)
            self.assertEqual(raised.exception.code(), INVALID)
            self.assertIn("model_name, which is field 2", raised.exception.details())


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
