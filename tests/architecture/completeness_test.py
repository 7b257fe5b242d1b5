# SPDX-License-Identifier: Apache-2.0
"""Fails when something that a list names lacks its documentation or its test, or the reverse, and
when a test is in no list.

Usage: completeness_test.py [REPOSITORY_ROOT]
"""

import pathlib
import re
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import layering_test  # noqa: E402

MAKER = re.compile(r"std::unique_ptr<const Operator> Make(\w+)\(\);")
LISTED = re.compile(r"registry\.Add\(Make(\w+)\(\)\);")
# Rooms that are one file, or that only hold other rooms.
WITHOUT_README = {"server/main.cc"}


def documented_operators(text: str) -> set[str]:
    """The names in the first column of the table under "## Operators"."""
    table = text.split("\n## Operators\n", 1)[1]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


def operator_failures(root: pathlib.Path) -> list[str]:
    folder = root / "models/operators"
    listed = set(LISTED.findall((folder / "operators.cc").read_text()))
    documented = documented_operators((root / "docs/operators.md").read_text())
    failures = [f"docs/operators.md: no row for {name}" for name in sorted(listed - documented)]
    failures += [f"models/operators/operators.cc: does not list {name}, which docs/operators.md "
                 "describes" for name in sorted(documented - listed)]
    for header in sorted(folder.glob("*.h")):
        made = MAKER.findall(header.read_text())
        failures += [f"models/operators/operators.cc: does not list {name} of {header.name}"
                     for name in made if name not in listed]
        test = root / "tests/models/operators" / f"{header.stem}_test.cc"
        if made and not test.exists():
            failures.append(f"{test.relative_to(root)}: missing, tests {header.name}")
    return failures


def readme_failures(root: pathlib.Path) -> list[str]:
    rooms = sorted(set(layering_test.MAY_INCLUDE) - WITHOUT_README) + [
        "proto", "models/zoo", "tests", "cmake", "docs", "deploy"]
    failures = []
    for room in rooms:
        readme = root / room / "README.md"
        if not (root / room).is_dir():
            continue
        if not readme.exists():
            failures.append(f"{room}/README.md: missing")
        elif (lines := len(readme.read_text().splitlines())) > 30:
            failures.append(f"{room}/README.md: {lines} lines, at most 30")
    return failures


def words(path: pathlib.Path) -> set[str]:
    return set(re.split(r"[\s()]+", re.sub(r"#.*", "", path.read_text())))


def test_failures(root: pathlib.Path) -> list[str]:
    """The tests that no CMakeLists.txt runs."""
    tests = root / "tests"
    rooms = words(tests / "CMakeLists.txt")
    failures = []
    for test in sorted([*tests.rglob("*_test.cc"), *tests.rglob("*_test.py")]):
        folder = next(parent for parent in test.parents if (parent / "CMakeLists.txt").exists())
        name = test.relative_to(folder).with_suffix("").as_posix().removesuffix("_test")
        if str(folder.relative_to(tests)) not in rooms:
            failures.append(f"tests/CMakeLists.txt: does not list {folder.relative_to(tests)}")
        listed = words(folder / "CMakeLists.txt")
        if not {name, f"*_test{test.suffix}"} & listed:  # by name, or by a pattern for all
            failures.append(f"{folder.relative_to(root)}/CMakeLists.txt: does not list {name}")
    return failures


def main() -> int:
    default = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    failures = operator_failures(root) + readme_failures(root) + test_failures(root)
    print("\n".join(failures) or "every listed thing has its documentation and its test")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
