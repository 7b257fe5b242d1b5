# SPDX-License-Identifier: Apache-2.0
"""What proto/inference says is what NVIDIA's client, which we did not write, sends and reads: every
message, enum and method that we carry has the names, numbers, types and labels published there."""

import pathlib
import sys
import tempfile
import unittest

import google.protobuf
from google.protobuf import descriptor_pb2
from grpc_tools import protoc
from tritonclient.grpc import model_config_pb2, service_pb2

ROOT = pathlib.Path(__file__).resolve().parents[2]
PROTO = "proto/inference/open_inference_grpc.proto"
# Published with the protocol itself and not by NVIDIA, whose numbers must leave room for it.
PROTOCOL_ONLY = {"inference.ModelMetadataResponse": {"properties": 6}}
PROTOCOL_ONLY_MESSAGES = {"inference.ModelMetadataResponse.PropertiesEntry"}


def described(descriptor, message):
    descriptor.CopyToProto(message)
    return message


def our_file() -> descriptor_pb2.FileDescriptorProto:
    """Read, not loaded: one process holds one message of a name only."""
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "set"
        bundled = pathlib.Path(protoc.__file__).parent / "_proto"
        status = protoc.main(["protoc", f"-I{ROOT}", f"-I{bundled}",
                              f"--descriptor_set_out={out}", PROTO])
        assert status == 0, f"protoc ended with {status}"
        return descriptor_pb2.FileDescriptorSet.FromString(out.read_bytes()).file[0]


def messages(parent: str, listed) -> dict[str, descriptor_pb2.DescriptorProto]:
    """By full name, nested ones too."""
    found = {}
    for message in listed:
        name = f"{parent}.{message.name}"
        found[name] = message
        found.update(messages(name, message.nested_type))
    return found


def enums(package: str, file, all_messages) -> dict[str, dict[str, int]]:
    found = {f"{package}.{enum.name}": enum for enum in file.enum_type}
    for name, message in all_messages.items():
        found.update({f"{name}.{enum.name}": enum for enum in message.enum_type})
    return {name: {value.name: value.number for value in enum.value}
            for name, enum in found.items()}


def fields(message) -> dict[str, tuple]:
    """What goes over the wire of each field, and which of a message may be set at once."""
    oneofs = [oneof.name for oneof in message.oneof_decl]
    return {field.name: (field.number, field.type, field.label, field.type_name,
                         oneofs[field.oneof_index] if field.HasField("oneof_index") else None)
            for field in message.field}


class PublishedNumbersTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.ours = our_file()
        cls.published = [described(module.DESCRIPTOR, descriptor_pb2.FileDescriptorProto())
                         for module in (service_pb2, model_config_pb2)]
        cls.our_messages = messages("inference", cls.ours.message_type)
        cls.their_messages = {}
        for file in cls.published:
            assert file.package == cls.ours.package == "inference", file.package
            cls.their_messages.update(messages("inference", file.message_type))

    def test_every_message_is_a_published_one(self):
        self.assertGreater(len(self.our_messages), 50)
        self.assertEqual(set(self.our_messages) - set(self.their_messages), PROTOCOL_ONLY_MESSAGES)

    def test_every_field_is_the_published_one(self):
        compared = 0
        for name, message in self.our_messages.items():
            if name in PROTOCOL_ONLY_MESSAGES:
                continue
            theirs = fields(self.their_messages[name])
            numbers = {number: field for field, (number, *_) in theirs.items()}
            for field, ours in fields(message).items():
                with self.subTest(f"{name}.{field}"):
                    if number := PROTOCOL_ONLY.get(name, {}).get(field):
                        self.assertEqual(ours[0], number)
                        self.assertNotIn(number, numbers)
                    else:
                        self.assertEqual(ours, theirs.get(field))
                    compared += 1
        self.assertGreater(compared, 150)

    def test_every_enum_has_the_published_values(self):
        ours = enums("inference", self.ours, self.our_messages)
        theirs = {}
        for file in self.published:
            theirs.update(enums("inference", file, self.their_messages))
        self.assertTrue(ours)
        for name, values in ours.items():
            for value, number in values.items():
                self.assertEqual(number, theirs[name].get(value), f"{name}.{value}")

    def test_every_method_is_the_published_one(self):
        def signatures(file):
            return {method.name: (method.input_type, method.output_type, method.client_streaming,
                                  method.server_streaming)
                    for service in file.service if service.name == "GRPCInferenceService"
                    for method in service.method}

        ours, theirs = signatures(self.ours), signatures(self.published[0])
        self.assertGreater(len(ours), 10)
        for name, signature in ours.items():
            self.assertEqual(signature, theirs.get(name), name)


if __name__ == "__main__":
    print(f"protobuf {google.protobuf.__version__}")
    unittest.main(argv=sys.argv[:1], verbosity=2)
