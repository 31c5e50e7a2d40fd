"""Looks for inputs that break a promise: `python tests/fuzz TARGET… [--seconds N] [--keep]`.

The inputs of a target grow in `.nox/fuzz-work`, starting from the committed corpus. An input that
breaks a promise is printed with the failure, and written there as `TARGET-crash-…`: fix the cause,
and add it to the corpus with `--add FILE`.
"""

from __future__ import annotations

import argparse
import logging
import shlex
import subprocess
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["mcp_operator"]):
    from fuzz.targets import TARGETS

from fuzz import corpus

WORK = Path(__file__).parents[2] / ".nox" / "fuzz-work"

MAX_INPUT = 4096
"""The maximum size of an input in bytes."""

HANG_SECONDS = 60
"""An input that takes longer is a failure; on an idle machine, each takes milliseconds."""

RSS_MIB = 1536
"""More memory, including that of the fuzzer, is a failure."""


def main() -> int:
    """Run the command; return the exit status."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET", help=", ".join(TARGETS))
    parser.add_argument("--seconds", type=int, default=60, help="the duration for each target (60)")
    parser.add_argument(
        "--keep", action="store_true", help="write the inputs with the most coverage to the corpus"
    )
    parser.add_argument("--add", type=Path, nargs="+", metavar="FILE", help="add to the corpus")
    parser.add_argument("--libfuzzer", nargs=argparse.REMAINDER, help=argparse.SUPPRESS)
    given = parser.parse_args()
    targets = given.targets or list(TARGETS)
    if unknown := set(targets) - set(TARGETS):
        parser.error(f"no such target: {', '.join(sorted(unknown))}")
    if given.libfuzzer:
        logging.disable()
        ourselves = shlex.join(
            _command(targets[0])
        )  # libFuzzer runs this with a shell to merge inputs
        atheris.Setup([ourselves, *given.libfuzzer], TARGETS[targets[0]])
        atheris.Fuzz()  # this ends the process
    if given.add:
        for target in targets[:1]:
            corpus.write(target, [*corpus.read(target), *(one.read_bytes() for one in given.add)])
        return 0
    return max([_run(target, given.seconds, keep=given.keep) for target in targets])


def _run(target: str, seconds: int, *, keep: bool) -> int:
    """Fuzz one target in its own process, because libFuzzer ends the process."""
    work = WORK / target
    work.mkdir(parents=True, exist_ok=True)
    for number, each in enumerate(corpus.read(target)):
        (work / f"kept-{number:04}").write_bytes(each)
    limits = [f"-max_len={MAX_INPUT}", f"-timeout={HANG_SECONDS}", f"-rss_limit_mb={RSS_MIB}"]
    report = [f"-artifact_prefix={WORK}/{target}-", "-print_final_stats=1"]
    status = _libfuzzer(target, f"-max_total_time={seconds}", *limits, *report, str(work))
    if keep and not status:
        least = WORK / f"{target}-least"
        least.mkdir(exist_ok=True)
        status = _libfuzzer(target, "-merge=1", *limits, str(least), str(work))
        corpus.keep(target, [one.read_bytes() for one in least.iterdir()])
    return status


def _libfuzzer(target: str, *options: str) -> int:
    return subprocess.run([*_command(target), *options], check=False).returncode  # noqa: S603 - ours


def _command(target: str) -> list[str]:
    return [sys.executable, str(Path(__file__).parent), target, "--libfuzzer"]


if __name__ == "__main__":
    sys.exit(main())
