# SPDX-License-Identifier: Apache-2.0
"""Unpacks oneDNN's wheels: their lib/ and include/ into FOLDER, from FOLDER/wheels.

Usage: unpack_onednn.py FOLDER
"""

import pathlib
import sys
import zipfile


def main() -> None:
    folder = pathlib.Path(sys.argv[1])
    for wheel in sorted((folder / "wheels").glob("*.whl")):
        with zipfile.ZipFile(wheel) as archive:
            for name in archive.namelist():
                _, marker, path = name.partition(".data/data/")
                if not marker or name.endswith("/"):
                    continue
                target = folder / path
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    # A wheel holds no links: one library, three times.
    library = folder / "lib"
    for link, target in (("libdnnl.so.3", "libdnnl.so.3.2"), ("libdnnl.so", "libdnnl.so.3")):
        (library / link).unlink(missing_ok=True)
        (library / link).symlink_to(target)


if __name__ == "__main__":
    main()
