from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from support.processes import ProcessError, ProcessGroup, wait_until_ready
from support.waiting import HANG_SECONDS

TESTS = Path(__file__).parents[2]

PARENT = """
import sys, time
from pathlib import Path
from support.processes import ProcessGroup
group = ProcessGroup(Path(sys.argv[1]))
print(group.start("sleeper", ["sleep", "60"]).process.pid, flush=True)
time.sleep(60)
"""


def runs(pid: int) -> bool:
    """Return whether a process that is not a child runs; an unreaped zombie does not."""
    state = subprocess.run(  # noqa: S603 - a number
        ["ps", "-o", "stat=", "-p", str(pid)],  # noqa: S607 - POSIX
        capture_output=True,
        text=True,
        check=False,
    ).stdout.strip()
    return bool(state) and not state.startswith("Z")


def test_stopping_a_group_ends_its_children_and_removes_its_directory(tmp_path: Path) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    group = ProcessGroup(directory)
    children = [group.start(name, ["sleep", "60"]) for name in ("first", "second")]
    group.stop(grace=HANG_SECONDS)
    assert [child.process.returncode for child in children] == [-signal.SIGTERM] * 2
    assert not directory.exists()
    group.stop()


def test_children_end_and_the_directory_is_removed_when_the_parent_is_killed(
    tmp_path: Path,
) -> None:
    directory = tmp_path / "work"
    directory.mkdir()
    with subprocess.Popen(  # noqa: S603 - the script above
        [sys.executable, "-c", PARENT, str(directory)],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(TESTS)},
        text=True,
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert runs(child)
        parent.kill()
    while runs(child) or directory.exists():
        time.sleep(0.02)


def test_the_error_about_a_child_that_ends_early_has_its_last_output(tmp_path: Path) -> None:
    group = ProcessGroup(tmp_path)
    child = group.start("mute", ["sh", "-c", "echo there is no disk; exit 3"])
    with pytest.raises(ProcessError, match=r"mute ended with code 3:\nthere is no disk"):
        wait_until_ready(child, lambda: False, timeout=HANG_SECONDS)
    group.stop()


def test_a_child_that_is_not_ready_in_time_raises_an_error(tmp_path: Path) -> None:
    group = ProcessGroup(tmp_path)
    child = group.start("slow", ["sleep", "60"])
    with pytest.raises(ProcessError, match=r"slow was not ready in 0\.1 s"):
        wait_until_ready(child, lambda: False, timeout=0.1)
    group.stop()
