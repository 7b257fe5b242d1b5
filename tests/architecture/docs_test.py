# SPDX-License-Identifier: Apache-2.0
"""Fails when a document names a link, a file, a make target or a flag of octet-server that is not
there, or when docs/configuration.md lacks such a flag.

Usage: docs_test.py [REPOSITORY_ROOT]
"""

import pathlib
import re
import subprocess
import sys

# A code span that begins with one of these is the path of something that is there.
TOP_FOLDERS = ("cmake", "client", "deploy", "docs", "helm", "kernels", "models", "proto", "server",
               "tests")
FENCE = re.compile(r"^\s*(```|~~~)")
CODE_SPAN = re.compile(r"`([^`\n]+)`")
LINK = re.compile(r"\[[^\]\n]*\]\(([^)\s]+)\)")
FLAG = re.compile(r"(?<![\w-])--[a-z][a-z0-9-]*")
# A source named by its last part, as a room's README names its own: it is somewhere.
SOURCE = re.compile(r"[\w/-]+\.(?:h|cc|py|sh|proto)")
MAKE = re.compile(r"make ([a-z][a-z-]*)")
TARGET = re.compile(r"^([a-z][a-z-]*):", re.MULTILINE)
PLACEHOLDER = re.compile(r"<[^<>]*>")
# In server/config/server_config.cc: a row of kFlags, and a flag that is no field of the file.
FLAG_ROW = re.compile(r'\bFlag\{"([a-z0-9_]+)"')
OTHER_FLAG = re.compile(r'\bname == "(--[a-z-]+)"')


def tracked_files(root: pathlib.Path) -> list[str]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=root, check=True, capture_output=True)
    return [name for name in listing.stdout.decode().split("\0")
            if name and (root / name).exists()]


def prose(text: str) -> list[tuple[int, str]]:
    """Numbered lines outside of fenced code."""
    lines, fenced = [], False
    for number, line in enumerate(text.splitlines(), start=1):
        if FENCE.match(line):
            fenced = not fenced
        elif not fenced:
            lines.append((number, line))
    return lines


def alternatives(path: str) -> list[str]:
    """`a.{h,cc}` as `a.h` and `a.cc`."""
    match = re.search(r"\{([^{}]*)\}", path)
    if not match:
        return [path]
    return [one for part in match[1].split(",")
            for one in alternatives(path[:match.start()] + part + path[match.end():])]


def exists(root: pathlib.Path, path: str) -> bool:
    """Whether the path, or for a pattern anything that fits it, is there. A source may be named
    without its ending: `models/bundle/reader`."""
    if "*" in path:
        return next(root.glob(path), None) is not None
    return (root / path).exists() or any(
        (root / f"{path}{ending}").exists() for ending in (".h", ".cc"))


def broken_links(root: pathlib.Path, name: str) -> list[str]:
    folder = (root / name).parent
    failures = []
    for number, line in prose((root / name).read_text(encoding="utf-8")):
        for target in LINK.findall(CODE_SPAN.sub("", line)):
            path = target.split("#", 1)[0]
            if not path or re.match(r"[a-z][a-z0-9+.-]*:", path):
                continue
            if not (folder / path).exists():
                failures.append(f"{name}:{number}: links to {target}, which is not there")
    return failures


def broken_paths(root: pathlib.Path, name: str) -> list[str]:
    failures = []
    for number, line in prose((root / name).read_text(encoding="utf-8")):
        for span in CODE_SPAN.findall(line):
            word = span.split()[0]
            if word.split("/", 1)[0] not in TOP_FOLDERS or "/" not in word:
                continue
            # What a placeholder stands for may not be there; what is around it must be.
            pattern = PLACEHOLDER.sub("*", word.rstrip("/"))
            failures += [f"{name}:{number}: names {path}, which is not there"
                         for path in alternatives(pattern) if not exists(root, path)]
    return failures


def broken_names(root: pathlib.Path, name: str, tracked: list[str]) -> list[str]:
    """Sources and make targets in code spans."""
    targets = set(TARGET.findall((root / "Makefile").read_text(encoding="utf-8")))
    failures = []
    for number, line in prose((root / name).read_text(encoding="utf-8")):
        for span in CODE_SPAN.findall(line):
            if SOURCE.fullmatch(span) and not any(f"/{file}".endswith(f"/{span}")
                                                  for file in tracked):
                failures.append(f"{name}:{number}: names {span}, which is not there")
            if (make := MAKE.match(span)) and make[1] not in targets:
                failures.append(f"{name}:{number}: names make {make[1]}, which the Makefile lacks")
    return failures


def flag_failures(root: pathlib.Path) -> list[str]:
    source = (root / "server/config/server_config.cc").read_text(encoding="utf-8")
    rows = {"--" + field.replace("_", "-") for field in FLAG_ROW.findall(source)}
    there = rows | set(OTHER_FLAG.findall(source)) - {"--help"}
    document = "docs/configuration.md"
    text = (root / document).read_text(encoding="utf-8")
    told = {flag for span in CODE_SPAN.findall(text) for flag in FLAG.findall(span)} - {"--help"}
    if not rows:
        return ["server/config/server_config.cc: no flag found in it; this test reads kFlags"]
    return ([f"{document}: names {flag}, which octet-server lacks" for flag in sorted(told - there)]
            + [f"{document}: lacks {flag} of octet-server" for flag in sorted(there - told)])


def main() -> int:
    default = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    failures = flag_failures(root)
    tracked = tracked_files(root)
    for name in tracked:
        if not name.endswith(".md"):
            continue
        failures += broken_links(root, name)
        # What a decision or a release named may be gone: neither is edited later.
        if not name.startswith(("docs/decisions/", "CHANGELOG")):
            failures += broken_paths(root, name) + broken_names(root, name, tracked)
    print("\n".join(failures) or "every link, file and flag that the documents name is there")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
