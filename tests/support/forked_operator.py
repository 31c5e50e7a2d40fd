"""The operator in a process of its own, which a test can kill with SIGKILL.

Starting Python and importing the operator takes one or two seconds of CPU time, too long for a test
that needs hundreds of processes. Here one process imports it once, and forks the others.
"""

from __future__ import annotations

import asyncio
import functools
import multiprocessing
import os
import sys
import threading
from multiprocessing import forkserver
from multiprocessing.connection import wait
from multiprocessing.context import ForkServerContext
from pathlib import Path

import pytest

from mcp_operator.cli import main
from support.operators import GATEWAY_IMAGE

PRELOADED = ("mcp_operator.app.control_plane", "kubernetes_asyncio.client", __name__)


@functools.cache
def _forks() -> ForkServerContext:
    """Start the process that forks, with the module search path of this process."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([*PRELOADED])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", os.pathsep.join(sys.path))
        forkserver.ensure_running()
    return context


class ForkedOperator:
    """One operator process, without a lease."""

    def __init__(self, kubeconfig: Path, namespace: str) -> None:
        """Start it for one namespace; it logs to a file next to its kubeconfig."""
        self._log_file = kubeconfig.with_suffix(".log")
        self._log_file.touch()
        command = [
            *("operator", f"--kubeconfig={kubeconfig}", f"--namespace={namespace}"),
            *("--metrics-port=0", "--health-port=0", "--bind-address=127.0.0.1"),
            *("--no-leader-elect", "--log-level=warning", f"--gateway-image={GATEWAY_IMAGE}"),
        ]
        self._process = _forks().Process(target=_run, args=(command, self._log_file), daemon=True)
        self._process.start()
        self._has_ended = False

    def log(self) -> str:
        """Return the warnings and errors that it has logged."""
        return self._log_file.read_text(encoding="utf-8")

    def kill(self) -> None:
        """Kill it with SIGKILL, unless it has ended; its last requests can still arrive."""
        if not self._has_ended:
            self._process.kill()

    async def ended(self) -> None:
        """Wait until it has ended."""
        await asyncio.to_thread(self._process.join)
        self._process.close()
        self._has_ended = True


def _run(command: list[str], log: Path) -> None:
    """Run the operator, and exit when the parent process ends for any reason."""
    output = os.open(log, os.O_WRONLY | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(output, stream)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    sys.exit(main(command))


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    wait([parent.sentinel])
    os._exit(1)
