# SPDX-License-Identifier: Apache-2.0
"""System shared memory of the real server, by NVIDIA's tritonclient; and by clients that mean harm."""

import itertools
import os
import pathlib
import queue
import shutil
import socket
import sys
import tempfile
import threading
import time
import unittest

import numpy as np
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException
from tritonclient.utils import shared_memory as shm

from tests.support.server_process import ZOO, ServerProcess

IMAGES = np.load(ZOO / "data" / "digits_test_images.npy")
LABELS = np.load(ZOO / "data" / "digits_test_labels.npy")
MODEL = "digits-fp32"
IMAGE_BYTES = IMAGES[0].nbytes
SCORE_BYTES = 10 * 4
COUNTER = itertools.count()


class Region:
    """Shared memory that tritonclient made and registered under its key's name."""

    def __init__(self, client, byte_size, data=None):
        self.name = f"octet_test_{os.getpid()}_{next(COUNTER)}"
        self.key = "/" + self.name
        self.client = client
        self.byte_size = byte_size
        self.handle = shm.create_shared_memory_region(self.name, self.key, byte_size)
        if data is not None:
            shm.set_shared_memory_region(self.handle, [data])
        client.register_system_shared_memory(self.name, self.key, byte_size)

    def resize(self, byte_size):
        os.truncate("/dev/shm" + self.key, byte_size)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.client.unregister_system_shared_memory(self.name)
        shm.destroy_shared_memory_region(self.handle)


def open_files(server) -> int:
    return len(list(pathlib.Path(f"/proc/{server.process.pid}/fd").iterdir()))


class SharedMemoryTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = ServerProcess(ZOO / "repository", "--allow-shared-memory")
        cls.client = triton.InferenceServerClient(cls.server.grpc)
        metadata = cls.client.get_model_metadata(MODEL)
        cls.input = metadata.inputs[0].name
        cls.output = metadata.outputs[0].name
        cls.scores = cls.client.infer(MODEL, [cls.sent(IMAGES)]).as_numpy(cls.output)

    @classmethod
    def tearDownClass(cls):
        cls.client.close()
        status = cls.server.stop()
        assert status == 0, f"exit status {status}"

    @classmethod
    def sent(cls, images):
        x = triton.InferInput(cls.input, list(images.shape), "FP32")
        x.set_data_from_numpy(images)
        return x

    def shared_input(self, name, rows, offset=0, byte_size=None):
        x = triton.InferInput(self.input, [rows, 8, 8, 1], "FP32")
        x.set_shared_memory(name, IMAGE_BYTES * rows if byte_size is None else byte_size, offset)
        return x

    def shared_output(self, name, byte_size, offset=0):
        y = triton.InferRequestedOutput(self.output)
        y.set_shared_memory(name, byte_size, offset)
        return y

    def refused(self, code, text, call, *arguments, **named):
        with self.assertRaises(InferenceServerException) as raised:
            call(*arguments, **named)
        self.assertEqual(raised.exception.status(), f"StatusCode.{code}", raised.exception)
        self.assertIn(text, raised.exception.message())

    def test_inputs_and_outputs_lie_in_it(self):
        self.assertIn("system_shared_memory", self.client.get_server_metadata().extensions)
        with Region(self.client, IMAGES.nbytes, IMAGES) as x, \
                Region(self.client, 360 * SCORE_BYTES) as y:
            result = self.client.infer(MODEL, [self.shared_input(x.name, 360)],
                                       outputs=[self.shared_output(y.name, y.byte_size)])
            scores = shm.get_contents_as_numpy(y.handle, np.float32, [360, 10])
            np.testing.assert_array_equal(scores, self.scores)
            self.assertGreater((scores.argmax(1) == LABELS).mean(), 0.97)
            response = result.get_response()
            self.assertEqual(list(response.raw_output_contents), [b""])
            parameters = response.outputs[0].parameters
            self.assertEqual(parameters["shared_memory_region"].string_param, y.name)
            self.assertEqual(parameters["shared_memory_byte_size"].int64_param, y.byte_size)
            del scores

    def test_one_of_the_two_and_offsets(self):
        with Region(self.client, IMAGES.nbytes, IMAGES) as x:
            for row in (0, 7, 359):
                result = self.client.infer(
                    MODEL, [self.shared_input(x.name, 1, offset=row * IMAGE_BYTES)])
                np.testing.assert_allclose(result.as_numpy(self.output)[0], self.scores[row],
                                           rtol=1e-5, atol=1e-6)
        with Region(self.client, 3 * SCORE_BYTES) as y:
            self.client.infer(MODEL, [self.sent(IMAGES[:1])],
                              outputs=[self.shared_output(y.name, SCORE_BYTES, SCORE_BYTES)])
            scores = shm.get_contents_as_numpy(y.handle, np.float32, [3, 10]).copy()
            np.testing.assert_allclose(scores[1], self.scores[0], rtol=1e-5, atol=1e-6)
            self.assertFalse(scores[0].any() or scores[2].any())

    def test_an_output_may_lie_where_the_input_does(self):
        with Region(self.client, IMAGES.nbytes, IMAGES) as both:
            self.client.infer(MODEL, [self.shared_input(both.name, 360)],
                              outputs=[self.shared_output(both.name, 360 * SCORE_BYTES)])
            np.testing.assert_array_equal(
                shm.get_contents_as_numpy(both.handle, np.float32, [360, 10]), self.scores)

    def test_over_a_stream(self):
        answers = queue.Queue()
        with Region(self.client, IMAGES.nbytes, IMAGES) as x, \
                Region(self.client, 360 * SCORE_BYTES) as y, \
                triton.InferenceServerClient(self.server.grpc) as client:
            client.start_stream(lambda result, error: answers.put((result, error)))
            for row in range(360):
                client.async_stream_infer(
                    MODEL, [self.shared_input(x.name, 1, offset=row * IMAGE_BYTES)],
                    outputs=[self.shared_output(y.name, SCORE_BYTES, row * SCORE_BYTES)])
            client.stop_stream()
            self.assertEqual([error for _, error in answers.queue if error is not None], [])
            self.assertEqual(answers.qsize(), 360)
            np.testing.assert_allclose(
                shm.get_contents_as_numpy(y.handle, np.float32, [360, 10]), self.scores, rtol=1e-5,
                atol=1e-6)

    def test_status_registering_and_unregistering(self):
        self.client.unregister_system_shared_memory()
        with Region(self.client, 64) as a:
            regions = self.client.get_system_shared_memory_status(as_json=True)["regions"]
            self.assertEqual(list(regions), [a.name])
            self.assertEqual(regions[a.name]["key"], a.key)
            self.assertEqual(int(regions[a.name]["byte_size"]), 64)
            self.refused("ALREADY_EXISTS", a.name, self.client.register_system_shared_memory,
                         a.name, a.key, 64)
            self.refused("NOT_FOUND", "nobody", self.client.get_system_shared_memory_status,
                         "nobody")
            self.client.unregister_system_shared_memory("nobody")
            self.client.unregister_system_shared_memory()
            self.client.unregister_cuda_shared_memory()
            self.assertFalse(self.client.get_system_shared_memory_status().regions)
            self.refused("NOT_FOUND", a.name, self.client.infer, MODEL,
                         [self.shared_input(a.name, 1, byte_size=64)])

    def test_requests_that_do_not_fit_are_refused(self):
        with Region(self.client, 512, IMAGES[:2]) as x:
            def infer(x_, y_=None):
                return self.client.infer(MODEL, [x_], outputs=[y_] if y_ else None)

            self.refused("INVALID_ARGUMENT", "got 8 bytes of data", infer,
                         self.shared_input(x.name, 1, byte_size=8))
            for offset, size in ((257, 256), (512, 1), (2**63 - 1, 256), (0, 513), (0, 2**63 - 1)):
                self.refused("INVALID_ARGUMENT", "has 512 bytes", infer,
                             self.shared_input(x.name, 1, offset, size))
                self.refused("INVALID_ARGUMENT", "has 512 bytes", infer, self.sent(IMAGES[:1]),
                             self.shared_output(x.name, size, offset))
            self.refused("INVALID_ARGUMENT", "has 40 bytes, shared_memory_byte_size is 39", infer,
                         self.sent(IMAGES[:1]), self.shared_output(x.name, 39))
            y = triton.InferRequestedOutput(self.output, class_count=2)
            # tritonclient itself refuses both together.
            y._output.parameters["shared_memory_region"].string_param = x.name
            y._output.parameters["shared_memory_byte_size"].int64_param = 256
            self.refused("INVALID_ARGUMENT", "classification", infer, self.sent(IMAGES[:1]), y)
            np.testing.assert_array_equal(
                shm.get_contents_as_numpy(x.handle, np.float32, [2, 8, 8, 1]), IMAGES[:2])
            infer(self.shared_input(x.name, 2))

    def test_keys_that_lead_elsewhere_are_refused_and_keep_no_file(self):
        link = pathlib.Path(f"/dev/shm/octet_test_link_{os.getpid()}")
        with Region(self.client, 64) as a:
            link.symlink_to("/dev/shm" + a.key)
            try:
                before = open_files(self.server)
                for key in ("", "/", "//", "///triton_python_backend_shm_region_1", "../etc/passwd",
                            "/../etc/passwd", "/dev/shm" + a.key, "/" + a.key, a.key + "/", ".",
                            "..", "/..", "/.", "a b", "sem.x", "/" + "a" * 300, "a" * 500_000,
                            "/" + link.name, "/octet_nothing_is_here"):
                    for _ in range(20):
                        with self.assertRaises(InferenceServerException) as raised:
                            self.client.register_system_shared_memory("bad", key, 8)
                        self.assertIn(raised.exception.status(),
                                      ("StatusCode.INVALID_ARGUMENT", "StatusCode.NOT_FOUND"))
                        self.assertLess(len(raised.exception.message()), 600)
                for offset, size in ((0, 0), (0, 65), (64, 1), (2**64 - 4096, 8192), (2**64 - 1, 1),
                                     (1, 2**64 - 1)):
                    for _ in range(50):
                        self.refused("INVALID_ARGUMENT", "the object has 64 bytes",
                                     self.client.register_system_shared_memory, "bad", a.key, size,
                                     offset)
                self.assertLessEqual(open_files(self.server), before)
            finally:
                link.unlink()

    def test_names_and_how_many(self):
        with Region(self.client, 64) as a:
            for name in ("", "a\nb", "\0", "x" * 257, "x" * 500_000):
                self.refused("INVALID_ARGUMENT", "wants 1 to 256",
                             self.client.register_system_shared_memory, name, a.key, 8)
            self.client.unregister_system_shared_memory()
            for i in range(256):
                self.client.register_system_shared_memory(f"many {i}", a.key, 8)
            self.refused("RESOURCE_EXHAUSTED", "256 regions",
                         self.client.register_system_shared_memory, "one more", a.key, 8)
            self.assertEqual(len(self.client.get_system_shared_memory_status().regions), 256)
            self.client.unregister_system_shared_memory()

    def test_what_is_cut_short_ends_its_requests_only(self):
        with Region(self.client, IMAGES.nbytes, IMAGES) as x, \
                Region(self.client, 360 * SCORE_BYTES) as y:
            x.resize(IMAGES.nbytes - 1)
            self.refused("FAILED_PRECONDITION", "cut short", self.client.infer, MODEL,
                         [self.shared_input(x.name, 360)])
            self.client.infer(MODEL, [self.shared_input(x.name, 359)])
            x.resize(0)
            self.refused("FAILED_PRECONDITION", f'input "{self.input}"', self.client.infer, MODEL,
                         [self.shared_input(x.name, 1)])
            y.resize(8)
            self.refused("FAILED_PRECONDITION", f'output "{self.output}"', self.client.infer, MODEL,
                         [self.sent(IMAGES[:1])], outputs=[self.shared_output(y.name, y.byte_size)])
            self.assertEqual(os.stat("/dev/shm" + y.key).st_size, 8)

    def test_cutting_short_and_changing_under_load(self):
        """Three clients use regions that a fourth cuts short, restores and fills with noise; a
        fifth sends its tensors and never sees an error."""
        stop = threading.Event()
        unexpected, counts = [], {"ok": 0, "refused": 0, "sent": 0}
        with Region(self.client, IMAGES.nbytes, IMAGES) as x, \
                Region(self.client, 360 * SCORE_BYTES) as y:
            def hostile():
                noise = os.urandom(IMAGES.nbytes)
                path = "/dev/shm" + x.key
                while not stop.is_set():
                    x.resize(0)
                    y.resize(0)
                    time.sleep(0.0005)
                    y.resize(y.byte_size)
                    with open(path, "r+b") as file:
                        file.write(noise)
                    time.sleep(0.002)

            def shared():
                with triton.InferenceServerClient(self.server.grpc) as client:
                    while not stop.is_set():
                        try:
                            client.infer(MODEL, [self.shared_input(x.name, 360)],
                                         outputs=[self.shared_output(y.name, y.byte_size)])
                            counts["ok"] += 1
                        except InferenceServerException as error:
                            if error.status() != "StatusCode.FAILED_PRECONDITION":
                                unexpected.append(error)
                                return
                            counts["refused"] += 1

            def sent():
                with triton.InferenceServerClient(self.server.grpc) as client:
                    while not stop.is_set():
                        scores = client.infer(MODEL, [self.sent(IMAGES[:4])]).as_numpy(self.output)
                        if not np.allclose(scores, self.scores[:4], rtol=1e-5, atol=1e-6):
                            unexpected.append(scores)
                            return
                        counts["sent"] += 1

            threads = [threading.Thread(target=target)
                       for target in (hostile, shared, shared, shared, sent)]
            for thread in threads:
                thread.start()
            limit = time.monotonic() + 60
            while time.monotonic() < limit and not unexpected and not (
                    counts["ok"] >= 30 and counts["refused"] >= 30 and counts["sent"] >= 30):
                time.sleep(0.05)
            stop.set()
            for thread in threads:
                thread.join()
        print(f"under truncation: {counts}")
        self.assertEqual(unexpected, [])
        self.assertGreaterEqual(min(counts.values()), 1)
        self.assertIsNone(self.server.process.poll())

    def test_unregistering_while_requests_use_it(self):
        """Each request finds the region or does not; none that found it fails, no file is kept."""
        before = open_files(self.server)
        outcomes = queue.Queue()
        with Region(self.client, IMAGES.nbytes, IMAGES) as x:
            def infer():
                with triton.InferenceServerClient(self.server.grpc) as client:
                    for _ in range(60):
                        try:
                            scores = client.infer(MODEL, [self.shared_input(x.name, 360)])
                            np.testing.assert_array_equal(scores.as_numpy(self.output), self.scores)
                            outcomes.put("ok")
                        except InferenceServerException as error:
                            outcomes.put(error.status())

            threads = [threading.Thread(target=infer) for _ in range(3)]
            for thread in threads:
                thread.start()
            while any(thread.is_alive() for thread in threads):
                self.client.unregister_system_shared_memory(x.name)
                self.client.register_system_shared_memory(x.name, x.key, x.byte_size)
            for thread in threads:
                thread.join()
        self.assertEqual(outcomes.qsize(), 180)
        self.assertLessEqual(set(outcomes.queue), {"ok", "StatusCode.NOT_FOUND"})
        self.assertIn("ok", outcomes.queue)
        limit = time.monotonic() + 30
        while open_files(self.server) > before:  # connections close a moment later
            self.assertLess(time.monotonic(), limit, "files stay open")
            time.sleep(0.05)


class LimitsTest(unittest.TestCase):
    def serve(self, *flags, under=()):
        server = ServerProcess(ZOO / "repository", *flags, under=under)
        self.addCleanup(server.stop)
        client = triton.InferenceServerClient(server.grpc)
        self.addCleanup(client.close)
        metadata = client.get_model_metadata(MODEL)
        return server, client, metadata.inputs[0].name, metadata.outputs[0].name

    def infer(self, client, x, region, rows, offset=0):
        tensor = triton.InferInput(x, [rows, 8, 8, 1], "FP32")
        tensor.set_shared_memory(region, rows * IMAGE_BYTES, offset)
        return client.infer(MODEL, [tensor])

    def test_it_is_off_by_default(self):
        _, client, x, _ = self.serve()
        self.assertNotIn("system_shared_memory", client.get_server_metadata().extensions)
        for call in (lambda: client.register_system_shared_memory("a", "/a", 8),
                     client.get_system_shared_memory_status,
                     client.unregister_system_shared_memory,
                     lambda: self.infer(client, x, "a", 1)):
            with self.assertRaisesRegex(InferenceServerException, "--allow-shared-memory") as raised:
                call()
            self.assertEqual(raised.exception.status(), "StatusCode.UNIMPLEMENTED")

    def test_copies_are_bounded(self):
        _, client, x, _ = self.serve("--allow-shared-memory", "--max-request-bytes", "64KiB")
        with Region(client, 2 * IMAGES.nbytes, IMAGES) as region:
            self.infer(client, x, region.name, 256)  # just 64 KiB
            with self.assertRaisesRegex(InferenceServerException, "a request may have 65536"):
                self.infer(client, x, region.name, 257)

    def test_keys_begin_with_the_prefix(self):
        _, client, x, _ = self.serve("--allow-shared-memory", "--shared-memory-prefix",
                                     f"octet_test_{os.getpid()}_")
        with Region(client, IMAGES.nbytes, IMAGES) as region:
            self.infer(client, x, region.name, 360)
            with self.assertRaisesRegex(InferenceServerException, "is not for this server"):
                client.register_system_shared_memory("other", "/other", 8)

    @unittest.skipUnless(shutil.which("prlimit"), "prlimit is not installed")
    def test_a_limit_of_file_sizes_is_an_error_of_the_request(self):
        server, client, x, y = self.serve("--allow-shared-memory",
                                          under=("prlimit", "--fsize=1024"))
        with Region(client, 360 * SCORE_BYTES) as region:
            tensor = triton.InferInput(x, list(IMAGES.shape), "FP32")
            tensor.set_data_from_numpy(IMAGES)
            output = triton.InferRequestedOutput(y)
            output.set_shared_memory(region.name, region.byte_size)
            with self.assertRaisesRegex(InferenceServerException, "limit of file sizes"):
                client.infer(MODEL, [tensor], outputs=[output])
        self.assertIsNone(server.process.poll())

    def test_a_unix_socket_is_of_this_machine(self):
        with tempfile.TemporaryDirectory() as folder:
            address = f"unix:{folder}/socket"
            _, client, x, y = self.serve("--allow-shared-memory", "--grpc-address", address)
            whole = triton.InferInput(x, list(IMAGES.shape), "FP32")
            whole.set_data_from_numpy(IMAGES)
            with Region(client, IMAGES.nbytes, IMAGES) as region:
                np.testing.assert_array_equal(
                    self.infer(client, x, region.name, 360).as_numpy(y),
                    client.infer(MODEL, [whole]).as_numpy(y))

    def test_callers_of_other_machines_are_refused(self):
        address = own_address()
        if address is None:
            self.skipTest("this machine has no address but its loopback's")
        server, client, x, _ = self.serve("--allow-shared-memory", "--allow-management",
                                          "--grpc-address", "0.0.0.0:0")
        port = server.grpc.rsplit(":", 1)[1]
        with triton.InferenceServerClient(f"127.0.0.1:{port}") as own, \
                Region(own, IMAGES.nbytes, IMAGES) as region, \
                triton.InferenceServerClient(f"{address}:{port}") as stranger:
            self.infer(own, x, region.name, 1)
            for call in (lambda: stranger.register_system_shared_memory("a", region.key, 8),
                         stranger.get_system_shared_memory_status,
                         stranger.unregister_system_shared_memory,
                         lambda: self.infer(stranger, x, region.name, 1)):
                with self.assertRaisesRegex(InferenceServerException, "own machine") as raised:
                    call()
                self.assertEqual(raised.exception.status(), "StatusCode.PERMISSION_DENIED")
            answers = queue.Queue()
            stranger.start_stream(lambda result, error: answers.put(error))
            tensor = triton.InferInput(x, [1, 8, 8, 1], "FP32")
            tensor.set_shared_memory(region.name, IMAGE_BYTES)
            stranger.async_stream_infer(MODEL, [tensor])
            self.assertIn("own machine", answers.get(timeout=30).message())
            stranger.stop_stream()


def own_address() -> str | None:
    """An address of this machine on which a caller is not of its loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("198.51.100.1", 9))  # sends nothing
        except OSError:
            return None
        address = probe.getsockname()[0]
    return None if address.startswith("127.") else address


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=2)
