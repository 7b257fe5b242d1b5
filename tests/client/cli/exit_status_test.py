# SPDX-License-Identifier: Apache-2.0
"""What `octet` says and returns: 0, 1 where a command failed, 2 where it was used wrongly."""

import hashlib
import json
import math
import os
import pathlib
import shutil
import struct
import subprocess
import sys
import tempfile

OCTET = pathlib.Path(os.environ["OCTET_BIN_DIR"]) / "octet"
ZOO = "models/zoo/repository"
FLOAT, INT8, MLP = f"{ZOO}/digits-fp32/1", f"{ZOO}/digits-int8/1", f"{ZOO}/digits-mlp-fp32/1"
STATIC = f"{ZOO}/digits-int8-static/1"
IMAGES = "models/zoo/data/digits_test_images.npy"
LABELS = "models/zoo/data/digits_test_labels.npy"
KERAS = "models/zoo/keras/digits_mlp.keras"


def octet(*arguments: str, **environment: str) -> subprocess.CompletedProcess:
    """`octet` with `arguments`."""
    return subprocess.run([OCTET, *arguments], capture_output=True, text=True, timeout=120,
                          check=False, env={**os.environ, **environment})


def expect(status: int, wanted: str, *arguments: str,
           **environment: str) -> subprocess.CompletedProcess:
    """Runs `octet`, which must return `status` and say `wanted` on its stream for that."""
    done = octet(*arguments, **environment)
    said = done.stderr if status else done.stdout
    assert done.returncode == status, (arguments, done)
    assert wanted in said, (arguments, done)
    return done


def test_every_command_has_help_with_an_example() -> None:
    names = [line.split()[0] for line in octet("--help").stdout.split("Subcommands:")[1:][0]
             .splitlines() if line.startswith("  ") and line[2] != " "]
    assert {"import", "inspect", "quantize", "run", "evaluate", "infer", "bench", "compare",
            "demo"} <= set(names), names
    for name in names:
        expect(0, "Example: octet " + name, name, "--help")


def test_no_command_and_unknown_ones_are_wrong_use() -> None:
    expect(2, "subcommand")
    expect(2, "subcommand", "frobnicate")
    expect(2, "--frobnicate", "inspect", FLOAT, "--frobnicate")


def test_compare_prints_layers_for_people_and_for_programs() -> None:
    text = expect(0, "layer by layer", "compare", FLOAT, INT8, "--input", IMAGES).stdout
    assert all(f"\n{layer} " in text for layer in ("conv1", "dense1", "probabilities")), text
    done = expect(0, "", "compare", FLOAT, INT8, "--input", IMAGES, "--json")
    result = json.loads(done.stdout)
    first, other = result["bundles"]
    assert (first["precision"], first["layers"]) == ("fp32", [])
    layers = {layer["layer"]: layer for layer in other["layers"]}
    assert layers["conv2"]["sqnr_db"] > 10 and math.isfinite(layers["conv2"]["us"])


def test_compare_used_wrongly() -> None:
    expect(2, "bundles", "compare")
    expect(2, "bundles", "compare", FLOAT, "--input", IMAGES)
    # Only the bundle tells that it has inputs.
    expect(1, "give --input image=FILE.npy", "compare", FLOAT, INT8)
    expect(2, "--layer-rows", "compare", FLOAT, INT8, "--input", IMAGES, "--layer-rows", "0")
    expect(1, "octet compare: ", "compare", FLOAT, "no/such/bundle", "--input", IMAGES)
    expect(1, "wants the inputs of the first bundle", "compare", FLOAT, MLP, "--input", IMAGES)
    expect(1, "is given twice", "compare", FLOAT, INT8, "--input", IMAGES, "--input", IMAGES)


def test_import_takes_the_rows_of_the_self_test() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = f"{folder}/1"
        expect(0, bundle, "import", KERAS, "--output", bundle, "--input", IMAGES)
        # The rows lie in the file as they lay in the array.
        rows = pathlib.Path(IMAGES).read_bytes()
        first = rows[-360 * 64 * 4:][:8 * 64 * 4]
        assert first in pathlib.Path(bundle, "tests.safetensors").read_bytes()
        wrong = expect(1, f"from \"{LABELS}\": got ", "import", KERAS, "--output", f"{folder}/2",
                       "--input", LABELS).stderr
        assert "wants" in wrong, wrong
        assert not pathlib.Path(folder, "2").exists()
        expect(1, "no/such.npy", "import", KERAS, "--output", f"{folder}/2", "--input",
               "no/such.npy")


def test_quantize_runs_on_the_kernel_set_that_is_forced() -> None:
    with tempfile.TemporaryDirectory() as folder:
        arguments = ("quantize", FLOAT, "--mode", "int8-static", "--calibration", IMAGES,
                     "--output", f"{folder}/1")
        expect(1, "mmx", *arguments, OCTET_KERNEL_SET="mmx")
        expect(1, "mmx", *arguments, "--kernel-set", "mmx")
        expect(0, "int8-static", *arguments, OCTET_KERNEL_SET="reference")


def test_a_bundle_whose_self_test_fails_is_shown_but_not_run() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bundle = f"{folder}/1"
        shutil.copytree(INT8, bundle)
        break_self_test(pathlib.Path(bundle))
        message = "self-test: output \"probabilities\" element 0: got "
        run = ("--input", IMAGES)
        expect(1, message, "run", bundle, *run, "--output", f"{folder}/out")
        expect(1, message, "evaluate", bundle, *run, "--labels", LABELS)
        expect(1, message, "bench", "--bundle", bundle, "--seconds", "0.0001")
        expect(1, message, "compare", FLOAT, bundle, *run)
        shown = expect(1, message, "inspect", bundle)
        assert "self-test FAILED" in shown.stdout and "kernel set" in shown.stdout, shown
        result = json.loads(expect(1, message, "inspect", bundle, "--json").stdout)
        assert result["self_test"]["outcome"] == "failed", result
        assert result["self_test"]["message"].startswith(message), result
        assert result["steps"], result


def test_inspect_says_that_the_self_test_passed() -> None:
    expect(0, "self-test passed", "inspect", INT8)
    result = json.loads(expect(0, "", "inspect", INT8, "--json").stdout)
    assert result["self_test"] == {"outcome": "passed"}, result


def test_a_file_that_crashes_a_library_is_an_error() -> None:
    damaged = bytearray(pathlib.Path("tests/golden/tfmot/dense.h5").read_bytes())
    damaged[26567] = 14  # a reference into the heap of strings; libhdf5 1.10 to 1.14 follow it
    with tempfile.TemporaryDirectory() as folder:
        model = pathlib.Path(folder, "damaged.h5")
        model.write_bytes(damaged)
        output = pathlib.Path(folder, "bundle/1")
        expect(1, f"octet import: {model}: ", "import", model, "--output", output)
        assert not output.exists()


def test_inspect_tells_what_is_integer_and_what_the_passes_did() -> None:
    assert "100.0 % of them in integers" in expect(0, "", "inspect", INT8).stdout
    assert "0.0 % of them in integers" in expect(0, "", "inspect", FLOAT).stdout
    result = json.loads(expect(0, "", "inspect", INT8, "--graph", "--json").stdout)
    products = result["multiply_accumulates"]
    of_steps = [step.get("multiply_accumulates", 0) for step in result["steps"]]
    assert products["all"] == products["integer"] == sum(of_steps) > 0, result
    assert len(result["graph"]["stored"]) >= len(result["graph"]["run"]) > 0, result


def test_tune_keeps_what_it_measured() -> None:
    steps = json.loads(expect(0, "", "inspect", STATIC, "--json").stdout)["steps"]
    usual = [step["implementation"] for step in steps if "implementation" in step]
    assert usual and all(choice["chosen_by"] == "rule" for choice in usual), usual
    has_choice = any(len(choice["fitting"]) > 1 for choice in usual)
    with tempfile.TemporaryDirectory() as folder:
        choices = f"{folder}/choices.txt"
        tune = ("tune", STATIC, "--kernel-choices", choices)
        if has_choice:
            expect(0, "layers measured, kept in " + choices, *tune, "--seconds", "1")
            expect(0, " (measured at batch 1,16: ", "inspect", STATIC, "--kernel-choices", choices)
            expect(0, "best ", "bench", "--bundle", STATIC, "--seconds", "0.01",
                   "--kernel-choices", choices)
        expect(0, "has one implementation for every layer", *tune, "--kernel-set", "reference")
        # Without its file it is what it was, and says so.
        pathlib.Path(choices).write_text("<html>\n")
        done = expect(0, "self-test passed", "inspect", STATIC, "--kernel-choices", choices)
        assert f'warning: "{choices}": begins with "<html>"' in done.stderr, done
        assert "(measured" not in done.stdout, done


def test_tune_used_wrongly() -> None:
    expect(2, "--kernel-choices", "tune", STATIC)
    expect(2, "--batch", "tune", STATIC, "--kernel-choices", "x", "--batch", "0")
    expect(2, "--seconds", "tune", STATIC, "--kernel-choices", "x", "--seconds", "nan")
    expect(1, "octet tune: ", "tune", "no/such/bundle", "--kernel-choices", "x")


def break_self_test(bundle: pathlib.Path) -> None:
    """Makes the first wanted answer another one, and the checksums right again."""
    tests = bundle / "tests.safetensors"
    data = bytearray(tests.read_bytes())
    header_size = int.from_bytes(data[:8], "little")
    header = json.loads(data[8:8 + header_size])
    begin = 8 + header_size + header["output.0"]["data_offsets"][0]
    data[begin:begin + 4] = struct.pack("<f", 7.0)
    tests.write_bytes(data)
    manifest = bundle / "manifest.json"
    old = hashlib.sha256(pathlib.Path(INT8, "tests.safetensors").read_bytes()).hexdigest()
    text = manifest.read_text()
    assert old in text
    manifest.write_text(text.replace(old, hashlib.sha256(data).hexdigest()))


def test_bench_wants_one_thing_to_measure() -> None:
    expect(2, "wants a MODEL", "bench")
    expect(2, "wants a MODEL", "bench", "digits-int8", "--bundle", INT8)
    expect(0, "median_us", "bench", "--bundle", INT8, "--seconds", "0.0001", "--json")


def test_a_server_that_is_not_there() -> None:
    expect(1, "octet infer: ", "infer", "digits", "--address", "127.0.0.1:1", "--input", IMAGES)


def main() -> int:
    for name, test in list(globals().items()):
        if name.startswith("test_"):
            test()
            print("passed", name)
    return 0


if __name__ == "__main__":
    sys.exit(main())
