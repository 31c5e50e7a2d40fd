"""The commands for scripts in docs/how-to/troubleshooting.md, run for a server."""

from __future__ import annotations

import asyncio
import re
import shlex
import shutil
from pathlib import Path

import pytest

from support.waiting import HANG_SECONDS

GUIDE = Path(__file__).parents[2] / "docs" / "how-to" / "troubleshooting.md"

SERVER = "shop"
"""The server of the guide's commands."""


class Script:
    """Runs kubectl in one namespace; skips the test without kubectl.

    Args:
        kubeconfig: The kubeconfig of the cluster.
        namespace: The namespace of the server.
        folder: An empty folder for the caches of kubectl.
    """

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.skip("there is no kubectl on PATH")
        self._kubectl = [kubectl, f"--kubeconfig={kubeconfig}", f"--cache-dir={folder}"]
        self._kubectl.append(f"--namespace={namespace}")
        text = GUIDE.read_text(encoding="utf-8").partition("To wait for a server in a script")[2]
        self._wait, self._why = re.findall(r"^\$ kubectl (.+)$", text, re.MULTILINE)[:2]

    async def wait_succeeds(self) -> bool:
        """Run `kubectl wait` for the server, and return whether it succeeds."""
        code, _, problem = await self._run(self._wait, f"--timeout={HANG_SECONDS}s")
        assert code == 0, problem
        return True

    async def wait_times_out(self) -> bool:
        """Run `kubectl wait` with a short timeout, and return whether it times out."""
        code, _, problem = await self._run(self._wait, "--timeout=0s")
        if code == 0:
            return False
        assert (code, "condition not met" in problem) == (1, True), problem
        return True

    async def conditions(self) -> dict[str, str]:
        """Return the printed status and reason of each condition, by type."""
        code, lines, problem = await self._run(self._why)
        assert code == 0, problem
        told = (line.partition(":")[0].partition("=") for line in lines.splitlines())
        return {type_: said for type_, _, said in told}

    async def _run(self, command: str, *more: str) -> tuple[int | None, str, str]:
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            *self._kubectl, *shlex.split(command), *more, stdout=pipe, stderr=pipe
        )
        output, problem = await process.communicate()
        return process.returncode, output.decode(), problem.decode()
