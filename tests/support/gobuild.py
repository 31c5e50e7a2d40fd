"""Builds the Go programs of the tests: control plane, GitOps judge, client."""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

_TESTS = Path(__file__).parent.parent

_REPORT_INTERVAL = 10.0
"""Seconds between two lines of progress."""

_QUICK = "all=-dwarf=false -l"
"""No debug information and no inlining, in all packages (`go tool compile -help`)."""


class BuildError(Exception):
    """Go is missing or too old, or the build failed; the text says which."""


@dataclass(frozen=True)
class Program:
    """A Go module below ``tests/`` with one command.

    Attributes:
        name: The name of its folder.
        what: Its name in a sentence.
        duration: How long the first build takes on an idle machine.
        quick_duration: The same for the quick build, if the program has one.
    """

    name: str
    what: str
    duration: str
    quick_duration: str = ""

    @property
    def folder(self) -> Path:
        """The folder of its source."""
        return _TESTS / self.name

    def matched_in_go_mod(self, pattern: str) -> str:
        """The text that the group of a pattern matches in its ``go.mod``."""
        text = (self.folder / "go.mod").read_text(encoding="utf-8")
        match = re.search(pattern, text, re.MULTILINE)
        if match is None:
            raise AssertionError(f"go.mod has no line that matches {pattern}")
        return match.group(1)


CONTROL_PLANE = Program(
    "controlplane",
    "the control plane",
    "some five minutes on two cores, less on more",
    "some three minutes on two cores, less on more",
)
JUDGE = Program("gitops", "the judge of GitOps tools", "minutes on two cores")
CLIENT = Program("goclient", "the Go client", "a minute on two cores")


def cache_name(program: Program, platform: str, *, quick: bool = False) -> str:
    """The name of the binary in the cache, which depends on the source."""
    digest = hashlib.sha256()
    sources = sorted(path.name for path in program.folder.glob("*.go"))
    for name in (*sources, "go.mod", "go.sum"):
        digest.update(hashlib.sha256((program.folder / name).read_bytes()).digest())
    return f"{program.name}-{platform}-{digest.hexdigest()[:12]}{'-quick' if quick else ''}"


def go_version(program: Program) -> str:
    """The oldest Go that can build the module."""
    return program.matched_in_go_mod(r"^go (\S+)$")


def build(
    program: Program, target: Path, report: Callable[[str], None], *, quick: bool = False
) -> None:
    """Builds the binary; the first build on a machine takes minutes.

    Args:
        program: What to build.
        target: The file.
        report: Takes lines of progress.
        quick: Whether a third less work for the compiler matters more than a binary that does its
            own work fast. An ordinary build cannot reuse what it compiles.

    Raises:
        BuildError: with the reason.
    """
    go = _find_go(program)
    duration = program.quick_duration if quick else program.duration
    report(f"Building {program.what} with Go, which is done once: {duration}.")
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    listed = _run(program, go, "list", "-deps", ".", environment=environment)
    packages = listed.count("\n")
    partial = target.with_suffix(".partial")
    flags = _linker_flags(program)
    command = [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", flags]
    command += [f"-gcflags={_QUICK}"] if quick else []
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - Go and constant arguments
        [*command, "-o", str(partial), "."],
        cwd=program.folder,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        output = _follow(process, packages, report)
    if process.returncode:
        partial.unlink(missing_ok=True)
        raise BuildError(f"go build of tests/{program.name} failed: {output[-1]}")
    partial.rename(target)
    report(f"Built in {time.monotonic() - started:.0f} s and kept at {target}.")


def _follow(
    process: subprocess.Popen[str], packages: int, report: Callable[[str], None]
) -> list[str]:
    """Counts the packages that Go lists while it compiles them; returns its output."""
    output = ["no output"]
    started = reported = time.monotonic()
    assert process.stderr is not None
    for line in process.stderr:
        output.append(line.strip())
        if time.monotonic() - reported > _REPORT_INTERVAL:
            reported = time.monotonic()
            report(_progress(len(output) - 1, packages, reported - started))
    return output


def _progress(compiled: int, packages: int, seconds: float) -> str:
    """Returns the progress, and an estimate of the remaining time."""
    left = seconds * max(0, packages - compiled) / compiled
    return (
        f"compiled {compiled} packages of at most {packages} in {seconds:.0f} s, "
        f"about {max(10, round(left, -1)):.0f} s to go"
    )


def _find_go(program: Program) -> str:
    go = shutil.which("go")
    if go is None:
        raise BuildError("there is no go command on PATH")
    local = os.environ | {"GOTOOLCHAIN": "local"}
    found = _run(program, go, "env", "GOVERSION", environment=local)
    numbers, needed = re.findall(r"\d+", found), go_version(program)
    if [int(part) for part in numbers] < [int(part) for part in needed.split(".")]:
        raise BuildError(f"{go} is {found.strip()}, and Go {needed} or newer is needed")
    return go


def _run(program: Program, go: str, *arguments: str, environment: dict[str, str]) -> str:
    result = subprocess.run(  # noqa: S603 - Go and constant arguments
        [go, *arguments],
        cwd=program.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise BuildError(f"go {arguments[0]} failed: {result.stderr.strip()[-300:]}")
    return result.stdout


def _linker_flags(program: Program) -> str:
    """Strips symbols, and sets the version of Kubernetes, which clients and feature gates read."""
    if program is CLIENT:
        return "-s -w"
    version = program.matched_in_go_mod(r"^\s*k8s.io/kubernetes (v\S+)")
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items()]
    return " ".join(["-s", "-w", *flags])
