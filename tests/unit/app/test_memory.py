"""Memory goes back to the system where the C library can be told so."""

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


def held(how: str) -> int:
    """Return the KiB that a process holds after it has freed 180 MB."""
    run = [sys.executable, "-c", HELD, how]
    return int(subprocess.run(run, check=True, capture_output=True, text=True).stdout)  # noqa: S603


def test_large_blocks_go_back() -> None:
    told = give_back_large_blocks()

    assert told == (platform.libc_ver()[0] == "glibc")
    if told:
        assert 2 * held("told") < held("untold")
