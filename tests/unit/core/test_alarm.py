"""The alarm in processes of its own, each of which says what it executed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_operator.core.alarm import helping_threads
from support.waiting import eventually

HEAD = """
import os, signal, sys, time
from mcp_operator.core.alarm import end_process_in
"""

FROZEN = """
end_process_in(0.001)
os.kill(os.getpid(), signal.SIGSTOP)
os.write(1, b"executed")
"""

FIRST_PROCESS = ("unshare", "--user", "--map-root-user", "--pid", "--kill-child")
"""As the one process of a container is."""


def start(script: str, *within: str) -> subprocess.Popen[bytes]:
    command = [*within, sys.executable, "-c", HEAD + script]
    return subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - ours, above


def ended(process: subprocess.Popen[bytes]) -> tuple[bytes, int]:
    """Return what it has written, and its exit code; leave it no longer than 30 s."""
    with process:
        try:
            output, _ = process.communicate(timeout=30)
        finally:
            process.kill()
    return output, process.returncode


def status_of(pid: int) -> dict[str, str]:
    """Return the fields of proc_pid_status(5)."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t") for line in lines)


@pytest.mark.parametrize("within", [(), FIRST_PROCESS], ids=["any process", "process 1"])
def test_a_process_that_is_busy_ends_when_its_time_is_up(within: tuple[str, ...]) -> None:
    busy = start("end_process_in(0.001); sum(range(10**12)); os.write(1, b'executed')", *within)
    assert ended(busy) == (b"", signal.SIGALRM)


async def test_a_process_that_was_frozen_when_its_time_was_up_executes_nothing_more() -> None:
    process = start(FROZEN)

    async def is_due() -> bool:
        status = status_of(process.pid)
        pending = int(status["ShdPnd"], 16) >> (signal.SIGALRM - 1) & 1
        return status["State"].startswith("T") and bool(pending)

    await eventually(is_due, expected=True)
    process.send_signal(signal.SIGCONT)
    assert ended(process) == (b"", signal.SIGALRM)


def test_an_alarm_that_is_put_off_and_called_off_does_not_go_off() -> None:
    process = start(
        "end_process_in(0.1); end_process_in(60); time.sleep(0.2); end_process_in(None)"
    )
    assert ended(process) == (b"", 0)


def test_a_time_that_is_up_already_ends_the_process_at_once() -> None:
    assert ended(start("end_process_in(-1.0); time.sleep(60)")) == (b"", signal.SIGALRM)


def test_helping_threads_leave_the_alarm_to_the_main_one() -> None:
    with helping_threads() as threads:
        blocked = threads.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    assert signal.SIGALRM in blocked
    assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
