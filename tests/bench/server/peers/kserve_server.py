# SPDX-License-Identifier: Apache-2.0
"""KServe's model server with the benchmark's models: kserve_server.py --http_port P --grpc_port Q.
OCTET_BENCH_MODELS: the name of each and its ONNX file, none for an identity, as JSON."""
import json
import os

import onnxruntime
from kserve import InferOutput, InferResponse, Model, ModelServer


class Identity(Model):
    def __init__(self, name: str):
        super().__init__(name)
        self.ready = True

    def compute(self, rows):
        return rows

    async def predict(self, payload, headers=None, response_headers=None):
        values = self.compute(payload.inputs[0].as_numpy())
        output = InferOutput("y", list(values.shape), "FP32")
        output.set_data_from_numpy(values, binary_data=True)
        return InferResponse(payload.id or "1", self.name, [output])


class Onnx(Identity):
    def __init__(self, name: str, path: str):
        super().__init__(name)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(path, options)

    def compute(self, rows):
        return self._session.run(["y"], {"x": rows})[0]


if __name__ == "__main__":
    MODELS = json.loads(os.environ["OCTET_BENCH_MODELS"])
    ModelServer(workers=1).start([Onnx(name, path) if path else Identity(name)
                                  for name, path in MODELS.items()])
