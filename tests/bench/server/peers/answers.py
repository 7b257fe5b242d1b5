# SPDX-License-Identifier: Apache-2.0
"""Whether a server computes what it is to compute: asked before it is measured."""
import pathlib
import sys

import grpc
import numpy as np

from measuring import Failed
from peers import make_models, served_models
from peers.served_models import ServedModel

sys.path.insert(0, str(make_models.ROOT))
from tests.support import inference_stubs  # noqa: E402

TIMEOUT_SECONDS = 60
messages, services = inference_stubs.load()


def _infer(stub, model: ServedModel, rows: np.ndarray) -> np.ndarray:
    request = messages.ModelInferRequest(model_name=model.name, id="1")
    request.inputs.add(name="x", datatype="FP32", shape=rows.shape)
    request.raw_input_contents.append(rows.tobytes())
    response = stub.ModelInfer(request, timeout=TIMEOUT_SECONDS)
    output = response.outputs[0]
    data = (np.frombuffer(response.raw_output_contents[0], np.float32)
            if response.raw_output_contents
            else np.array(output.contents.fp32_contents, np.float32))
    shape = tuple(output.shape)
    if (output.name, output.datatype, shape) != ("y", "FP32", (len(rows), *model.output_dims)):
        raise Failed(f"answer {output.name} {output.datatype}{list(shape)}, want y FP32"
                     f"{[len(rows), *model.output_dims]}")
    return data.reshape(shape)


def _check(stub, model: ServedModel, rows: np.ndarray, wanted: np.ndarray) -> float:
    answer = _infer(stub, model, rows)
    norm = np.linalg.norm
    error = float(norm(answer - wanted) / norm(wanted))
    if not error <= model.tolerance:  # nor with NaN
        raise Failed(f"answers of {len(rows)} rows are {error:.2g} from those wanted, may be "
                     f"{model.tolerance:.2g}")
    return error


def check(server, folder: pathlib.Path = make_models.FOLDER) -> dict[str, float]:
    """Each model of `server`, which has been started, answers one row and several as it is to.
    Returns how far the answers are from the float ones; raises measuring.Failed."""
    errors = {}
    options = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
    with grpc.insecure_channel(server.grpc_address, options) as channel:
        stub = services.GRPCInferenceServiceStub(channel)
        for model in (*served_models.SMALL, *served_models.LARGE):
            if model.name not in server.models:
                continue
            rows, wanted = model.rows(folder)
            try:
                errors[model.name] = max(_check(stub, model, rows[:1], wanted[:1]),
                                         _check(stub, model, rows, wanted))
            except (Failed, grpc.RpcError) as failure:
                raise Failed(f"{server.name}, {model.name}: {failure}") from failure
    return errors
