# SPDX-License-Identifier: Apache-2.0
"""The zoo's bundles are what its script makes of its .keras files, byte for byte."""

import filecmp
import pathlib
import subprocess
import sys
import tempfile

from tests.support.server_process import ZOO, program


def differences(kept: pathlib.Path, made: pathlib.Path) -> list[str]:
    names = {str(f.relative_to(root)) for root in (kept, made)
             for f in root.rglob("*") if f.is_file()}
    return sorted(name for name in names
                  if not ((kept / name).exists() and (made / name).exists()
                          and filecmp.cmp(kept / name, made / name, shallow=False)))


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([str(ZOO / "build_repository.sh"), program("octet"), folder], check=True)
        different = differences(ZOO / "repository", pathlib.Path(folder))
    print("different:", different or "nothing")
    return 1 if different else 0


if __name__ == "__main__":
    sys.exit(main())
