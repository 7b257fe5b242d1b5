# SPDX-License-Identifier: Apache-2.0
"""Everything at once for a long time: good, bad, cancelled and broken-off requests, streams,
JSON over HTTP, scrapes, watches, loads and unloads. The server keeps its memory, its file descriptors and its threads, answers every good request
rightly, and ends well.

OCTET_SOAK_SECONDS is how long, 120 unless given.
"""

import collections
import json
import os
import pathlib
import random
import struct
import sys
import threading
import time
import traceback
import unittest
import urllib.request

import grpc
import numpy as np

from tests.support import inference_stubs
from tests.support.http2_connection import Http2Connection
from tests.support.server_process import ZOO, ServerProcess

pb, services = inference_stubs.load()
SECONDS = float(os.environ.get("OCTET_SOAK_SECONDS", "120"))
MIB = 1 << 20
RELOADED = "digits-mlp-int4"  # which nobody asks
MODELS = ("digits-fp32", "digits-int8", "digits-int4", "digits-mlp-int8", "digits-mlp-int8-static")
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")
INFER = "/inference.GRPCInferenceService/ModelInfer"
MOST_ROWS = 16


def raw(kind, path):
    """A callable on bytes, of `channel.unary_unary` and the like."""
    return kind(path, request_serializer=lambda x: x, response_deserializer=lambda x: x)


class Usage:
    """What the server holds at a moment."""

    def __init__(self, pid: int):
        process = pathlib.Path(f"/proc/{pid}")
        status = dict(line.split(":", 1) for line in
                      (process / "status").read_text().splitlines())
        self.memory = int(status["VmRSS"].split()[0]) * 1024
        self.threads = int(status["Threads"])
        self.descriptors = len(list((process / "fd").iterdir()))

    def __str__(self) -> str:
        return f"{self.memory / MIB:.1f} MiB, {self.threads} threads, {self.descriptors} descriptors"


class Load:
    """Clients of every kind, each in a thread of its own until `stop` is set."""

    def __init__(self, server: ServerProcess):
        self.server = server
        self.stop = threading.Event()
        self.counts: collections.Counter[str] = collections.Counter()
        self.failures: list[str] = []
        self.lock = threading.Lock()
        with grpc.insecure_channel(server.grpc) as channel:
            stub = services.GRPCInferenceServiceStub(channel)
            self.names = {model: stub.ModelMetadata(pb.ModelMetadataRequest(name=model)).inputs[0].name
                          for model in MODELS}
            self.answers = {}
            for model in MODELS:
                whole = stub.ModelInfer(self.request(model, 0, len(IMAGES)), timeout=60)
                scores = np.frombuffer(whole.raw_output_contents[0], np.float32).reshape(-1, 10)
                assert (scores.argmax(1) == LABELS).mean() > 0.95, model
                self.answers[model] = scores

    def request(self, model: str, first: int, rows: int):
        message = pb.ModelInferRequest(model_name=model, id=f"{model}/{first}")
        shape = [rows, 64] if "mlp" in model else [rows, 8, 8, 1]
        message.inputs.add(name=self.names[model], datatype="FP32", shape=shape)
        message.raw_input_contents.append(IMAGES[first:first + rows].tobytes())
        return message

    def random_request(self, chance):
        model, rows = chance.choice(MODELS), chance.randint(1, MOST_ROWS)
        first = chance.randint(0, len(IMAGES) - rows)
        return self.request(model, first, rows), self.answers[model][first:first + rows]

    def good(self, chance, channel) -> None:
        message, wanted = self.random_request(chance)
        answer = services.GRPCInferenceServiceStub(channel).ModelInfer(message, timeout=60)
        got = answer.raw_output_contents[0]
        if answer.id != message.id or got != wanted.tobytes():
            raise AssertionError(f"{message.id}: a wrong answer")

    def reconnecting(self, chance, _) -> None:
        with grpc.insecure_channel(self.server.grpc, [("grpc.use_local_subchannel_pool", 1)]) as one:
            self.good(chance, one)

    def streamed(self, chance, channel) -> None:
        pairs = [self.random_request(chance) for _ in range(chance.randint(1, 8))]
        answers = list(services.GRPCInferenceServiceStub(channel).ModelStreamInfer(
            iter([message for message, _ in pairs]), timeout=60))
        if len(answers) != len(pairs):
            raise AssertionError(f"{len(answers)} answers to {len(pairs)} requests of a stream")
        for answer, (message, wanted) in zip(answers, pairs):
            if answer.error_message:
                raise AssertionError(f"{message.id}: {answer.error_message}")
            if answer.infer_response.raw_output_contents[0] != wanted.tobytes():
                raise AssertionError(f"{message.id}: a wrong answer in a stream")

    def over_http(self, chance, _) -> None:
        message, wanted = self.random_request(chance)
        shape = list(message.inputs[0].shape)
        values = np.frombuffer(message.raw_input_contents[0], np.float32).tolist()
        body = json.dumps({"inputs": [{"name": message.inputs[0].name, "datatype": "FP32",
                                       "shape": shape, "data": values}]}).encode()
        url = f"http://{self.server.http}/v2/models/{message.model_name}/infer"
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as answer:
            got = np.array(json.load(answer)["outputs"][0]["data"], np.float32)
        if not np.array_equal(got, wanted.ravel()):
            raise AssertionError(f"{message.id}: a wrong answer over HTTP")

    def reloaded(self, _, channel) -> None:
        stub = services.GRPCInferenceServiceStub(channel)
        stub.RepositoryModelUnload(pb.RepositoryModelUnloadRequest(model_name=RELOADED), timeout=60)
        stub.RepositoryModelLoad(pb.RepositoryModelLoadRequest(model_name=RELOADED), timeout=60)
        time.sleep(0.1)

    def bad(self, chance, channel) -> None:
        message, _ = self.random_request(chance)
        stub = services.GRPCInferenceServiceStub(channel)
        codes = grpc.StatusCode

        def change(edit):
            edit(message)
            return lambda: stub.ModelInfer(message, timeout=60)

        cases = (
            (codes.NOT_FOUND, lambda: change(lambda m: setattr(m, "model_name", "nobody"))),
            (codes.NOT_FOUND, lambda: change(lambda m: setattr(m, "model_version", "9"))),
            (codes.INVALID_ARGUMENT, lambda: change(lambda m: setattr(m.inputs[0], "name", "x?"))),
            (codes.INVALID_ARGUMENT, lambda: change(lambda m: m.raw_input_contents.pop())),
            (codes.INVALID_ARGUMENT, lambda: change(lambda m: m.inputs[0].shape.append(3))),
            (codes.INVALID_ARGUMENT, lambda: change(
                lambda m: setattr(m.parameters["timeout"], "uint64_param", 5))),
            (codes.DEADLINE_EXCEEDED, lambda: change(
                lambda m: setattr(m.parameters["timeout"], "int64_param", 1))),
            (codes.INVALID_ARGUMENT, lambda: lambda: raw(channel.unary_unary, INFER)(
                chance.randbytes(64) + b"\xff", timeout=60)),
            (codes.RESOURCE_EXHAUSTED, lambda: lambda: raw(channel.unary_unary, INFER)(
                bytes(2 * MIB), timeout=60)),
            (codes.UNIMPLEMENTED, lambda: lambda: raw(channel.unary_unary, "/no.such/Method")(
                b"", timeout=60)),
            (codes.UNIMPLEMENTED, lambda: lambda: stub.ModelInfer(
                message, timeout=60, compression=grpc.Compression.Gzip)),
        )
        wanted, make = chance.choice(cases)
        call = make()
        try:
            call()
        except grpc.RpcError as error:
            if error.code() is wanted:
                return
            raise AssertionError(f"wanted {wanted}, got {error.code()}: {error.details()}") from error
        raise AssertionError(f"wanted {wanted}, got an answer")

    def cancelled(self, chance, channel) -> None:
        message, _ = self.random_request(chance)
        call = services.GRPCInferenceServiceStub(channel).ModelInfer.future(message, timeout=60)
        time.sleep(chance.uniform(0, 0.002))
        call.cancel()
        if call.code() not in (grpc.StatusCode.CANCELLED, grpc.StatusCode.OK):
            raise AssertionError(f"a cancelled call ended as {call.code()}")

    def broken_off(self, chance, _) -> None:
        with Http2Connection(self.server.grpc) as connection:
            for _ in range(chance.randint(1, 4)):
                stream = connection.open(INFER)
                size = chance.randint(2, 20000)
                connection.h2.send_data(
                    stream, b"\0" + struct.pack(">I", size) + bytes(chance.randint(0, min(size - 1, 16000))))
            connection.flush()
            time.sleep(chance.uniform(0, 0.01))

    def scraped(self, chance, _) -> None:
        address, path = chance.choice(((self.server.metrics, "/metrics"), (self.server.http, "/"),
                                       (self.server.http, "/v2/health/ready"),
                                       (self.server.http, "/v2/models/digits-int8")))
        with urllib.request.urlopen(f"http://{address}{path}", timeout=60) as answer:
            if not answer.read():
                raise AssertionError(f"{path}: nothing")
        time.sleep(0.02)

    def watched(self, chance, channel) -> None:
        watches = [raw(channel.unary_stream, "/grpc.health.v1.Health/Watch")(b"", timeout=60)
                   for _ in range(chance.randint(1, 20))]
        for watch in watches:
            if next(watch) != b"\x08\x01":  # status: SERVING
                raise AssertionError("it is not serving")
        for watch in watches:
            watch.cancel()
        time.sleep(0.02)

    def run_clients(self, kind: str, seed: int) -> None:
        chance = random.Random(seed)
        with grpc.insecure_channel(self.server.grpc, [("id", seed)]) as channel:
            while not self.stop.is_set():
                try:
                    getattr(self, kind)(chance, channel)
                except Exception:  # whatever a client meets is told at the end
                    with self.lock:
                        self.failures.append(f"{kind}: {traceback.format_exc()}")
                    if len(self.failures) > 20:
                        return
                with self.lock:
                    self.counts[kind] += 1

    def __enter__(self) -> "Load":
        kinds = ("good", "good", "good", "reconnecting", "bad", "cancelled", "broken_off", "scraped",
                 "watched", "streamed", "over_http", "reloaded")
        self.threads = [threading.Thread(target=self.run_clients, args=(kind, seed))
                        for seed, kind in enumerate(kinds)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, kind, value, trace) -> None:
        self.stop.set()
        for thread in self.threads:
            thread.join()


class SoakTest(unittest.TestCase):
    def test_it_keeps_what_it_holds_and_answers_rightly(self):
        with ServerProcess(ZOO / "repository", "--max-request-bytes", "1MiB") as server:
            pid = server.process.pid
            load = Load(server)
            idle = Usage(pid)
            started = time.monotonic()
            samples: list[tuple[float, Usage]] = []
            with load:
                while time.monotonic() < started + SECONDS and not load.failures:
                    time.sleep(min(0.5, SECONDS / 40))
                    samples.append(((time.monotonic() - started) / SECONDS, Usage(pid)))
            print(f"{SECONDS:.0f} s: {dict(load.counts)}; idle: {idle}; at the end: {samples[-1][1]}")
            self.assertFalse(load.failures, "\n".join(load.failures[:3]))
            for kind in ("good", "reconnecting", "bad", "cancelled", "broken_off", "scraped",
                         "watched", "streamed", "over_http", "reloaded"):
                self.assertGreater(load.counts[kind], 10, kind)

            # A quarter to warm up, a quarter to see what it takes; the last quarter must be as that.
            before = [usage for when, usage in samples if 0.25 < when <= 0.5]
            after = [usage for when, usage in samples if when > 0.75]
            for what, spare in (("memory", 16 * MIB), ("threads", 4), ("descriptors", 16)):
                most = max(getattr(usage, what) for usage in before)
                self.assertLessEqual(max(getattr(usage, what) for usage in after), most + spare, what)
            # The clients are gone: so is what was held for them.
            deadline = time.monotonic() + 20
            while time.monotonic() < deadline and Usage(pid).descriptors > idle.descriptors + 2:
                time.sleep(0.1)
            end = Usage(pid)
            self.assertLessEqual(end.descriptors, idle.descriptors + 2)
            self.assertLessEqual(end.threads, idle.threads + 4)
            self.assertEqual(server.stop(), 0)
            self.assertFalse([line for line in server.log
                              if " error " in line or " critical " in line])


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
