# SPDX-License-Identifier: Apache-2.0
"""Stands in for octet-server: answers each model's first requests and fails the rest.

Usage: python -m tests.support.failing_server ANSWERS [FLAG...]

Takes octet-server's flags and listens on free ports. The first ANSWERS requests of each model, any
name, are answered with ten numbers a row; later ones are UNAVAILABLE.
"""

import collections
import concurrent.futures
import signal
import sys
import threading

import grpc
import numpy as np

from tests.support import inference_stubs

pb, services = inference_stubs.load()


class FailingServer(services.GRPCInferenceServiceServicer):
    def __init__(self, answers: int):
        self.answers = answers
        self.requests = collections.Counter()
        self.lock = threading.Lock()

    def ModelMetadata(self, request, context):
        metadata = pb.ModelMetadataResponse(name=request.name, versions=["1"], platform="fake")
        metadata.inputs.add(name="x", datatype="FP32", shape=[-1, 64])
        metadata.outputs.add(name="y", datatype="FP32", shape=[-1, 10])
        return metadata

    def ModelInfer(self, request, context):
        with self.lock:
            self.requests[request.model_name] += 1
            is_late = self.requests[request.model_name] > self.answers
        if is_late:
            context.abort(grpc.StatusCode.UNAVAILABLE, "this server has answered enough")
        rows = request.inputs[0].shape[0]
        response = pb.ModelInferResponse(model_name=request.model_name, model_version="1")
        response.outputs.add(name="y", datatype="FP32", shape=[rows, 10])
        response.raw_output_contents.append(np.eye(rows, 10, dtype=np.float32).tobytes())
        return response


def main() -> int:
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(4))
    services.add_GRPCInferenceServiceServicer_to_server(FailingServer(int(sys.argv[1])), server)
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    print(f"octet-server ready grpc=127.0.0.1:{port} http=127.0.0.1:1 metrics=127.0.0.1:1",
          flush=True)
    signal.sigwait({signal.SIGTERM, signal.SIGINT})
    server.stop(0)
    return 0


if __name__ == "__main__":
    # Before any thread is started, so that none of them is ended by one.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
    sys.exit(main())
