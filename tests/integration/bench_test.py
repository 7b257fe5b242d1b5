# SPDX-License-Identifier: Apache-2.0
"""`octet bench` against the real server: what it says of two precisions, and when it fails."""

import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import numpy as np

from tests.support.server_process import ZOO, ServerProcess, program

IMAGES = ZOO / "data" / "digits_test_images.npy"
LABELS = ZOO / "data" / "digits_test_labels.npy"
NUM_ROWS = len(np.load(LABELS))


def bench(*arguments: str) -> subprocess.CompletedProcess:
    return subprocess.run([program("octet"), "bench", *map(str, arguments)], capture_output=True,
                          text=True, timeout=120, check=False)


class BenchTest(unittest.TestCase):
    def test_two_precisions_side_by_side(self):
        with ServerProcess() as server:
            done = bench("--compare", "digits-fp32", "digits-int8", "--address", server.grpc,
                         "--input", IMAGES, "--labels", LABELS, "--seconds", "0.5", "--rounds", "2",
                         "--json")
        self.assertEqual(done.returncode, 0, done.stderr)
        first, other = json.loads(done.stdout)
        self.assertEqual([first["model"], other["model"]], ["digits-fp32", "digits-int8"])
        for result in (first, other):
            self.assertEqual((result["version"], result["rows"]), ("1", NUM_ROWS))
            self.assertGreater(result["accuracy"], 0.95)
            self.assertLessEqual(result["accuracy"], 1)
            self.assertEqual((result["failed"], result["failures"]), (0, {}))
            self.assertGreater(result["answered"], 0)
            self.assertGreater(result["p50_us"], 0)
            self.assertLessEqual(result["p50_us"], result["p90_us"])
            self.assertLessEqual(result["p90_us"], result["p99_us"])
            self.assertGreater(result["requests_per_second"], 0)
        self.assertIsNone(first["agreement"])
        self.assertIsNone(first["cosine"])
        self.assertGreater(other["agreement"], 0.95)
        self.assertLessEqual(other["agreement"], 1)
        self.assertGreater(other["cosine"], 0.99)
        self.assertLessEqual(other["cosine"], 1.000001)

    def test_a_label_that_is_no_class_is_refused(self):
        with tempfile.TemporaryDirectory() as folder, ServerProcess() as server:
            labels = np.load(LABELS)
            labels[7] = 10
            path = pathlib.Path(folder) / "labels.npy"
            np.save(path, labels)
            said = f'"{path}" has the label 10, wants one of 10 classes\n'
            done = bench("digits-fp32", "--address", server.grpc, "--input", IMAGES, "--labels", path)
            self.assertEqual((done.returncode, done.stderr), (1, "octet bench: " + said))
            # In the words of the command that does the same offline.
            done = subprocess.run(
                [program("octet"), "evaluate", ZOO / "repository/digits-fp32/1", "--input", IMAGES,
                 "--labels", path], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual((done.returncode, done.stderr), (1, "octet evaluate: " + said))

    def test_it_fails_where_nothing_measured_was_answered(self):
        server = subprocess.Popen(
            [sys.executable, "-m", "tests.support.failing_server", str(NUM_ROWS)],
            stdout=subprocess.PIPE, text=True)
        try:
            address = server.stdout.readline().split("grpc=")[1].split()[0]
            done = bench("any", "--address", address, "--input", IMAGES, "--seconds", "0.2",
                         "--rounds", "1", "--json")
        finally:
            server.terminate()
            server.wait(timeout=20)
            server.stdout.close()
        self.assertEqual(done.returncode, 1, done)
        self.assertEqual(json.loads(done.stdout)[0]["answered"], 0)  # what there is, is printed
        self.assertRegex(done.stderr.splitlines()[-1],
                         r'^octet bench: model "any": (\d+) of \1 measured requests failed, the first '
                         r"with UNAVAILABLE: this server has answered enough$")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
