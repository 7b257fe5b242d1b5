# SPDX-License-Identifier: Apache-2.0
"""Whether a server computes what it is to compute: asked before it is measured."""
import math
import pathlib
import sys
import time

import grpc
import numpy as np

from measuring import Failed
from peers import make_models, served_models
from peers.served_models import ServedModel

sys.path.insert(0, str(make_models.ROOT))
from tests.support import inference_stubs  # noqa: E402

TIMEOUT_SECONDS = 60
AT_ONCE_ROUNDS = 4
messages, services = inference_stubs.load()


def _send(stub, model: ServedModel, rows: np.ndarray):
    """Returns what is to come."""
    request = messages.ModelInferRequest(model_name=model.name, id="1")
    request.inputs.add(name="x", datatype="FP32", shape=rows.shape)
    request.raw_input_contents.append(rows.tobytes())
    return stub.ModelInfer.future(request, timeout=TIMEOUT_SECONDS)


def _read(response, wanted_shape: tuple[int, ...]) -> np.ndarray:
    outputs = [(output.name, output.datatype, *output.shape) for output in response.outputs]
    if outputs != [("y", "FP32", *wanted_shape)]:
        raise Failed(f"answers {outputs}, want {[('y', 'FP32', *wanted_shape)]}")
    data = (np.frombuffer(response.raw_output_contents[0], np.float32)
            if response.raw_output_contents
            else np.array(response.outputs[0].contents.fp32_contents, np.float32))
    if data.size != math.prod(wanted_shape):
        raise Failed(f"answers {data.size} numbers, want {math.prod(wanted_shape)}")
    return data.reshape(wanted_shape)


def _check(model: ServedModel, future, rows: np.ndarray, wanted: np.ndarray) -> float:
    answer = _read(future.result(), wanted.shape)
    norm = np.linalg.norm
    error = float(norm(answer - wanted) / norm(wanted))
    if not error <= model.tolerance:  # nor with NaN
        raise Failed(f"answers of {len(rows)} rows are {error:.2g} from those wanted, may be "
                     f"{model.tolerance:.2g}")
    return error


def _check_model(stub, model: ServedModel, rows: np.ndarray, wanted: np.ndarray) -> float:
    """One row, then several, then many requests of one and two rows at once, which a server may
    compute as a batch: each is to get its own answer."""
    errors = [_check(model, _send(stub, model, rows[part]), rows[part], wanted[part])
              for part in (slice(0, 1), slice(None))]
    parts = [slice(i, i + 1 + i % 2) for i in range(len(rows) - 1)] * AT_ONCE_ROUNDS
    futures = [_send(stub, model, rows[part]) for part in parts]
    errors += [_check(model, future, rows[part], wanted[part])
               for future, part in zip(futures, parts)]
    return max(errors)


def check(server, folder: pathlib.Path = make_models.FOLDER) -> dict[str, float]:
    """Each model of `server`, which has been started, answers as it is to. Returns how far the
    answers are from the float ones; raises measuring.Failed."""
    errors = {}
    options = [(f"grpc.max_{way}_message_length", -1) for way in ("send", "receive")]
    with grpc.insecure_channel(server.grpc_address, options) as channel:
        stub = services.GRPCInferenceServiceStub(channel)
        for model in (*served_models.SMALL, *served_models.LARGE):
            if model.name not in server.models:
                continue
            rows, wanted = model.rows(folder)
            try:
                errors[model.name] = _check_model(stub, model, rows, wanted)
            except (Failed, grpc.RpcError) as failure:
                raise Failed(f"{server.name}, {model.name}: {failure}") from failure
    return errors


def check_first(server) -> None:
    """The same, of a server that is started for that alone: what it is asked here leaves nothing in
    the one that is measured."""
    with server:
        check(server)


def executions(server, model: ServedModel) -> tuple[int, int]:
    """Of the requests that check() has sent: how many the server's statistics know, and how many
    runs those took."""
    deadline = time.monotonic() + TIMEOUT_SECONDS
    wanted = 2 + AT_ONCE_ROUNDS * (make_models.NUM_ROWS - 1)
    with grpc.insecure_channel(server.grpc_address) as channel:
        stub = services.GRPCInferenceServiceStub(channel)
        request = messages.ModelStatisticsRequest(name=model.name)
        while True:  # they follow the answers
            found = stub.ModelStatistics(request, timeout=TIMEOUT_SECONDS).model_stats[0]
            requests = found.inference_stats.success.count
            if requests >= wanted or time.monotonic() > deadline:
                return requests, found.execution_count
            time.sleep(0.1)
