# SPDX-License-Identifier: Apache-2.0
"""Starts Octet, the bare echo and each peer that is installed, one after the other, and asks each
of their models for right answers: peers_smoke.py BUILD_FOLDER. Exit status 77: no peer is there."""
import os
import pathlib
import sys

from measuring import Failed
from peers import answers, make_models, served_models
from peers.peers import KServe, MLServer, Triton, missing
from servers import Echo, Octet

ALL = (*served_models.SMALL, *served_models.LARGE)


def check_batches(server) -> None:
    """Those that form batches have formed some of what was sent at once."""
    for model in served_models.LARGE:
        if isinstance(server, (Octet, Triton)) and model.name in server.models:
            requests, runs = answers.executions(server, model)
            if not 0 < runs < requests:
                raise Failed(f"{server.name}, {model.name}: {requests} requests in {runs} runs")
            print(f"{server.name}, {model.name}: {requests} requests in {runs} runs")


def check(server) -> None:
    with server:
        errors = answers.check(server) if server.models else {}
        if errors.keys() != server.models:
            raise Failed(f"{server.name} was asked for {sorted(errors)}, serves {sorted(server.models)}")
        check_batches(server)
        memory, cpu = server.memory(), server.cpu_seconds()
        # The echo may not have computed for long enough to be seen.
        if not 0 < memory["pss"] <= memory["rss"] or (server.models and cpu <= 0):
            raise Failed(f"{server.name}: {memory}, {cpu} s of CPU")
        print(f"{server.name}: ready after {server.start_seconds * 1e3:.0f} ms, PSS "
              f"{memory['pss'] / 1e6:.0f} MB, {memory['threads']} threads in "
              f"{memory['processes']} processes"
              + "".join(f"; {name} {error:.1e}" for name, error in errors.items()), flush=True)


def main() -> int:
    built = pathlib.Path(sys.argv[1])
    octet = built / "bin/octet"
    absent = missing(built)
    servers = [Triton(built, make_models.FOLDER, ALL, has_http=True),
               Triton(built, make_models.FOLDER, ALL, instances=2),
               KServe(make_models.FOLDER, ALL), MLServer(make_models.FOLDER, ALL),
               MLServer(make_models.FOLDER, workers=1)]
    servers = [server for server in servers if server.is_installed()]
    if absent:
        print(f"without {', '.join(absent)}: tests/bench/server/peers/setup.sh installs them")
    if not servers or absent and os.environ.get("OCTET_REQUIRE_ALL") == "1":
        return 1 if servers else 77
    servers += [Octet(built, make_models.make_repository(octet, models))
                for models in (served_models.SMALL, served_models.LARGE)]
    servers.append(Echo(built))
    failures = []
    for server in servers:
        try:
            check(server)
        except Failed as failure:
            failures.append(str(failure))
    print("\n".join(failures))
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
