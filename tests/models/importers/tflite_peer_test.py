# SPDX-License-Identifier: Apache-2.0
"""LiteRT (TensorFlow Lite) against Octet: models of every operator, and real ones, imported with the
profile xnnpack and run by the real program.

    tflite_peer_test.py [FILTER]

Only models whose name contains FILTER are tried. LiteRT runs with XNNPACK, as it does where nothing
is asked for. What XNNPACK leaves to LiteRT's own kernels they compute in fixed point, where we
compute in float32: then results may be one step apart.
"""

import itertools
import os
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

try:
    from ai_edge_litert import interpreter as litert
    import tflite_cases
    import tflite_hybrid_cases
    import tflite_int16_cases
    import tflite_lstm_cases
except ImportError as error:
    print(f"skipped: {error}")
    sys.exit(77)

import octet_program

ROWS = 5
RESOLVER = litert.OpResolverType
FLOAT_BOUND = 1e-5


def batch_of(details):
    """For how many rows a file was written: nearly always one."""
    return int(details[0]["shape"][0])


def run_litert(model, inputs, resolver=RESOLVER.AUTO):
    """The outputs by name, for as many rows at once as the file is for: fixed shapes within it hold for
    these."""
    interpreter = litert.Interpreter(model_content=model, num_threads=1,
                                     experimental_op_resolver_type=resolver)
    interpreter.allocate_tensors()
    outputs = {}
    batch = batch_of(interpreter.get_input_details())
    for row in range(0, len(next(iter(inputs.values()))), batch):
        for details in interpreter.get_input_details():
            interpreter.set_tensor(details["index"], inputs[details["name"]][row:row + batch])
        interpreter.reset_all_variables()  # a recurrent layer goes on where the last row ended
        interpreter.invoke()
        for details in interpreter.get_output_details():
            outputs.setdefault(details["name"], []).append(
                interpreter.get_tensor(details["index"]).copy())
    return {name: np.concatenate(parts) for name, parts in outputs.items()}


def check(name, got, wanted, steps):
    """How far apart they are: steps of integers, or relative to the largest float."""
    worst = 0.0
    for output, y in wanted.items():
        x = got[octet_program.file_name(output)[:-4]]
        assert x.shape == y.shape and x.dtype == y.dtype, \
            f"{output}: got {x.dtype}{x.shape}, wants {y.dtype}{y.shape}"
        difference = np.abs(x.astype(np.float64) - y.astype(np.float64)).max()
        is_float = y.dtype.kind == "f"
        if is_float:
            difference /= max(np.abs(y).max(), 1e-30)
        bound = FLOAT_BOUND if is_float else steps
        assert difference <= bound, \
            f"{output}: {difference:.3g} apart in {np.mean(x != y):.2%}, wants {bound}"
        worst = max(worst, difference)
    return worst


def check_small(name, build, steps, folder):
    model = build()
    path = folder / "model.tflite"
    path.write_bytes(model)
    details = litert.Interpreter(model_content=model).get_input_details()
    rows = ROWS * batch_of(details)
    inputs = {entry["name"]: tflite_cases.random_input(entry, rows) for entry in details}
    got = octet_program.import_and_run(path, inputs, folder, "--profile", "xnnpack")
    # Those of int16 are the reference kernels' in every profile.
    resolver = RESOLVER.BUILTIN_REF if name.startswith("int16/") else RESOLVER.AUTO
    return check(name, got, run_litert(model, inputs, resolver), steps)


def check_hybrid(name, build, folder):
    """Beside LiteRT's reference kernels. XNNPACK and the optimized ones quantize activations in
    ways of their own."""
    model = build()
    path = folder / "model.tflite"
    path.write_bytes(model)
    details = litert.Interpreter(model_content=model).get_input_details()
    inputs = {entry["name"]: tflite_cases.random_input(entry, ROWS) for entry in details}
    got = octet_program.import_and_run(path, inputs, folder)
    return check(name, got, run_litert(model, inputs, RESOLVER.BUILTIN_REF), 0)


# Real models, below ../shared/data, with rows of their own where there are any.
REAL = {
    "mlperf-tiny/image-classification/pretrainedResnet_quant": ("image-classification", 20, 0),
    "mlperf-tiny/image-classification/pretrainedResnet_large_int8": ("image-classification", 5, 0),
    "mlperf-tiny/image-classification/pretrainedResnet": ("", 3, 0),
    "mlperf-tiny/keyword-spotting/kws_ref_model": ("keyword-spotting", 100, 0),
    "mlperf-tiny/streaming-wakeword/str_ww_ref_model": ("streaming-wakeword", 45, 0),
    "mlperf-tiny/visual-wake-words/vww_96_int8": ("visual-wake-words", 21, 0),
    "mlperf-tiny/visual-wake-words/vww_96_float": ("", 2, 0),
    "mlperf-tiny/anomaly-detection/ad01_int8": ("anomaly-detection", 100, 0),
    "mlperf-tiny/anomaly-detection/ad01_fp32": ("", 5, 0),
    "mlperf-tiny/anomaly-detection/model_ToyCar_quant_fullint": ("", 20, 0),
    "tflite/small/hello_world_int8": ("", 20, 0),
    "tflite/small/hello_world_float": ("", 20, 0),
    "tflite/small/micro_speech_quantized": ("", 20, 0),
    "tflite/small/half_plus_two": ("", 5, 0),
    "tflite/small/dummy": ("", 5, 0),
    "tflite/small/split_concat_uint8": ("", 5, 0),
    "tflite/mnist/mnist_autokeras_float": ("", 5, 0),
    "tflite/mnist/trained_lstm": ("", 20, 0),
    "tflite/mnist/trained_lstm_int8": ("", 100, 0),
    "tflite/imagenet-uint8/mobilenet_v1_0.25_128_quant": ("imagenet-uint8", 5, 1),
    "keras/hand-gesture/keypoint_classifier": ("", 20, 0),
}
REAL_INPUTS = {
    "image-classification": "mlperf-tiny/image-classification/reference/inputs_uint8_nhwc.npy",
    "keyword-spotting": "mlperf-tiny/keyword-spotting/kws01_inputs_int8.npy",
    "streaming-wakeword": "mlperf-tiny/streaming-wakeword/reference/inputs_int8.npy",
    "visual-wake-words": "mlperf-tiny/visual-wake-words/reference/inputs_uint8_nhwc.npy",
    "anomaly-detection": "mlperf-tiny/anomaly-detection/reference/ad01_int8_inputs_int8.npy",
    "imagenet-uint8":
        "tflite/imagenet-uint8/reference/mobilenet_v1_0.25_128_inputs_uint8.npy",
}


def check_real(name, data, rows_of, rows, steps, folder):
    path = data / f"{name}.tflite"
    model = path.read_bytes()
    details = litert.Interpreter(model_content=model).get_input_details()
    inputs = {entry["name"]: tflite_cases.random_input(entry, rows) for entry in details}
    if rows_of:
        (entry,) = details
        stored = np.load(data / REAL_INPUTS[rows_of])
        x = stored[:: max(1, len(stored) // rows)][:rows]
        if entry["dtype"] == np.int8 and x.dtype == np.uint8:
            x = (x ^ 0x80).view(np.int8)
        inputs = {entry["name"]: x.reshape(len(x), *entry["shape"][1:])}
    got = octet_program.import_and_run(path, inputs, folder, "--profile", "xnnpack")
    return check(name, got, run_litert(model, inputs), steps)


def main():
    wanted = sys.argv[1] if len(sys.argv) > 1 else ""
    if not octet_program.path().exists():
        print(f"skipped: {octet_program.path()} is not there")
        return 77
    data = pathlib.Path(os.environ.get("OCTET_TEST_DATA", "../shared/data"))
    checks = [(f"small/{name}", lambda folder, case=(name, build, steps): check_small(*case, folder))
              for name, build, steps in itertools.chain(
                  tflite_cases.cases(), tflite_int16_cases.cases(), tflite_lstm_cases.cases(),
                  tflite_lstm_cases.integer_cases())
              if name != "int16/sum"]  # which LiteRT's reference kernel adds up without scales
    checks += [(f"small/{name}", lambda folder, case=(name, build): check_hybrid(*case, folder))
               for name, build, _ in itertools.chain(tflite_hybrid_cases.cases(),
                                                     tflite_lstm_cases.hybrid_cases())]
    if data.is_dir():
        checks += [(name, lambda folder, case=(name, data, *case): check_real(*case, folder))
                   for name, case in REAL.items()]
    else:
        print(f"without real models: {data} is not there")
    failures, count, exact = [], 0, 0
    with tempfile.TemporaryDirectory() as folder:
        for name, run in checks:
            if wanted not in name:
                continue
            count += 1
            try:
                exact += run(pathlib.Path(folder)) == 0
            except subprocess.CalledProcessError as error:
                failures.append(f"{name}: {error.stderr.strip()}")
            except AssertionError as error:
                failures.append(f"{name}: {error}")
    for failure in failures:
        print("FAILED", failure)
    print(f"LiteRT: {count} models, {exact} equal in every bit, {len(failures)} failed")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
