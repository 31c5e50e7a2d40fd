"""Measures the cost of a request for the gateway, plain aiohttp, and the official Python SDK.

The figure is the processor time of the server's process per request, the minimum of several rounds
in turn. It is divided by that of another server in the same run: the ratio is comparable between
machines.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.gateway.contestants import CONTESTANTS, RATIOS, Contestant, request
from bench.gateway.load import (
    SERVER_CORE,
    LoadError,
    Round,
    Target,
    check,
    load,
    missing,
    pinned,
    start_backend,
)
from support.network import free_port
from support.processes import ProcessError, ProcessGroup, wait_until_ready
from support.waiting import HANG_SECONDS


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def start(
    processes: ProcessGroup, contestant: Contestant, backend: int, profiles: Path | None
) -> Target:
    """Start a server on a core of its own, and wait until it responds."""
    port = free_port()
    command = contestant.command(port, backend, processes.directory / contestant.name)
    if profiles is not None:
        python, *rest = command
        stats = profiles / f"{contestant.name}.pstats"
        command = [python, "-m", "cProfile", "-o", stats, *rest]
    target = Target(processes.start(contestant.name, pinned(SERVER_CORE, command)), port)

    def ready() -> bool:
        try:
            check(target, request(contestant.methods[0], contestant.headers()))
        except ConnectionError:
            return False
        return True

    wait_until_ready(target.child, ready, timeout=HANG_SECONDS)
    return target


def measure(
    contestants: Sequence[Contestant], rounds: int, seconds: float, profiles: Path | None
) -> dict[str, Target]:
    """Load all servers in turn, once per round."""
    processes = ProcessGroup(Path(tempfile.mkdtemp(prefix="mcp-operator-bench-")))
    try:
        backend = start_backend(processes)
        targets = {each.name: start(processes, each, backend, profiles) for each in contestants}
        for number in range(rounds):
            say(f"round {number + 1} of {rounds}")
            for each in contestants:
                for method in each.methods:
                    asked = request(method, each.headers())
                    load(targets[each.name], method, asked, seconds, processes.directory)
        for target in targets.values():
            target.rss_mb = target.child.rss_mb()
        return targets
    finally:
        processes.stop(HANG_SECONDS)


def least(rounds: Sequence[Round]) -> float:
    return min(each.cpu_us for each in rounds)


def table(targets: dict[str, Target]) -> str:
    """Return a line for each server and method."""
    head = (
        f"{'server':<14} {'request':<11} {'CPU µs, least':>13} {'median':>7} {'per second':>10} "
        f"{'p50 ms':>7} {'p99 ms':>7} {'RSS MB':>7}"
    )
    lines = [head]
    for name, target in targets.items():
        for method, rounds in target.rounds.items():
            best = max(rounds, key=lambda each: each.per_second)
            median = statistics.median(each.cpu_us for each in rounds)
            lines.append(
                f"{name:<14} {method:<11} {least(rounds):>13.1f} {median:>7.1f} "
                f"{best.per_second:>10,.0f} {best.p50_ms:>7.1f} {best.p99_ms:>7.1f} "
                f"{target.rss_mb:>7.0f}"
            )
    return "\n".join(lines)


def ratios(targets: dict[str, Target]) -> str:
    """Return a line for each ratio between servers that took part."""
    lines = []
    for one, method, other, by in RATIOS:
        if one in targets and other in targets:
            ratio = least(targets[one].rounds[method]) / least(targets[other].rounds[by])
            lines.append(f"{one} {method} is {ratio:.2f} times {other}")
    return "\n".join(lines)


def main() -> int:
    names = [each.name for each in CONTESTANTS]
    parser = argparse.ArgumentParser(prog="nox -s bench-gateway --", description=__doc__)
    parser.add_argument("servers", nargs="*", choices=[[], *names], help="all if none is named")
    parser.add_argument("--rounds", type=int, default=5, help="the number of rounds")
    parser.add_argument("--seconds", type=int, default=3, help="the duration of each round")
    parser.add_argument(
        "--quick", action="store_true", help="run one round of a second, to check that it works"
    )
    parser.add_argument(
        "--profile",
        type=Path,
        metavar="FOLDER",
        help="run servers with cProfile, and write its statistics to FOLDER",
    )
    given = parser.parse_args()
    for sentence in (problems := missing()):
        say(sentence)
    if problems:
        return 1
    if given.profile:
        given.profile.mkdir(parents=True, exist_ok=True)
    rounds, seconds = (1, 1) if given.quick else (given.rounds, given.seconds)
    chosen = [each for each in CONTESTANTS if each.name in (given.servers or names)]
    try:
        targets = measure(chosen, rounds, seconds, given.profile)
    except (LoadError, ProcessError) as error:
        say(str(error))
        return 1
    say(f"\n{table(targets)}\n\n{ratios(targets)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
