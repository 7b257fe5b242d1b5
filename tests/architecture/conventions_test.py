# SPDX-License-Identifier: Apache-2.0
"""Fails when a tracked file breaks a rule that a reader would otherwise have to check by eye.

Usage: conventions_test.py [REPOSITORY_ROOT]
"""

import pathlib
import subprocess
import sys

LICENCE = "SPDX-License-Identifier: Apache-2.0"
LICENSED = {".h", ".cc", ".py", ".proto", ".sh", ".cmake"}
ASCII_ONLY = {".h", ".cc"}
FORBIDDEN_NAMES = {"util", "utils", "helper", "helpers", "common", "misc", "manager"}
MOST_LINES = {"README.md": 150, "docs/architecture.md": 200}
LONGEST_SOURCE = 600


def tracked_files(root: pathlib.Path) -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True)
    return [name for name in listing.stdout.decode().split("\0") if name]


def failures_of(root: pathlib.Path, name: str) -> list[str]:
    path = pathlib.PurePosixPath(name)
    failures = []
    if FORBIDDEN_NAMES & set(path.with_suffix("").as_posix().replace("_", "/").split("/")):
        failures.append(f"{name}: its name does not say what it is")
    if path.suffix not in LICENSED and name not in MOST_LINES:
        return failures
    file = root / name
    if not file.exists():
        return failures
    text = file.read_text(encoding="utf-8")
    lines = text.splitlines()
    if path.suffix in LICENSED and not any(LICENCE in line for line in lines[:3]):
        failures.append(f"{name}: its first lines lack {LICENCE}")
    if path.suffix in ASCII_ONLY and not text.isascii():
        number = next(i for i, line in enumerate(lines, start=1) if not line.isascii())
        failures.append(f"{name}:{number}: not ASCII")
    if path.suffix in ASCII_ONLY and len(lines) > LONGEST_SOURCE:
        failures.append(f"{name}: {len(lines)} lines, at most {LONGEST_SOURCE}")
    if len(lines) > MOST_LINES.get(name, len(lines)):
        failures.append(f"{name}: {len(lines)} lines, at most {MOST_LINES[name]}")
    return failures


def main() -> int:
    default = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    failures = [line for name in tracked_files(root) for line in failures_of(root, name)]
    print("\n".join(failures) or "every tracked file keeps the conventions")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
