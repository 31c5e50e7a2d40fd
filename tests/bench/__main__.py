"""Runs the benchmarks, prints their tables, and compares them with the committed baseline.

What is compared does not depend on the speed of the machine: counts of requests, and CPU times
divided by that of a fixed piece of work in the same run. Durations are only printed.
"""

from __future__ import annotations

import argparse
import asyncio
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable
from pathlib import Path

from bench import cold, failover, fairness, propagation, reference, scale, serve, workqueue
from bench.baseline import BASELINE, Report, differences, read, write
from bench.calibration import calibration
from support.connected import connected
from support.controlplane import Cluster, start_cluster
from support.crds import install_crds
from support.provision import UnavailableError

SHAPES = ((1, 10), (50, 10))


def say(line: str = "") -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


async def _propagation(cluster: Cluster, report: Report, changes: int) -> None:
    for servers, tools in SHAPES:
        rows, rss_mb = await propagation.measure(cluster.kubeconfig, servers, tools, changes)
        say(f"\n{servers} server(s) with {tools} tools; medians, per change:")
        say(propagation.table(rows))
        say(f"  RSS {rss_mb:,.1f} MB")
        prefix = f"{servers}x{tools}"
        for row in rows:
            if row.cpu_ms:
                report.counts[f"{prefix} {row.name}: writes"] = row.writes
                report.cpu_seconds[f"{prefix} {row.name}"] = row.cpu_ms / 1000


async def _cold(cluster: Cluster, report: Report, changes: int) -> None:
    say("\nfrom the start of an operator until all is converged:")
    for servers, tools in SHAPES:
        for rollouts in (True, False):
            figures = await cold.measure(cluster, servers, tools, rollouts=rollouts)
            name = f"{servers}x{tools} from cold" + ("" if rollouts else ", no rollouts")
            say(f"  {name}: " + ", ".join(f"{k} {v:,.2f}" for k, v in figures.items()))
            report.cpu_seconds[name] = figures["cpu_seconds"]


async def _scale(cluster: Cluster, report: Report, changes: int) -> None:
    say("\nat scale:")
    for name, figures in (await scale.measure(cluster.kubeconfig)).items():
        say(f"  {name}: " + ", ".join(f"{what} {value:,.2f}" for what, value in figures.items()))
        report.cpu_seconds[name] = figures["cpu_seconds"]
        if "writes" in figures:
            report.counts[f"{name}: writes"] = figures["writes"]


async def _fairness(cluster: Cluster, report: Report, changes: int) -> None:
    say("\na change of a bystander, while another namespace attacks; median / 99th percentile:")
    for attack in fairness.ATTACKS:
        figures = await fairness.measure(cluster.kubeconfig, attack, 2 * changes)
        texts = (f"{what} " + " / ".join(f"{v:,.1f}" for v in vs) for what, vs in figures.items())
        say(f"  {attack}: " + ", ".join(texts))


async def _serve(cluster: Cluster, report: Report, changes: int) -> None:
    seconds = report.cpu_seconds["serve: first call"] = await serve.measure()
    say(f"\nwithout a cluster, from the start of `serve` to the first call: {seconds:.2f} s of CPU")


async def _queue(cluster: Cluster, report: Report, changes: int) -> None:
    say("\nwork queue:")
    for name, rate in (await asyncio.to_thread(workqueue.measure)).items():
        say(f"  {name:<34} {rate:>12,.0f} keys/s")
        report.cpu_seconds[f"queue: {name}"] = workqueue.KEYS / rate


async def _failover(cluster: Cluster, report: Report, changes: int) -> None:
    say("\nfailover with production times, from the leader's end to the standby's first write:")
    for row in await failover.measure(cluster.kubeconfig):
        say(f"  {row.name}: median {row.median:.2f} s, longest {row.longest:.2f} s of {row.runs}")


async def _reference(cluster: Cluster, report: Report, changes: int) -> None:
    go = shutil.which("go")
    if go is None:
        say("\nno go command on PATH: not compared with an operator in Go")
        return
    with tempfile.TemporaryDirectory(prefix="mcp-operator-reference-") as directory:
        program = await asyncio.to_thread(reference.build, go, Path(directory))
        for servers, tools in SHAPES:
            say(f"\n{servers} server(s) with {tools} tools, beside an operator in Go:")
            for name, each in (("ours", None), ("Go", program)):
                say(f"  {name:<5} {await reference.measure(cluster, servers, tools, each)}")


PARTS: dict[str, Callable[[Cluster, Report, int], Awaitable[None]]] = {
    "propagation": _propagation,
    "cold": _cold,
    "scale": _scale,
    "fairness": _fairness,
    "serve": _serve,
    "queue": _queue,
    "failover": _failover,
    "reference": _reference,
}


async def run(cluster: Cluster, parts: list[str], changes: int) -> Report:
    async with connected(cluster.kubeconfig) as client:
        await install_crds(client)
    report = Report(calibration_seconds=calibration())
    for part in parts:
        await PARTS[part](cluster, report, changes)
    report.calibration_seconds = (report.calibration_seconds + calibration()) / 2
    return report


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s bench --", description=__doc__)
    parser.add_argument("parts", nargs="*", choices=[[], *PARTS], help="all if none is named")
    parser.add_argument("--changes", type=int, default=40, help="changes of each kind")
    parser.add_argument("--json", type=Path, help="file for what is compared")
    parser.add_argument("--accept", action="store_true", help="make this run the baseline")
    arguments = parser.parse_args()
    try:
        cluster = start_cluster(say)
    except UnavailableError as error:
        say(str(error))
        return 1
    try:
        report = asyncio.run(run(cluster, arguments.parts or [*PARTS], arguments.changes))
    finally:
        cluster.stop()
    if arguments.json:
        write(report, arguments.json)
    if arguments.accept:
        write(report, BASELINE)
        return 0
    worse = differences(report, read(BASELINE))
    say("\n" + ("\n".join(worse) or "No more requests and no more CPU time than the baseline."))
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
