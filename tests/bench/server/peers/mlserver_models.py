# SPDX-License-Identifier: Apache-2.0
"""The benchmark's models for MLServer. OCTET_BENCH_MODELS: as in kserve_server.py."""
import json
import os

import numpy as np
import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class IdentityModel(MLModel):
    async def load(self) -> bool:
        return True

    def compute(self, rows: np.ndarray) -> np.ndarray:
        return rows

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        values = self.compute(NumpyCodec.decode_input(payload.inputs[0]))
        return InferenceResponse(model_name=self.name, model_version="1",
                                 outputs=[NumpyCodec.encode_output("y", values)])


class OnnxModel(IdentityModel):
    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        path = json.loads(os.environ["OCTET_BENCH_MODELS"])[self.name]
        self._session = onnxruntime.InferenceSession(path, options)
        return True

    def compute(self, rows: np.ndarray) -> np.ndarray:
        return self._session.run(["y"], {"x": rows.astype(np.float32, copy=False)})[0]
