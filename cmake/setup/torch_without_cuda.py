# SPDX-License-Identifier: Apache-2.0
"""Makes PyTorch's wheel load on a machine without CUDA's libraries.

    torch_without_cuda.py FOLDER      .../site-packages/torch/lib

The wheel links a dozen of them, and installing these takes some gigabytes, even where only the CPU
is used. Each that is missing becomes a library of the same name here whose functions say that there
is no device. It wants readelf, nm and gcc.
"""

import collections
import pathlib
import re
import subprocess
import sys

SYSTEM = re.compile(r"^(ld-linux.*|lib(c|m|dl|rt|pthread|util|stdc\+\+|gcc_s|z|gomp|quadmath))[.-]")
UNVERSIONED = re.compile(r"^(cu|nccl|nvrtc|nvshmem|nvml|__cu|_?nv)")
NO_DEVICE = 100  # cudaErrorNoDevice


def output_of(*command):
    return subprocess.run([str(part) for part in command], check=True, capture_output=True,
                          text=True).stdout


class Links:
    """What the libraries of a folder want of others."""

    def __init__(self, folder):
        self.needed = set()
        self.owner = {}  # the library that a version of symbols belongs to
        self.symbols = collections.defaultdict(set)  # by version
        self.unversioned, defined = set(), set()
        for library in folder.glob("*.so*"):
            self.needed |= set(re.findall(r"NEEDED.*\[(.*)\]", output_of("readelf", "-dW", library)))
            self.read_versions(output_of("readelf", "-VW", library))
            for line in output_of("nm", "-D", library).splitlines():
                kind, symbol = line.split()[-2:]
                name, _, version = symbol.partition("@")
                if kind != "U":
                    defined.add(name)
                elif version:
                    self.symbols[version.lstrip("@")].add(name)
                elif UNVERSIONED.match(name):
                    self.unversioned.add(name)
        self.unversioned -= defined

    def read_versions(self, text):
        library = None
        for line in text.splitlines():
            if file := re.search(r"File: (\S+)", line):
                library = file.group(1)
            elif library and (version := re.search(r"Name: (\S+)\s+Flags", line)):
                self.owner[version.group(1)] = library


def make_library(path, by_version, unversioned):
    names = sorted(set().union(unversioned, *by_version.values()))
    source = "".join(f"long {name}(void) {{ return {NO_DEVICE}; }}\n" for name in names)
    script = "".join(f"{version} {{ global: {' '.join(name + ';' for name in sorted(symbols))} }};\n"
                     for version, symbols in by_version.items())
    versions = path.with_name(path.name + ".map")
    versions.write_text(script)
    options = [f"-Wl,--version-script={versions}"] if script else []
    subprocess.run(["gcc", "-w", "-shared", "-fPIC", "-fno-builtin", "-x", "c", "-", "-o", path,
                    f"-Wl,-soname,{path.name}", *options], input=source, text=True, check=True)
    versions.unlink()


def main():
    folder = pathlib.Path(sys.argv[1])
    links = Links(folder)
    missing = sorted(name for name in links.needed
                     if not (folder / name).exists() and not SYSTEM.match(name))
    for name in missing:
        by_version = {version: links.symbols[version] for version, owner in links.owner.items()
                      if owner == name}
        make_library(folder / name, by_version,
                     links.unversioned if name.startswith("libcudart") else set())


if __name__ == "__main__":
    main()
