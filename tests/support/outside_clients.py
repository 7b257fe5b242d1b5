# SPDX-License-Identifier: Apache-2.0
"""The programs of others that `cmake/setup/setup.sh check` fetches into build/clients."""

import os
import pathlib
import shutil
import subprocess
import sys
import urllib.error
import urllib.request

from tests.support.server_process import ROOT

CLIENTS = ROOT / "build" / "clients"


def find(name: str) -> str | None:
    """The path of a program: fetched, or the machine's."""
    for path in (CLIENTS / "bin" / name, CLIENTS / name / name):
        if path.exists():
            return str(path)
    return shutil.which(name)


def skip_unless(there: bool, what: str) -> None:
    """Ends the test, as skipped, or as failed where all have to be there."""
    if there:
        return
    print(f"skipped: {what} is not there; cmake/setup/setup.sh check fetches it")
    sys.exit(1 if os.environ.get("OCTET_REQUIRE_ALL") == "1" else 77)


def has_rest(address: str, model: str) -> bool:
    """Whether inference is served over HTTP: an empty request is refused rather than unknown."""
    request = urllib.request.Request(f"http://{address}/v2/models/{model}/infer", b"{}",
                                     {"Content-Type": "application/json"})
    try:
        urllib.request.urlopen(request, timeout=60).close()
    except urllib.error.HTTPError as error:
        return error.code == 400
    return True


def run(name: str, *arguments: str, stdin: str | None = None, status: int = 0) -> str:
    """What the program prints; raises where it ends with another status."""
    libraries = f"{CLIENTS / name}:{os.environ.get('LD_LIBRARY_PATH', '')}"
    done = subprocess.run([find(name), *map(str, arguments)], input=stdin, text=True, timeout=240,
                          capture_output=True, check=False,
                          env={**os.environ, "LD_LIBRARY_PATH": libraries})
    command = " ".join([name, *map(str, arguments)])
    assert done.returncode == status, \
        f"{command}: status {done.returncode}\n{done.stdout}\n{done.stderr}"
    print(f"ran: {command[:240]}")
    return done.stdout + done.stderr
