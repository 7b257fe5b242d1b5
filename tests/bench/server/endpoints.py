# SPDX-License-Identifier: Apache-2.0
"""Endpoints that cost little to compute, and large ones: what a server adds to a request."""
from measuring import Bench, Failed, Figure, Request, take_turns
from peers.served_models import DIGITS, IDENTITY, IMAGE

OPEN_RATE = 500


def _small(bench: Bench, servers: list, request: Request) -> None:
    ours = servers[0].name
    one = take_turns(bench, servers, request, f"{request.model}, one in flight", in_flight=1)
    take_turns(bench, servers, request, f"{request.model}, 8 in flight", in_flight=8)
    many = take_turns(bench, servers, request, f"{request.model}, 32 in flight", in_flight=32)
    take_turns(bench, servers, request, f"{request.model}, 32 in flight, 4 connections",
               in_flight=32, connections=4)
    take_turns(bench, servers, request, f"{request.model}, {OPEN_RATE} a second", rate=OPEN_RATE,
               in_flight=1000)
    bench.add(Figure(f"{request.model}: requests a second at 32 in flight, of the bare echo's",
                     many.ratio(ours, "echo", "requests_per_second"), "", ">= 0.85"))
    bench.add(Figure(f"{request.model}: p50 at one in flight, above the bare echo's",
                     one.median(ours, "p50_us") - one.median("echo", "p50_us"), "us", "<= 15"))
    for server in servers[2:]:
        name = server.name
        goals = (">= 1.9", "<= 0.6", "<= 0.5") if name == "triton" else ("", "", "")
        bench.add(Figure(f"{request.model}: requests a second at 32 in flight, of {name}'s",
                         many.ratio(ours, name, "requests_per_second"), "", goals[0]))
        bench.add(Figure(f"{request.model}: p50 at one in flight, of {name}'s",
                         one.ratio(ours, name, "p50_us"), "", goals[1]))
        bench.add(Figure(f"{request.model}: CPU a request at 32 in flight, of {name}'s",
                         many.ratio(ours, name, "server_cpu_us"), "", goals[2]))


def _images(bench: Bench, servers: list) -> None:
    ours = servers[0].name
    request = Request(IMAGE.name, IMAGE.input)
    one = take_turns(bench, servers, request, "602 KB images, one in flight", in_flight=1)
    take_turns(bench, servers, request, "602 KB images, 8 in flight", in_flight=8)
    bench.add(Figure("602 KB images: p50 at one in flight, of the bare echo's",
                     one.ratio(ours, "echo", "p50_us"), "", "<= 1.15"))
    for server in servers[2:]:
        goal = "<= 0.75" if server.name == "triton" else ""
        bench.add(Figure(f"602 KB images: p50 at one in flight, of {server.name}'s",
                         one.ratio(ours, server.name, "p50_us"), "", goal))


def _memory(bench: Bench, servers: list, when: str, before: dict[str, dict]) -> None:
    ours = before[servers[0].name]["pss"]
    for server in servers:
        used = before[server.name]
        bench.say(f"    {server.name:16} {used['pss'] / 1e6:8.1f} MB {when}, "
                  f"{used['threads']} threads in {used['processes']} processes")
    for server in servers[2:]:
        goal = {"after its start": "<= 0.6", "after the run": "<= 0.5"}[when]
        bench.add(Figure(f"memory {when}, of {server.name}'s", ours / before[server.name]["pss"],
                         "", goal if server.name == "triton" else ""))


def run(bench: Bench, servers: list) -> None:
    """`servers` have been started: ours, the bare echo, then the peers."""
    if [server.name for server in servers[:2]] != ["octet", "echo"]:
        raise Failed("want octet-server and the bare echo first")
    _memory(bench, servers, "after its start", {s.name: s.memory() for s in servers})
    for model in (IDENTITY, DIGITS):
        _small(bench, servers, Request(model.name, model.input))
    _images(bench, servers)
    _memory(bench, servers, "after the run", {s.name: s.memory() for s in servers})
