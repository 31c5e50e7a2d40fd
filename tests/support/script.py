"""What a script sees of a server, by the commands that docs/how-to/troubleshooting.md shows."""

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
    """Runs kubectl in one namespace; a test is skipped where there is none.

    Args:
        kubeconfig: Of the cluster.
        namespace: Where the server is.
        folder: An empty one, for what kubectl keeps of what it knows about the cluster.
    """

    def __init__(self, kubeconfig: Path, namespace: str, folder: Path) -> None:
        kubectl = shutil.which("kubectl")
        if kubectl is None:
            pytest.skip("there is no kubectl on PATH")
        self._kubectl = [kubectl, f"--kubeconfig={kubeconfig}", f"--cache-dir={folder}"]
        self._kubectl.append(f"--namespace={namespace}")
        text = GUIDE.read_text(encoding="utf-8").partition("To wait for a server in a script")[2]
        self._wait, self._why = re.findall(r"^\$ kubectl (.+)$", text, re.MULTILINE)[:2]

    async def goes_on(self) -> bool:
        """Wait for the server, and tell whether `kubectl wait` then lets a script go on."""
        code, _, problem = await self._run(self._wait, f"--timeout={HANG_SECONDS}s")
        assert code == 0, problem
        return True

    async def is_held_up(self) -> bool:
        """Look once, and tell whether `kubectl wait` holds a script up."""
        code, _, problem = await self._run(self._wait, "--timeout=0s")
        if code == 0:
            return False
        assert (code, "condition not met" in problem) == (1, True), problem
        return True

    async def why(self) -> dict[str, str]:
        """Return the status and reason of each condition that is printed, by its type."""
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
