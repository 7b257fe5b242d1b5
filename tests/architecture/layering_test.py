# SPDX-License-Identifier: Apache-2.0
"""Fails when a file includes a room or a library that its own room may not see.

The tables below are the rule; docs/architecture.md draws it.
Usage: layering_test.py [REPOSITORY_ROOT]
"""

import pathlib
import re
import sys

# Each room, and the rooms it may include besides itself. Longest path wins.
MAY_INCLUDE = {
    "kernels": [],
    "models/base": [],
    "models/tensor": ["kernels/quantization.h", "models/base"],
    "models/graph": ["models/base", "models/tensor"],
    "models/operators": ["kernels", "models/base", "models/graph", "models/tensor"],
    "models/runtime": ["kernels", "models/base", "models/graph", "models/operators",
                       "models/tensor"],
    "models/bundle": ["models/base", "models/graph", "models/tensor", "proto/octet/bundle"],
    "models/importers": ["models/base", "models/bundle", "models/graph", "models/tensor"],
    "models/exporters": ["models/base", "models/bundle", "models/graph", "models/tensor"],
    "models/quality": ["models/base", "models/tensor"],
    "models/calibration": ["models/base", "models/graph", "models/runtime", "models/tensor"],
    "models/quantization": ["kernels", "models/base", "models/bundle", "models/calibration",
                            "models/graph", "models/quality", "models/runtime", "models/tensor"],
    "server/metrics": ["models/base"],
    "server/scheduling": ["models/base", "models/runtime", "models/tensor", "server/metrics"],
    "server/repository": ["models/base", "models/bundle", "models/graph", "models/operators",
                          "models/runtime", "models/tensor", "server/metrics",
                          "server/scheduling"],
    "server/tuning": ["models/base", "models/bundle", "models/graph", "models/runtime",
                      "server/metrics", "server/repository", "server/scheduling"],
    "server/shared_memory": ["models/base"],
    "server/access": ["models/base"],
    "server/tracing": ["models/base", "proto/opentelemetry"],
    "server/experiments": ["models/base", "models/bundle", "models/quality", "models/runtime",
                           "models/tensor", "server/metrics"],
    "server/inference": ["models/base", "models/runtime", "models/tensor", "server/access",
                         "server/experiments", "server/metrics", "server/repository",
                         "server/scheduling", "server/shared_memory", "server/tracing"],
    "server/frontends/grpc": ["models/base", "models/tensor", "proto", "server/access",
                              "server/experiments", "server/inference", "server/metrics",
                              "server/repository", "server/scheduling", "server/shared_memory",
                              "server/tracing"],
    "server/frontends/http": ["models/base", "models/tensor", "server/access",
                              "server/experiments", "server/inference", "server/metrics",
                              "server/repository", "server/scheduling", "server/shared_memory",
                              "server/tracing"],
    "server/process": ["models/base", "server/inference", "server/metrics", "server/repository",
                       "server/scheduling"],
    "server/config": ["models/base", "models/runtime", "proto/octet/config", "server/access",
                      "server/experiments", "server/frontends", "server/inference",
                      "server/metrics", "server/process", "server/repository",
                      "server/scheduling", "server/shared_memory", "server/tracing"],
    "server/assembly": ["kernels", "models", "server"],  # it connects every room
    "server/main.cc": ["kernels", "models/base", "server/assembly", "server/config",
                       "server/process"],
    "client": ["proto"],
    "client/cli": ["client", "kernels", "models"],
}

# The door that one room has in another's implementation: only `kernels` sees behind it.
KERNELS_BEHIND_THE_DOOR = ("kernels/amx/", "kernels/avx2/", "kernels/avx512vnni/",
                           "kernels/onednn/", "kernels/packed/", "kernels/vectorized/")

# Libraries that only some rooms may see. Longest prefix wins.
EVERY_ROOM_BUT_KERNELS = [room for room in MAY_INCLUDE if room != "kernels"]
ONLY_IN = {
    "absl/": EVERY_ROOM_BUT_KERNELS,
    # models/base/mutex.h instead (docs/decisions/008); the one file sets what gRPC's mutexes do.
    "absl/synchronization/": ["server/process/library_defaults.cc"],
    # In server/tracing the client of one POST: the front end's server has nothing of it.
    "boost/": ["client", "server/frontends/http", "server/tracing"],
    "dnnl": ["kernels/onednn"],
    "flatbuffers/": ["models/importers/tflite", "models/exporters/tflite"],
    "google/protobuf/": ["client", "models/bundle", "models/importers", "server/config",
                         "server/frontends/grpc"],
    "grpc/": ["client", "server/frontends/grpc"],
    "grpcpp/": ["client", "server/frontends/grpc"],
    "hdf5": ["models/importers/keras", "models/exporters/keras"],
    "H5": ["models/importers/keras", "models/exporters/keras"],
    "nlohmann/": ["client/cli", "models/bundle", "models/exporters", "models/importers",
                  "server/frontends/http"],
    "oneapi/dnnl/": ["kernels/onednn"],
    "openssl/": ["models/bundle", "server/access", "server/frontends/http"],
    "prometheus/": ["server/metrics"],
    "spdlog/": ["client/cli", "server"],
    "yaml-cpp/": ["server/config"],
    "zip": ["models/importers"],
    "zlib.h": ["models/importers", "server/frontends/http", "client"],
}
ROOMS = sorted(MAY_INCLUDE, key=len, reverse=True)
OURS = ("kernels/", "models/", "server/", "client/", "proto/", "tests/")
INCLUDE = re.compile(r'^\s*#\s*include\s+["<]([^">]+)[">]')


def room_of(path: str) -> str | None:
    """The innermost room that holds `path`."""
    return next((room for room in ROOMS if path == room or path.startswith(room + "/")), None)


def is_within(path: str, place: str) -> bool:
    """Whether `path` is the file `place` or lies below the folder `place`."""
    return path == place or path.startswith(place + "/")


def may_include(path: str, included: str) -> bool:
    """Whether the file at `path` may include `included`."""
    room = room_of(path)
    assert room is not None
    if included.startswith(OURS):
        if included.startswith(KERNELS_BEHIND_THE_DOOR) and room != "kernels":
            return False
        if room == "client/cli" or not included.startswith("client/cli/"):
            return any(is_within(included, seen) for seen in [room, *MAY_INCLUDE[room]])
        return False
    library = max((prefix for prefix in ONLY_IN if included.startswith(prefix)), key=len,
                  default=None)
    return library is None or any(is_within(path, place) for place in ONLY_IN[library])


def violations(root: pathlib.Path) -> list[str]:
    """One line for each include that goes a forbidden way, and each folder without a room."""
    found = []
    for top in ("kernels", "models", "server", "client"):
        for file in sorted((root / top).rglob("*")):
            if file.suffix not in {".h", ".cc", ".cu"} or "examples" in file.parts:
                continue
            path = file.relative_to(root).as_posix()
            room = room_of(path)
            if room is None:
                found.append(f"{path}: its folder is not in the table")
                continue
            for number, line in enumerate(file.read_text().splitlines(), start=1):
                match = INCLUDE.match(line)
                if match and not may_include(path, match[1]):
                    found.append(f"{path}:{number}: {room} may not include {match[1]}")
    return found


def check_the_rule_itself() -> None:
    """A table that allows everything would pass silently: a few answers it must give."""
    assert not may_include("kernels/matmul.cc", "models/tensor/tensor.h")
    assert not may_include("kernels/matmul.cc", "absl/types/span.h")
    assert not may_include("kernels/avx2/matmul.cc", "oneapi/dnnl/dnnl.hpp")
    assert may_include("kernels/onednn/matmul.cc", "oneapi/dnnl/dnnl.hpp")
    assert may_include("models/tensor/tensor.h", "kernels/quantization.h")
    assert not may_include("models/tensor/tensor.h", "kernels/matmul.h")
    assert not may_include("models/runtime/session.cc", "server/metrics/metrics.h")
    assert not may_include("models/operators/relu.cc", "kernels/avx2/matmul.h")
    assert not may_include("server/inference/inference_service.cc", "grpcpp/grpcpp.h")
    assert not may_include("server/frontends/http/http_server.cc",
                           "server/frontends/grpc/tensor_codec.h")
    assert not may_include("client/client.cc", "client/cli/table.h")
    assert may_include("client/cli/bench.cc", "models/bundle/reader.h")
    assert not may_include("models/base/mutex.h", "absl/synchronization/mutex.h")


def main() -> int:
    default = pathlib.Path(__file__).resolve().parents[2]
    root = pathlib.Path(sys.argv[1]) if len(sys.argv) > 1 else default
    check_the_rule_itself()
    failures = violations(root)
    print("\n".join(failures) or "every include goes an allowed way")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
