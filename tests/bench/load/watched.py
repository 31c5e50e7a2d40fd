"""Runs a command of mcp-operator: `watched.py FILE COMMAND…`.

On SIGUSR1, it writes the number of tasks of the event loop to the file.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from types import FrameType

from mcp_operator.cli import main


def tell(_signal: int, _frame: FrameType | None) -> None:
    tasks = len(asyncio.all_tasks(asyncio.get_running_loop()))
    new = Path(f"{sys.argv[1]}.new")
    new.write_text(str(tasks), encoding="utf-8")
    new.rename(sys.argv[1])


if __name__ == "__main__":
    signal.signal(signal.SIGUSR1, tell)
    sys.exit(main(sys.argv[2:]))
