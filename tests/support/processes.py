"""Child processes that never outlive the process that started them.

A test session can be killed at any time. A watchdog shell reads a pipe whose other end only the
parent has open: when the parent ends for any reason, the pipe ends, and the watchdog kills the
children and removes their directory. It needs only POSIX, so it also works on macOS, and, unlike
``PR_SET_PDEATHSIG``, it does not react to the end of a thread of the parent.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

_WATCHDOG = 'while read -r pid; do pids="$pids $pid"; done; kill -KILL $pids; rm -rf "$1"'

_TERMINATION_GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""

_LOG_TAIL_LINES = 15

_POLL_INTERVAL = 0.05
"""Seconds between two checks of a starting process."""


class ProcessError(Exception):
    """A child exited too early; the text contains the end of its log."""


class Child:
    """One running child and the file with its output."""

    def __init__(self, name: str, process: subprocess.Popen[bytes], log: Path) -> None:
        self.name = name
        self.process = process
        self.log = log

    def check(self) -> None:
        """Raises ProcessError with the end of the log if the process has ended."""
        if (code := self.process.poll()) is not None:
            raise ProcessError(f"{self.name} ended with code {code}:\n{self.tail()}")

    def cpu_seconds(self) -> float:
        """The user and system CPU time of all its threads so far; Linux only."""
        tasks = Path(f"/proc/{self.process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text(encoding="utf-8").split()[0]) for task in tasks) / 1e9

    def rss_mb(self) -> float:
        """The current resident memory in MB; Linux only."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="utf-8").split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE") / 1e6

    def tail(self) -> str:
        """The last lines of the log."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_TAIL_LINES:])

    def stop(self, grace: float = _TERMINATION_GRACE) -> None:
        """Sends SIGTERM, and SIGKILL if it has not exited within `grace` seconds."""
        self.process.terminate()
        try:
            self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


class ProcessGroup:
    """Children of one working directory, stopped in reverse order of their start."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._children: list[Child] = []
        self._watchdog = subprocess.Popen(  # noqa: S603 - a constant script
            ["/bin/sh", "-c", _WATCHDOG, "watchdog", str(directory)],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def start(
        self, name: str, command: Sequence[str | Path], *, env: Mapping[str, str] | None = None
    ) -> Child:
        """Starts a child in a session of its own, so that Ctrl-C reaches only the parent."""
        log = self.directory / f"{name}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(  # noqa: S603 - the tests' own commands
                [str(part) for part in command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        assert self._watchdog.stdin is not None
        self._watchdog.stdin.write(f"{process.pid}\n".encode())
        self._watchdog.stdin.flush()
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def logs(self) -> str:
        """The output of all children, including ended ones."""
        return "\n".join(
            f"--- {path.name}\n{path.read_text(encoding='utf-8', errors='replace')}"
            for path in sorted(self.directory.glob("*.log"))
        )

    def stop(self, grace: float = _TERMINATION_GRACE) -> None:
        """Stops all children and removes the directory. It can be called twice."""
        while self._children:
            self._children.pop().stop(grace)
        self._watchdog.kill()
        self._watchdog.wait()
        if self._watchdog.stdin is not None:
            self._watchdog.stdin.close()
        shutil.rmtree(self.directory, ignore_errors=True)


def wait_until_ready(child: Child, ready: Callable[[], bool], *, timeout: float) -> None:
    """Polls until the probe succeeds.

    Raises:
        ProcessError: the child exited first, or `timeout` seconds passed.
    """
    deadline = time.monotonic() + timeout
    while not ready():
        child.check()
        if time.monotonic() > deadline:
            raise ProcessError(f"{child.name} was not ready in {timeout:g} s:\n{child.tail()}")
        time.sleep(_POLL_INTERVAL)
