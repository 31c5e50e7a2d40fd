"""Freed memory is returned to the system where the C library has an option for it."""

from __future__ import annotations

import platform
import subprocess
import sys

from mcp_operator.app.memory import give_back_large_blocks

HELD = """
import resource, sys
from mcp_operator.app.memory import give_back_large_blocks

def held():
    for line in open("/proc/self/status"):
        if line.startswith("VmRSS"):
            return int(line.split()[1])

if sys.argv[1] == "told":
    give_back_large_blocks()
for _ in range(2):  # glibc raises its limit when the first is freed
    blocks = [b"x" * 9_000_000 for _ in range(20)]
    pins = [b"y" * 100_000 for _ in range(20)]  # what keeps the top of the heap
    del blocks
print(held())
"""

FAULTS = """
import resource, socket
from mcp_operator.app.memory import give_back_large_blocks

give_back_large_blocks()
ours, theirs = socket.socketpair()
faults = []
for _ in range(1100):
    theirs.send(b"x" * 500)
    ours.recv(256 * 1024)  # as asyncio reads
    faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)
print(faults[-1] - faults[100])
"""


def printed(program: str, *arguments: str) -> int:
    """Return the number that a process prints."""
    run = [sys.executable, "-c", program, *arguments]
    return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def held(how: str) -> int:
    """Return the KiB that a process still holds after it has freed 180 MB."""
    return printed(HELD, how)


def test_freed_large_blocks_are_returned_to_the_system() -> None:
    told = give_back_large_blocks()

    assert told == (platform.libc_ver()[0] == "glibc")
    if told:
        assert 2 * held("told") < held("untold")


def test_a_read_from_a_socket_does_not_map_memory() -> None:
    assert printed(FAULTS) < 100  # of 1000 reads
