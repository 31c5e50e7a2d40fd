"""Builds ``tests/controlplane`` with Go: the whole control plane as one binary."""

import hashlib
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

_MODULE = Path(__file__).parent.parent / "controlplane"

_REPORT_INTERVAL = 10.0
"""Seconds between two lines of progress."""


class BuildError(Exception):
    """Go is missing, too old, or the build ended with an error; the text says which."""


def cache_name(platform: str) -> str:
    """The name of the binary in the cache; another source gives another name."""
    digest = hashlib.sha256()
    for name in ("main.go", "go.mod", "go.sum"):
        digest.update(hashlib.sha256((_MODULE / name).read_bytes()).digest())
    return f"controlplane-{platform}-{digest.hexdigest()[:12]}"


def go_version() -> str:
    """The oldest Go that can build the module."""
    return _from_go_mod(r"^go (\S+)$")


def build(target: Path, report: Callable[[str], None]) -> None:
    """Builds the binary; minutes on a machine that has built nothing of it before.

    Raises:
        BuildError: with the reason.
    """
    go = _find_go()
    report("Building the control plane with Go; the first time takes several minutes.")
    environment = os.environ | {"CGO_ENABLED": "0", "GOTOOLCHAIN": "local", "GOFLAGS": ""}
    packages = _run(go, "list", "-deps", ".", environment=environment).count("\n")
    partial = target.with_suffix(".partial")
    command = [go, "build", "-v", "-trimpath", "-buildvcs=false", "-ldflags", _linker_flags()]
    started = time.monotonic()
    with subprocess.Popen(  # noqa: S603 - Go and constant arguments
        [*command, "-o", str(partial), "."],
        cwd=_MODULE,
        env=environment,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        output = _follow(process, packages, report)
    if process.returncode:
        partial.unlink(missing_ok=True)
        raise BuildError(f"go build of tests/controlplane failed: {output[-1]}")
    partial.rename(target)
    report(f"Built in {time.monotonic() - started:.0f} s and kept at {target}.")


def _follow(
    process: subprocess.Popen[str], packages: int, report: Callable[[str], None]
) -> list[str]:
    """Counts the packages that Go names as it compiles them; returns its output."""
    output = ["no output"]
    reported = time.monotonic()
    assert process.stderr is not None
    for line in process.stderr:
        output.append(line.strip())
        if time.monotonic() - reported > _REPORT_INTERVAL:
            reported = time.monotonic()
            report(f"compiled {len(output) - 1} packages of at most {packages}")
    return output


def _find_go() -> str:
    go = shutil.which("go")
    if go is None:
        raise BuildError("there is no go command on PATH")
    found = _run(go, "env", "GOVERSION", environment=os.environ | {"GOTOOLCHAIN": "local"})
    numbers = re.findall(r"\d+", found)
    if [int(part) for part in numbers] < [int(part) for part in go_version().split(".")]:
        raise BuildError(f"{go} is {found.strip()}, and Go {go_version()} or newer is needed")
    return go


def _run(go: str, *arguments: str, environment: dict[str, str]) -> str:
    result = subprocess.run(  # noqa: S603 - Go and constant arguments
        [go, *arguments], cwd=_MODULE, env=environment, capture_output=True, text=True, check=False
    )
    if result.returncode:
        raise BuildError(f"go {arguments[0]} failed: {result.stderr.strip()[-300:]}")
    return result.stdout


def _linker_flags() -> str:
    """Strips symbols and stamps the version, which clients and feature gates read."""
    version = _from_go_mod(r"^\s*k8s.io/kubernetes (v\S+)$")
    major, minor, _ = version.removeprefix("v").split(".")
    stamps = {"gitVersion": version, "gitMajor": major, "gitMinor": minor, "gitTreeState": "clean"}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    flags = [f"-X {package}.{key}={value}" for package in packages for key, value in stamps.items()]
    return " ".join(["-s", "-w", *flags])


def _from_go_mod(pattern: str) -> str:
    match = re.search(pattern, (_MODULE / "go.mod").read_text(encoding="utf-8"), re.MULTILINE)
    if match is None:
        raise AssertionError(f"go.mod has no line that matches {pattern}")
    return match.group(1)
