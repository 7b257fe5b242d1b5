# SPDX-License-Identifier: Apache-2.0
"""The benchmark's models for MLServer."""
import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


def _answer(model: MLModel, values: np.ndarray) -> InferenceResponse:
    return InferenceResponse(model_name=model.name, model_version="1",
                             outputs=[NumpyCodec.encode_output("y", values)])


class IdentityModel(MLModel):
    async def load(self) -> bool:
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        return _answer(self, NumpyCodec.decode_input(payload.inputs[0]))


class OnnxModel(MLModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(os.environ["OCTET_BENCH_ONNX"], options)
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        rows = NumpyCodec.decode_input(payload.inputs[0]).astype(np.float32, copy=False)
        return _answer(self, self._session.run(["y"], {"x": rows})[0])
