# SPDX-License-Identifier: Apache-2.0
"""The server beside its peers and the bare echo, over loopback, taking turns in one run.

    build/venv/bin/python tests/bench/server/run.py BUILD_FOLDER [--filter SECTION]... [--list]
           [--rounds N] [--seconds S] [--json FILE] [--markdown FILE]

Prints each stretch and each figure, then all figures as a table. A figure with a target says
whether it is met. Ends with status 1 if a section could not be measured; a target that is missed is
no error: machines differ.
"""
import argparse
import contextlib
import json
import pathlib
import sys
import traceback

import batching
import endpoints
import models
import overload
import report
import responsiveness
from measuring import Bench, Failed, complain
from peers import answers, make_models, peers
from servers import Echo, Octet

ZOO = pathlib.Path("models/zoo/repository")
WORK = pathlib.Path("build/peers/serving")
QUOTA_CPUS = 1.5


def run_endpoints(bench: Bench, options) -> None:
    ours = Octet(options.built, options.shared)
    answers.check_first(ours)
    servers = [ours, Echo(options.built)]
    for name in peers.missing(options.built):
        bench.say(f"  without {name}: it is not set up")
    for peer in peers.available(options.built, make_models.FOLDER):
        try:
            answers.check_first(peer)
            servers.append(peer)
        except Failed as failure:
            bench.say(f"  without {peer.name}: {failure}")
    with contextlib.ExitStack() as stack:
        for server in servers:
            stack.enter_context(server)
        ours.await_idle()
        endpoints.run(bench, servers)


def run_batching(bench: Bench, options) -> None:
    with Octet(options.built, options.repository) as ours:
        ours.await_idle()
        with Octet(options.built, options.repository, "one row",
                   batching.one_row_batches()) as one_row:
            one_row.await_idle()
            batching.beside_one_row(bench, ours, one_row)
        with Octet(options.built, options.repository, "fixed delay",
                   batching.fixed_delay()) as delaying:
            delaying.await_idle()
            batching.beside_fixed_delay(bench, ours, delaying)


def run_limits(bench: Bench, options) -> None:
    batching.limits(bench, options.repository)


def run_overload(bench: Bench, options) -> None:
    with Octet(options.built, options.repository) as ours:
        ours.await_idle()
        overload.served_beside_in_process(bench, ours, options.repository)
        overload.overload(bench, ours)


def run_starts(bench: Bench, options) -> None:
    responsiveness.starts(bench, Octet(options.built, ZOO))


def run_pauses(bench: Bench, options) -> None:
    with Octet(options.built, ZOO) as ours, Echo(options.built) as echo:
        ours.await_idle()
        responsiveness.pauses(bench, [ours, echo], responsiveness.DIGITS)


def run_reloads(bench: Bench, options) -> None:
    with Octet(options.built, options.repository) as ours:
        ours.await_idle()
        responsiveness.reloads(bench, ours, "all CPUs")
    with responsiveness.cpu_quota(QUOTA_CPUS) as cgroup:
        if cgroup is None:
            bench.say("  no CPU quota can be set here: reloads under one are not measured")
            return
        with Octet(options.built, options.repository, cgroup=cgroup) as ours:
            ours.await_idle()
            responsiveness.reloads(bench, ours, f"{QUOTA_CPUS} CPUs of quota")


SECTIONS = {
    "endpoints": run_endpoints,
    "batching": run_batching,
    "limits": run_limits,
    "overload": run_overload,
    "starts": run_starts,
    "pauses": run_pauses,
    "reloads": run_reloads,
}


def run_sections(bench: Bench, options) -> bool:
    """Whether all that were chosen could be measured."""
    is_whole = True
    for name in options.filter or SECTIONS:
        bench.say(f"{name}")
        try:
            SECTIONS[name](bench, options)
        except Failed as failure:
            complain(f"{name}: {failure}")
            is_whole = False
        except Exception:  # the others' figures are worth having
            traceback.print_exc()
            is_whole = False
    return is_whole


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("built", type=pathlib.Path)
    parser.add_argument("--filter", action="append", choices=SECTIONS, metavar="SECTION",
                        help="only this section; may be given again")
    parser.add_argument("--list", action="store_true", help="the sections' names")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each stretch")
    parser.add_argument("--json", type=pathlib.Path)
    parser.add_argument("--markdown", type=pathlib.Path)
    return parser.parse_args()


def main() -> int:
    options = parse_arguments()
    if options.list:
        print("\n".join(SECTIONS))
        return 0
    bench = Bench(options.built, options.rounds, options.seconds, [])
    options.repository = models.make_repository(bench.octet, WORK / "made")
    options.shared = make_models.make_repository(bench.octet)
    is_whole = run_sections(bench, options)
    about = report.machine(bench.octet, ZOO / "digits-mlp-int8/1")
    table = report.table(bench.figures, about)
    print(table)
    if options.markdown:
        options.markdown.write_text(table)
    if options.json:
        options.json.write_text("".join(json.dumps(note) + "\n" for note in bench.notes))
    return 0 if is_whole else 1


if __name__ == "__main__":
    sys.exit(main())
