# SPDX-License-Identifier: Apache-2.0
"""NVIDIA's tritonclient for asyncio, unchanged, against the real server."""

import asyncio
import os
import sys
import unittest

import numpy as np
import tritonclient.grpc as triton
import tritonclient.grpc.aio as triton_aio
from tritonclient.utils import InferenceServerException
from tritonclient.utils import shared_memory as shm

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")
MODEL = "digits-fp32"


class TritonAioTest(unittest.IsolatedAsyncioTestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess(ZOO / "repository", "--allow-shared-memory")

    @classmethod
    def tearDownClass(cls):
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    async def asyncSetUp(self):
        self.client = triton_aio.InferenceServerClient(self.server.grpc)
        metadata = await self.client.get_model_metadata(MODEL)
        self.input, self.output = metadata.inputs[0].name, metadata.outputs[0].name

    async def asyncTearDown(self):
        await self.client.close()

    def image(self, row):
        x = triton.InferInput(self.input, [1, 8, 8, 1], "FP32")
        x.set_data_from_numpy(IMAGES[row:row + 1])
        return x

    async def test_everything_but_inference(self):
        self.assertTrue(await self.client.is_server_live())
        self.assertTrue(await self.client.is_server_ready())
        self.assertTrue(await self.client.is_model_ready(MODEL))
        metadata = await self.client.get_server_metadata()
        self.assertIn("system_shared_memory", metadata.extensions)
        config = await self.client.get_model_config(MODEL)
        self.assertEqual(config.config.name, MODEL)
        statistics = await self.client.get_inference_statistics(MODEL)
        self.assertEqual(statistics.model_stats[0].name, MODEL)
        index = await self.client.get_model_repository_index()
        self.assertIn(MODEL, [model.name for model in index.models])
        await self.client.unload_model("digits-int4")
        self.assertFalse(await self.client.is_model_ready("digits-int4"))
        await self.client.load_model("digits-int4")
        self.assertTrue(await self.client.is_model_ready("digits-int4"))
        await self.client.get_trace_settings()
        await self.client.get_log_settings()

    async def test_hundreds_at_once(self):
        answers = await asyncio.gather(*(
            self.client.infer(MODEL, [self.image(row)], request_id=str(row)) for row in range(360)))
        self.assertEqual([answer.get_response().id for answer in answers],
                         [str(row) for row in range(360)])
        scores = np.concatenate([answer.as_numpy(self.output) for answer in answers])
        self.assertGreater((scores.argmax(1) == LABELS).mean(), 0.97)

    async def test_errors_and_deadlines(self):
        with self.assertRaisesRegex(InferenceServerException, "NOT_FOUND.*nobody"):
            await self.client.infer("nobody", [self.image(0)])
        with self.assertRaisesRegex(InferenceServerException, "DEADLINE_EXCEEDED"):
            await self.client.infer(MODEL, [self.image(0)], timeout=1)

    async def test_a_cancelled_call_leaves_the_others(self):
        tasks = [asyncio.ensure_future(self.client.infer(MODEL, [self.image(row)]))
                 for row in range(64)]
        await asyncio.sleep(0)
        for task in tasks[::2]:
            task.cancel()
        outcomes = await asyncio.gather(*tasks, return_exceptions=True)
        for outcome in outcomes[1::2]:
            self.assertEqual(outcome.as_numpy(self.output).shape, (1, 10))

    async def test_classes_and_shared_memory(self):
        wanted = triton.InferRequestedOutput(self.output, class_count=1)
        answer = await self.client.infer(MODEL, [self.image(3)], outputs=[wanted])
        label = int(answer.as_numpy(self.output)[0, 0].decode().split(":")[1])
        name = f"octet_test_aio_{os.getpid()}"
        handle = shm.create_shared_memory_region(name, f"/{name}", 256)
        try:
            shm.set_shared_memory_region(handle, [IMAGES[3]])
            await self.client.register_system_shared_memory(name, f"/{name}", 256)
            x = triton.InferInput(self.input, [1, 8, 8, 1], "FP32")
            x.set_shared_memory(name, 256)
            y = triton.InferRequestedOutput(self.output)
            y.set_shared_memory(name, 256)
            await self.client.infer(MODEL, [x], outputs=[y])
            scores = shm.get_contents_as_numpy(handle, np.float32, [1, 10])
            self.assertEqual(scores.argmax(), label)
            del scores
            await self.client.unregister_system_shared_memory(name)
        finally:
            shm.destroy_shared_memory_region(handle)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
