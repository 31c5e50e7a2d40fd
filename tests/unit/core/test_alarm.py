"""The alarm in processes of its own, each of which says what it executed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mcp_operator.core.alarm import helping_threads
from support.waiting import HANG_SECONDS, eventually

HEAD = """
import os, signal, sys, time
from mcp_operator.core.alarm import end_process_in
"""

FROZEN = """
end_process_in(0.1)
os.kill(os.getpid(), signal.SIGSTOP)
os.write(1, b"executed")
"""

FIRST_PROCESS = ("unshare", "--user", "--map-root-user", "--pid", "--kill-child")
"""As the one process of a container is."""


def start(script: str, *within: str) -> subprocess.Popen[bytes]:
    command = [*within, sys.executable, "-c", HEAD + script]
    return subprocess.Popen(command, stdout=subprocess.PIPE)  # noqa: S603 - ours, above


def ended(process: subprocess.Popen[bytes]) -> tuple[bytes, int]:
    """Return what it has written, and its exit code; end it where it hangs."""
    with process:
        try:
            output, _ = process.communicate(timeout=HANG_SECONDS)
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
    while True:
        process = start(FROZEN)

        async def is_due(pid: int = process.pid) -> bool:
            status = status_of(pid)
            pending = int(status["ShdPnd"], 16) >> (signal.SIGALRM - 1) & 1
            frozen = status["State"].startswith("T") and bool(pending)
            return frozen or status["State"].startswith("Z")

        await eventually(is_due, expected=True)
        was_frozen = process.poll() is None
        process.send_signal(signal.SIGCONT)
        assert ended(process) == (b"", signal.SIGALRM)
        if was_frozen:  # else its time was up before it came to freeze itself
            break


def test_an_alarm_that_is_put_off_and_called_off_does_not_go_off() -> None:
    process = start(
        "end_process_in(1000); end_process_in(2000); put_off = signal.getitimer(0)[0];"
        "end_process_in(None); print(put_off > 1000, *signal.getitimer(0))"
    )
    assert ended(process) == (b"True 0.0 0.0\n", 0)


def test_a_time_that_is_up_already_ends_the_process_at_once() -> None:
    assert ended(start("end_process_in(-1.0); time.sleep(60)")) == (b"", signal.SIGALRM)


def test_helping_threads_leave_the_alarm_to_the_main_one() -> None:
    with helping_threads() as threads:
        blocked = threads.submit(signal.pthread_sigmask, signal.SIG_BLOCK, ()).result()
    assert signal.SIGALRM in blocked
    assert signal.SIGALRM not in signal.pthread_sigmask(signal.SIG_BLOCK, ())
