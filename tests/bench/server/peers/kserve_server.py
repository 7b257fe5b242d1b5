# SPDX-License-Identifier: Apache-2.0
"""KServe's model server with the benchmark's models: kserve_server.py --http_port P --grpc_port Q."""
import os

import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer


def _answer(request, model: str, values) -> InferResponse:
    output = InferOutput("y", list(values.shape), "FP32")
    output.set_data_from_numpy(values, binary_data=True)
    return InferResponse(request.id or "1", model, [output])


class Identity(Model):
    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    async def predict(self, request, headers=None, response_headers=None):
        return _answer(request, self.name, request.inputs[0].as_numpy())


class Onnx(Model):
    def __init__(self, name: str, path: str):
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options)
        self.ready = True

    async def predict(self, request, headers=None, response_headers=None):
        outputs = self._session.run(["y"], {"x": request.inputs[0].as_numpy()})
        return _answer(request, self.name, outputs[0])


if __name__ == "__main__":
    ModelServer().start([Identity("identity16"), Identity("identity_img"),
                         Onnx("digits_mlp", os.environ["OCTET_BENCH_ONNX"])])
