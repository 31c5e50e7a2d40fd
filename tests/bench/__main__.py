"""Runs the benchmarks and prints their tables; `--json FILE` writes the figures as well."""

from __future__ import annotations

import argparse
import asyncio
import dataclasses
import json
import sys
from pathlib import Path

from bench.propagation import Figures, connected, measure
from support.controlplane import Cluster, start_cluster
from support.crds import install_crds
from support.provision import UnavailableError

SHAPES = ((1, 10), (50, 10))


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def table(rows: list[Figures]) -> None:
    say(
        f"  {'change':<20} {'n':>4} {'sent→config':>12} {'p99':>8} {'seen→config':>12} "
        f"{'writes':>7} {'LIST/GET':>9} {'CPU':>8}"
    )
    for row in rows:
        say(
            f"  {row.name:<20} {row.changes:>4} {row.sent_to_config:>9.1f} ms "
            f"{row.sent_to_config_p99:>5.0f} ms {row.seen_to_config:>9.1f} ms "
            f"{row.writes:>7.2f} {row.lists:>9} {row.cpu_ms:>5.1f} ms"
        )


async def run(cluster: Cluster, changes: int) -> dict[str, object]:
    results: dict[str, object] = {}
    async with connected(cluster.kubeconfig) as client:
        await install_crds(client)
    for servers, tools in SHAPES:
        rows, facts = await measure(cluster.kubeconfig, servers, tools, changes)
        say(f"\n{servers} server(s) with {tools} tools; medians, per change:")
        table(rows)
        say(
            f"  cold: {facts['cold_seconds']:.1f} s, {facts['cold_cpu_seconds']:.2f} s CPU, "
            f"{facts['cold_requests']:.0f} requests; {facts['rss_mib']:.0f} MiB resident"
        )
        results[f"{servers}x{tools}"] = {
            "changes": [dataclasses.asdict(row) for row in rows],
            **facts,
        }
    return results


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("--changes", type=int, default=40, help="changes of each kind")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    try:
        cluster = start_cluster(say)
    except UnavailableError as error:
        say(str(error))
        return 1
    try:
        results = asyncio.run(run(cluster, arguments.changes))
    finally:
        cluster.stop()
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
