# SPDX-License-Identifier: Apache-2.0
"""Runs the commands of README.md's quickstart, with the programs under test and on free ports."""

import os
import pathlib
import re
import socket
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def quickstart() -> str:
    text = (ROOT / "README.md").read_text()
    block = re.search(r"<!-- quickstart -->\n```sh\n(.*?)```", text, re.DOTALL)
    assert block, "README.md: no block after <!-- quickstart -->"
    return block[1]


def on_free_ports(script: str) -> str:
    """The script with its three ports replaced, and the server told so."""
    addresses = []
    for flag, port in (("--grpc-address", 8001), ("--http-address", 8000),
                       ("--metrics-address", 8002)):
        chosen = free_port()
        assert f"localhost:{port}" in script, f"README.md: the quickstart does not use port {port}"
        script = script.replace(f"localhost:{port}", f"localhost:{chosen}")
        addresses.append(f"{flag} 127.0.0.1:{chosen}")
    started = "octet-server --model-repository"
    assert started in script
    return script.replace(started, f"octet-server {' '.join(addresses)} --model-repository")


def run(name: str, command: list[str]) -> int:
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)
    print(f"== {name}: exit status {done.returncode}\n{done.stdout}{done.stderr}")
    return done.returncode


def main() -> int:
    programs = pathlib.Path(os.environ["OCTET_BIN_DIR"])
    script = on_free_ports(quickstart()).replace("build/release/bin", str(programs))
    failed = run("quickstart", ["bash", "-euo", "pipefail", "-c", script])
    assert "\nmake demo ONCE=1\n" in (ROOT / "README.md").read_text()
    failed |= run("demo", ["make", "--old-file=build", f"RELEASE={programs.parent}", "demo",
                           "ONCE=1"])
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
