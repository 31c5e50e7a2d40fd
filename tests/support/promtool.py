"""Finds promtool, which evaluates alerts as Prometheus does.

The first that works of: the path in MCP_OPERATOR_PROMTOOL, the command on PATH, and the Debian
package `prometheus`, which is unpacked into the cache and not installed.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from support.provision import UnavailableError, cache_folder


def promtool() -> Path:
    """Return the path of promtool.

    Raises:
        UnavailableError: It is not available on this machine.
    """
    if named := os.environ.get("MCP_OPERATOR_PROMTOOL"):
        return Path(named)
    if found := shutil.which("promtool"):
        return Path(found)
    unpacked = cache_folder() / "promtool"
    if not unpacked.is_file():
        _unpack(unpacked)
    return unpacked


def rule_tests(command: Path, tests: Mapping[str, Any], **rules: Any) -> tuple[str, bool]:
    """Run `promtool test rules`; return its output, and whether all tests passed.

    Args:
        command: The path of promtool.
        tests: The file of the tests.
        rules: Rule files, by the name without `.yaml`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        for name, content in {**rules, "tests": tests}.items():
            Path(scratch, f"{name}.yaml").write_text(json.dumps(content), encoding="utf-8")
        done = subprocess.run(  # noqa: S603 - a command of our own
            [command, "test", "rules", "tests.yaml"],
            cwd=scratch,
            capture_output=True,
            text=True,
            check=False,
        )
    return done.stdout + done.stderr, done.returncode == 0


def _unpack(target: Path) -> None:
    apt, dpkg = shutil.which("apt-get"), shutil.which("dpkg-deb")
    if apt is None or dpkg is None:
        raise UnavailableError(
            "there is no promtool: install Prometheus, or set MCP_OPERATOR_PROMTOOL to its path"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=target.parent) as scratch:
        download = subprocess.run(  # noqa: S603 - a command of the system
            [apt, "download", "prometheus"], cwd=scratch, capture_output=True, check=False
        )
        packages = list(Path(scratch).glob("*.deb"))
        if not packages:
            raise UnavailableError(
                f"promtool cannot be downloaded: {download.stderr.decode().strip()}"
            )
        subprocess.run([dpkg, "-x", packages[0], scratch], check=True)  # noqa: S603 - likewise
        Path(scratch, "usr", "bin", "promtool").replace(target)
