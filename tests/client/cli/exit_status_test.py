# SPDX-License-Identifier: Apache-2.0
"""What `octet` says and returns: 0, 1 where a command failed, 2 where it was used wrongly."""

import json
import math
import os
import pathlib
import subprocess
import sys

OCTET = pathlib.Path(os.environ["OCTET_BIN_DIR"]) / "octet"
ZOO = "models/zoo/repository"
FLOAT, INT8, MLP = f"{ZOO}/digits-fp32/1", f"{ZOO}/digits-int8/1", f"{ZOO}/digits-mlp-fp32/1"
IMAGES = "models/zoo/data/digits_test_images.npy"


def octet(*arguments: str) -> subprocess.CompletedProcess:
    """`octet` with `arguments`."""
    return subprocess.run([OCTET, *arguments], capture_output=True, text=True, timeout=120,
                          check=False)


def expect(status: int, wanted: str, *arguments: str) -> subprocess.CompletedProcess:
    """Runs `octet`, which must return `status` and say `wanted` on its stream for that."""
    done = octet(*arguments)
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
    expect(2, "--input", "compare", FLOAT, INT8)
    expect(2, "--layer-rows", "compare", FLOAT, INT8, "--input", IMAGES, "--layer-rows", "0")
    expect(1, "octet compare: ", "compare", FLOAT, "no/such/bundle", "--input", IMAGES)
    expect(1, "wants the inputs of the first bundle", "compare", FLOAT, MLP, "--input", IMAGES)
    expect(1, "is given twice", "compare", FLOAT, INT8, "--input", IMAGES, "--input", IMAGES)


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
