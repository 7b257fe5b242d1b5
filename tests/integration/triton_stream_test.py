# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's tritonclient, unchanged, over ModelStreamInfer of the real server."""

import asyncio
import queue
import sys
import time
import unittest
import urllib.request

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
MODEL = "digits-mlp-int8"


def input_of(name: str, row: int) -> triton.InferInput:
    x = triton.InferInput(name, [1, 64], "FP32")
    x.set_data_from_numpy(IMAGES[row % len(IMAGES)].reshape(1, 64))
    return x


class TritonStreamTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess()
        with triton.InferenceServerClient(cls.server.grpc) as client:
            metadata = client.get_model_metadata(MODEL)
            cls.input = metadata.inputs[0].name
            cls.output = metadata.outputs[0].name
            cls.scores = []
            for row in range(len(IMAGES)):
                result = client.infer(MODEL, [input_of(cls.input, row)])
                cls.scores.append(result.as_numpy(cls.output)[0])

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def setUp(self):
        self.client = triton.InferenceServerClient(self.server.grpc)
        self.answers = queue.Queue()

    def tearDown(self):
        self.client.close()

    def start(self, **arguments):
        self.client.start_stream(lambda result, error: self.answers.put((result, error)),
                                 **arguments)

    def send(self, row, **arguments):
        self.client.async_stream_infer(MODEL, [input_of(self.input, row)], request_id=str(row),
                                       **arguments)

    def next_answer(self):
        return self.answers.get(timeout=30)

    def expect(self, row):
        result, error = self.next_answer()
        self.assertIsNone(error)
        self.assertEqual(result.get_response().id, str(row))
        np.testing.assert_array_equal(result.as_numpy(self.output)[0],
                                      self.scores[row % len(IMAGES)])
        return result

    def in_flight(self):
        with urllib.request.urlopen(f"http://{self.server.metrics}/metrics") as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("octet_requests_in_flight "):
                    return float(line.split()[1])
        self.fail("no metric octet_requests_in_flight")

    def test_a_thousand_requests_of_one_stream_in_their_order(self):
        self.start()
        for row in range(1000):
            self.send(row)
        self.client.stop_stream()  # returns when all are answered
        self.assertEqual(self.answers.qsize(), 1000)
        for row in range(1000):
            self.expect(row)

    def test_each_answer_says_that_it_is_the_last_of_its_request(self):
        self.start()
        self.send(0)
        self.send(1, enable_empty_final_response=True)
        for row in (0, 1):
            parameters = self.expect(row).get_response().parameters
            self.assertTrue(parameters["triton_final_response"].bool_param)
        self.client.stop_stream()
        self.assertTrue(self.answers.empty())

    def test_request_parameters_are_those_of_each_request(self):
        self.start()
        self.send(0, priority=2, timeout=20_000_000, parameters={"octet_timing": True})
        self.send(1, outputs=[triton.InferRequestedOutput(self.output, class_count=1)])
        self.send(2, timeout=1)
        self.send(3)
        parameters = self.expect(0).get_response().parameters
        self.assertEqual(parameters["octet_precision"].string_param, "int8-dynamic")
        result, error = self.next_answer()
        self.assertIsNone(error)
        self.assertEqual(int(result.as_numpy(self.output)[0, 0].decode().split(":")[1]),
                         int(np.argmax(self.scores[1])))
        result, error = self.next_answer()
        self.assertIsNone(result)
        self.assertIn("deadline", error.message())
        self.expect(3)
        self.client.stop_stream()

    def test_an_error_ends_its_request_only(self):
        self.start()
        self.client.async_stream_infer("nobody", [input_of(self.input, 0)], request_id="7")
        result, error = self.next_answer()
        self.assertIsNone(result)
        self.assertIn("nobody", error.message())
        self.send(1)
        self.expect(1)
        self.client.stop_stream()

    def test_an_error_ends_the_stream_where_its_header_says_so(self):
        self.start(headers={"triton_grpc_error": "true"})
        self.client.async_stream_infer("nobody", [input_of(self.input, 0)])
        _, error = self.next_answer()
        self.assertEqual(error.status(), "StatusCode.NOT_FOUND")
        self.client.stop_stream()

    def test_two_streams_and_cancelled_ones(self):
        other = triton.InferenceServerClient(self.server.grpc)
        others = queue.Queue()
        for round_ in range(10):
            other.start_stream(lambda result, error: others.put((result, error)))
            self.start()
            for row in range(40):
                self.send(row)
                other.async_stream_infer(MODEL, [input_of(self.input, row)], request_id=str(row))
            time.sleep(round_ * 0.002)
            other.stop_stream(cancel_requests=True)
            for row in range(40):
                self.expect(row)
            self.client.stop_stream()
        other.close()
        stop_at = time.monotonic() + 10
        while self.in_flight() > 0:
            self.assertLess(time.monotonic(), stop_at, "requests stay inside")
            time.sleep(0.01)
        # A cancelled stream answers what it had answered by then, and once more: that it ended.
        while not others.empty():
            result, error = others.get()
            self.assertTrue(result is not None or error.status() == "StatusCode.CANCELLED", error)

    def test_a_stream_has_a_deadline(self):
        self.start(stream_timeout=0.3)
        self.send(0)
        self.expect(0)
        _, error = self.next_answer()
        self.assertEqual(error.status(), "StatusCode.DEADLINE_EXCEEDED")
        self.client.stop_stream()

    def test_asyncio(self):
        async def stream():
            async with triton_aio.InferenceServerClient(self.server.grpc) as client:
                async def requests():
                    for row in range(200):
                        yield {"model_name": MODEL, "inputs": [input_of(self.input, row)],
                               "request_id": str(row)}

                return [pair async for pair in client.stream_infer(requests())]

        answers = asyncio.run(stream())
        self.assertEqual(len(answers), 200)
        for row, answer in enumerate(answers):
            self.answers.put(answer)
            self.expect(row)


class DrainTest(unittest.TestCase):
    def test_what_is_inside_is_answered_and_then_the_stream_ends(self):
        with ServerProcess(ZOO / "repository", "--drain-delay", "300ms") as server:
            client = triton.InferenceServerClient(server.grpc)
            answers = queue.Queue()
            name = client.get_model_metadata(MODEL).inputs[0].name
            client.start_stream(lambda result, error: answers.put((result, error)))
            for row in range(100):
                client.async_stream_infer(MODEL, [input_of(name, row)], request_id=str(row))
            first = answers.get(timeout=30)
            self.assertIsNone(first[1])
            server.terminate()
            self.assertEqual(server.process.wait(timeout=20), 0)
            ids = ["0"]
            while True:
                result, error = answers.get(timeout=30)
                if error is not None:
                    break
                ids.append(result.get_response().id)
            # A busy machine may not have read all of them when the delay ended.
            self.assertEqual(ids, [str(row) for row in range(len(ids))])
            self.assertIsInstance(error, InferenceServerException)
            self.assertEqual(error.status(), "StatusCode.UNAVAILABLE")
            client.close()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
