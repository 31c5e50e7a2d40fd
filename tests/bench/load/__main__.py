"""Puts gateways under load, prints figures, and fails if one is not as documented."""

from __future__ import annotations

import argparse
import asyncio
import os
import sys
import time
from dataclasses import replace

from bench.load import proofs
from bench.load.proofs import QUICK, Sizes
from bench.load.streams import idle_streams

PROOFS = {**proofs.PROOFS, "streams": idle_streams}


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> int:
    parser = argparse.ArgumentParser(prog="nox -s load --", description=__doc__)
    parser.add_argument("proofs", nargs="*", choices=[[], *PROOFS], help="all if none is named")
    parser.add_argument("--calls", type=int, help="calls of the soak; half a million by default")
    parser.add_argument("--rate", type=float, help="rate of the soak, in calls per second")
    parser.add_argument(
        "--rounds", type=int, help="rounds of measurements that a busy machine can distort"
    )
    parser.add_argument(
        "--quick", action="store_true", help="run a little of each, to check that it works"
    )
    given = parser.parse_args()
    sizes = QUICK if given.quick else Sizes()
    chosen = {name: getattr(given, name) for name in ("calls", "rate", "rounds")}
    sizes = replace(sizes, **{name: value for name, value in chosen.items() if value})
    kept = True
    for name in given.proofs or PROOFS:
        began = time.monotonic()
        findings = asyncio.run(PROOFS[name](sizes))
        took = time.monotonic() - began
        say(f"\n{name}, {took:.0f} s, machine load {os.getloadavg()[0]:.1f}")
        for finding in findings:
            say(f"  {finding}")
        kept = kept and all(finding.kept for finding in findings)
    return 0 if kept else 1


if __name__ == "__main__":
    sys.exit(main())
