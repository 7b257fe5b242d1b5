# SPDX-License-Identifier: Apache-2.0
"""Stretches of load on servers that take turns, and the figures that come of them."""
import dataclasses
import json
import operator
import os
import pathlib
import statistics
import subprocess
import sys
import time

# A stretch during which other processes took more of the machine is measured again.
MAX_OTHER_SHARE = 0.08
MAX_TRIES = 3
_COMPARISONS = {"<=": operator.le, ">=": operator.ge}


class Failed(Exception):
    """A stretch, or a server, that cannot be measured."""


@dataclasses.dataclass
class Figure:
    """One number of the report, and what it is to be."""
    name: str
    value: float
    unit: str = ""  # "": a ratio
    target: str = ""  # as "<= 0.6"; "": none
    details: str = ""

    @property
    def is_met(self) -> bool | None:
        """None without a target."""
        if not self.target:
            return None
        comparison, bound = self.target.split()
        return _COMPARISONS[comparison](self.value, float(bound))


@dataclasses.dataclass(frozen=True)
class Request:
    """What is sent: to which model, and of which inputs (NAME:DATATYPE:DIMS, rows first)."""
    model: str
    input: str

    def of_rows(self, rows: int) -> "Request":
        name, data_type, dims = self.input.split(":")
        return Request(self.model, f"{name}:{data_type}:{rows},{dims.partition(',')[2]}")


@dataclasses.dataclass
class Bench:
    """How this run measures, and where it notes it."""
    built: pathlib.Path
    rounds: int
    seconds: float
    notes: list[dict]  # a line of JSON for each stretch
    figures: list[Figure] = dataclasses.field(default_factory=list)

    def say(self, text: str) -> None:
        print(text, flush=True)

    def add(self, figure: Figure) -> None:
        self.figures.append(figure)
        mark = {None: "", True: "  met", False: "  MISSED"}[figure.is_met]
        target = f"  (target {figure.target})" if figure.target else ""
        self.say(f"    {figure.name}: {figure.value:.4g} {figure.unit}{target}{mark}"
                 + (f"  {figure.details}" if figure.details else ""))

    @property
    def program(self) -> pathlib.Path:
        return self.built / "tests/bench/server/load"

    @property
    def octet(self) -> pathlib.Path:
        return self.built / "bin/octet"


def _busy_seconds() -> float:
    """Of all CPUs together since the start of the machine."""
    fields = [int(field) for field in
              pathlib.Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    idle, waiting, stolen = fields[3], fields[4], fields[7]
    return (sum(fields) - idle - waiting - stolen) / os.sysconf("SC_CLK_TCK")


def _load_once(bench: Bench, server, request: Request, arguments: dict) -> dict:
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in arguments.items()]
    cpu, busy, start = server.cpu_seconds(), _busy_seconds(), time.monotonic()
    result = subprocess.run(
        [bench.program, "--address", server.grpc_address, "--model", request.model, "--input",
         request.input, *flags], capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise Failed(f"{server.name}: {result.stderr.strip()}")
    row = json.loads(result.stdout)
    server_cpu = server.cpu_seconds() - cpu
    others = _busy_seconds() - busy - server_cpu - row["client_cpu_seconds"]
    row["other_share"] = max(0, others) / (time.monotonic() - start) / os.cpu_count()
    # The warm-up is among what the server computed: its share is taken off.
    warm_up = arguments.get("warm_up", 0.5) if "requests" not in arguments else 0
    share = row["seconds"] / (row["seconds"] + warm_up)
    row["server_cpu_us"] = server_cpu * share * 1e6 / max(1, row["answered"])
    return row


def load(bench: Bench, server, request: Request, case: str, **arguments) -> dict:
    """One stretch on one server; of several tries the calmest."""
    arguments = {"seconds": bench.seconds} | arguments
    tries = []
    while len(tries) < MAX_TRIES:
        tries.append(_load_once(bench, server, request, arguments))
        if tries[-1]["other_share"] <= MAX_OTHER_SHARE:
            break
    best = min(tries, key=lambda row: row["other_share"])
    bench.notes.append({"case": case, "server": server.name, **arguments, **best})
    return best


class Turns:
    """What servers did in one case, round by round."""

    def __init__(self):
        self.rows: dict[str, list[dict]] = {}

    def median(self, server: str, key: str) -> float:
        return statistics.median(row[key] for row in self.rows[server])

    def ratio(self, server: str, other: str, key: str) -> float:
        """The median of the rounds' ratios: both halves of each were measured one after the other."""
        return statistics.median(
            a[key] / b[key] if b[key] else float("inf")
            for a, b in zip(self.rows[server], self.rows[other]))

    def failures(self, server: str) -> dict:
        return {text: count for row in self.rows[server] for text, count in row["failures"].items()}


def take_turns(bench: Bench, servers: list, request: Request, case: str,
               may_fail: bool = False, **arguments) -> Turns:
    """Each server as often as there are rounds; who begins changes. A server that refuses requests
    is an error, unless it may."""
    turns = Turns()
    for round_ in range(bench.rounds):
        shift = round_ % len(servers)
        for server in servers[shift:] + servers[:shift]:
            row = load(bench, server, request, case, **arguments)
            if row["failures"] and not may_fail:
                raise Failed(f"{server.name} failed in {case}: {row['failures']}")
            turns.rows.setdefault(server.name, []).append(row)
    bench.say(f"  {case}")
    for name in turns.rows:
        failed = sum(turns.failures(name).values())
        bench.say(f"    {name:16} {turns.median(name, 'requests_per_second'):9.0f}/s"
                  f"  p50 {turns.median(name, 'p50_us'):9.0f} us"
                  f"  p99 {turns.median(name, 'p99_us'):9.0f} us"
                  f"  CPU {turns.median(name, 'server_cpu_us'):8.1f} us a request"
                  + (f"  failed {failed}" if failed else ""))
    return turns


def complain(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
