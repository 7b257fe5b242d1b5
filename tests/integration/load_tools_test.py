# SPDX-License-Identifier: Apache-2.0
"""The load generators that people measure servers with, unchanged: NVIDIA's perf_analyzer and ghz.

What they count is compared with what the server counted; how fast it is, is not looked at."""

import base64
import json
import pathlib
import re
import sys
import tempfile
import time
import unittest

import numpy as np
import tritonclient.grpc as triton

from tests.support import outside_clients
from tests.support.server_process import ROOT, ZOO, ServerProcess

MODEL = "digits-mlp-int8"
IMAGES = np.load(ZOO / "data" / "digits_test_images.npy").reshape(-1, 64)
# It repeats its window until three of them agree, which these always do: a busy machine is no
# failure. A window that fell between requests does not count.
WINDOW = ("--measurement-mode", "count_windows", "--measurement-request-count", "50",
          "--stability-percentage", "999", "--max-trials", "30")


class LoadToolsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess(ZOO / "repository", "--allow-shared-memory")
        cls.client = triton.InferenceServerClient(cls.server.grpc)
        metadata = cls.client.get_model_metadata(MODEL)
        cls.input, cls.output = metadata.inputs[0].name, metadata.outputs[0].name

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    def statistics(self, model=MODEL):
        return self.client.get_inference_statistics(model).model_stats[0]

    def analyze(self, *arguments, model=MODEL, protocol="grpc"):
        """Runs perf_analyzer; its requests in the measured windows, as it and the server saw them,
        and all that the server answered meanwhile."""
        before = self.statistics(model)
        text = outside_clients.run("perf_analyzer", "-m", model, "-i", protocol, "-u",
                                   getattr(self.server, protocol), *WINDOW, *arguments)
        after = self.statistics(model)
        self.assertNotIn("Failed", text)
        self.assertNotIn("error", text.lower().replace("error_message", ""))
        client = int(re.search(r"Client:.*?Request count: (\d+)", text, re.DOTALL)[1])
        server = int(re.search(r"Successful request count: (\d+)", text)[1])
        self.assertGreaterEqual(client, 50, text)
        self.assertGreaterEqual(server, 50, text)
        self.assertEqual(after.inference_stats.fail.count, before.inference_stats.fail.count)
        answered = after.inference_stats.success.count - before.inference_stats.success.count
        self.assertGreaterEqual(answered, client)
        print(f"  {client} requests measured, {answered} answered")
        return text, answered, after.inference_count - before.inference_count

    def test_perf_analyzer_at_several_concurrencies(self):
        text, _, _ = self.analyze("--concurrency-range", "1:3:2")
        self.assertEqual(re.findall(r"^Concurrency: (\d+)", text, re.MULTILINE), ["1", "3"])
        for stage in ("queue", "compute input", "compute infer", "compute output"):
            self.assertRegex(text, rf"{stage} \d+ usec")

    def test_perf_analyzer_with_batches(self):
        _, answered, rows = self.analyze("-b", "8", "--concurrency-range", "2")
        self.assertEqual(rows, 8 * answered)

    def test_perf_analyzer_asynchronously_and_over_streams(self):
        self.analyze("--async", "--concurrency-range", "8")
        self.analyze("--async", "--streaming", "--concurrency-range", "8")

    def test_perf_analyzer_over_http(self):
        if not outside_clients.has_rest(self.server.http, MODEL):
            self.skipTest("this server has no inference over HTTP")
        self.analyze("--concurrency-range", "2", protocol="http")
        self.analyze("--async", "-b", "4", "--request-rate-range", "50", protocol="http")

    def test_perf_analyzer_at_a_rate(self):
        text, _, _ = self.analyze("--request-rate-range", "100", "--request-distribution",
                                  "poisson")
        self.assertRegex(text, r"(?m)^Request Rate: 100")
        self.analyze("--streaming", "--request-rate-range", "100")

    def test_perf_analyzer_with_shared_memory(self):
        for arguments in ((), ("--streaming", "--async"), ("-b", "4")):
            text, _, _ = self.analyze("--shared-memory", "system", "--output-shared-memory-size",
                                      "1024", "--concurrency-range", "2", *arguments)
            self.assertNotIn("Unable", text)
        self.assertFalse(self.client.get_system_shared_memory_status().regions)

    def test_perf_analyzer_with_data_whose_answers_are_checked(self):
        """It compares the answers with the outputs that its data has, and fails where they differ."""
        scores = self.infer(IMAGES[:8])
        data = {"data": [{self.input: {"content": row.tolist(), "shape": [64]}}
                         for row in IMAGES[:8]],
                "validation_data": [{self.output: {"content": score.tolist(), "shape": [10]}}
                                    for score in scores]}
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "data.json"
            path.write_text(json.dumps(data))
            self.analyze("--input-data", str(path), "--concurrency-range", "2")
            data["validation_data"][3][self.output]["content"][0] += 0.5
            path.write_text(json.dumps(data))
            text = outside_clients.run("perf_analyzer", "-m", MODEL, "-i", "grpc", "-u",
                                       self.server.grpc, *WINDOW, "--input-data", path, status=99)
            self.assertIn("doesn't match expected output", text)

    def infer(self, rows):
        """Of each row by itself."""
        scores = []
        for row in rows:
            x = triton.InferInput(self.input, [1, 64], "FP32")
            x.set_data_from_numpy(row[None])
            scores.append(self.client.infer(MODEL, [x]).as_numpy(self.output)[0])
        return scores

    def ghz(self, *arguments, data, method="ModelInfer"):
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "data.json"
            path.write_text(json.dumps(data))
            return json.loads(outside_clients.run(
                "ghz", "--insecure", "--proto",
                ROOT / "proto" / "inference" / "open_inference_grpc.proto", "--call",
                f"inference.GRPCInferenceService.{method}", "-D", path, "-O", "json", *arguments,
                self.server.grpc))

    def message(self, row=0, **fields):
        return {"model_name": MODEL,
                "inputs": [{"name": self.input, "datatype": "FP32", "shape": [1, 64]}],
                "raw_input_contents": [base64.b64encode(IMAGES[row].tobytes()).decode()], **fields}

    def expect_answered(self, count):
        """In all, so far; a request is counted a moment after its answer."""
        limit = time.monotonic() + 30
        while (answered := self.statistics().inference_stats.success.count) < count:
            self.assertLess(time.monotonic(), limit, f"{answered} of {count} are counted")
        self.assertEqual(answered, count)

    def test_ghz(self):
        for arguments in (("-c", "1", "-n", "200"), ("-c", "8", "--connections", "2", "-n", "800"),
                          ("-c", "4", "-n", "300", "--rps", "300"),
                          ("-c", "4", "-n", "300", "--async", "--rps", "600")):
            before = self.statistics().inference_stats.success.count
            report = self.ghz(*arguments, data=self.message())
            total = int(arguments[arguments.index("-n") + 1])
            self.assertEqual(report["statusCodeDistribution"], {"OK": total})
            self.expect_answered(before + total)

    def test_ghz_of_typed_contents_and_of_streams(self):
        typed = self.message()
        del typed["raw_input_contents"]
        typed["inputs"][0]["contents"] = {"fp32_contents": IMAGES[0].tolist()}
        report = self.ghz("-c", "2", "-n", "100", data=typed)
        self.assertEqual(report["statusCodeDistribution"], {"OK": 100})
        before = self.statistics().inference_stats.success.count
        report = self.ghz("-c", "2", "-n", "20", data=[self.message(row) for row in range(10)],
                          method="ModelStreamInfer")
        self.assertEqual(report["statusCodeDistribution"], {"OK": 20})
        self.expect_answered(before + 200)

    def test_ghz_counts_what_is_refused(self):
        report = self.ghz("-c", "2", "-n", "50", data=self.message(model_name="nobody"))
        self.assertEqual(report["statusCodeDistribution"], {"NotFound": 50})


if __name__ == "__main__":
    for tool in ("perf_analyzer", "ghz"):
        outside_clients.skip_unless(outside_clients.find(tool) is not None, tool)
    unittest.main(argv=sys.argv[:1], verbosity=2)
