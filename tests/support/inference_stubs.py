# SPDX-License-Identifier: Apache-2.0
"""Plain gRPC stubs, generated from our proto by grpcio-tools: what any client has."""

import importlib
import pathlib
import sys
import tempfile

from grpc_tools import protoc

ROOT = pathlib.Path(__file__).resolve().parents[2]


def load():
    """The modules (messages, services) of open_inference_grpc.proto."""
    out = tempfile.mkdtemp(prefix="octet-stubs-")
    source = ROOT / "proto" / "inference"
    status = protoc.main(
        ["protoc", f"-I{source}", f"--python_out={out}", f"--grpc_python_out={out}",
         "open_inference_grpc.proto"]
    )
    assert status == 0, f"protoc ended with {status}"
    sys.path.insert(0, out)
    return (
        importlib.import_module("open_inference_grpc_pb2"),
        importlib.import_module("open_inference_grpc_pb2_grpc"),
    )
