# SPDX-License-Identifier: Apache-2.0
"""Networks that an exporter wrote as ONNX, imported and compared."""

import pathlib
import subprocess
import sys
import tempfile

# Of the largest answer.
BOUND = 1e-5


def check(golden, toolkit, differences):
    """The exit status for the .onnx files of the folder that the command line names, or of `golden`.
    `differences(path, folder)`: the largest from ONNX Runtime over some requests, that from the answer of
    `toolkit` itself, ONNX Runtime's from that, and how many requests there were."""
    models = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else golden
    files = sorted(models.glob("*.onnx"))
    assert files, f"no model in {models}"
    failed = []
    for path in files:
        with tempfile.TemporaryDirectory() as folder:
            try:
                peer, own, peers, count = differences(path, pathlib.Path(folder))
            except (AssertionError, subprocess.CalledProcessError) as error:
                print(f"{path.name}: {getattr(error, 'stderr', None) or error}")
                failed.append(path.name)
                continue
        print(f"{path.name}: {peer:.1e} from ONNX Runtime over {count} requests, {own:.1e} from "
              f"{toolkit}, as that is by {peers:.1e}", flush=True)
        # What an exporter changes is not ours to mend.
        if not (peer <= BOUND and own <= peers + BOUND):
            failed.append(path.name)
    for name in failed:
        print(f"{name}: FAILED")
    print(f"{toolkit}'s networks, exported: {len(files)} models, {len(failed)} failed")
    return 1 if failed else 0
