"""`mcp-operator top`: a screen about the load of the servers, refreshed or printed once."""

from __future__ import annotations

import asyncio
import shutil
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from typing import Final

from mcp_operator.app.inspection.connection import connected
from mcp_operator.app.inspection.settings import TopSettings
from mcp_operator.app.inspection.top.figures import Reading
from mcp_operator.app.inspection.top.reading import read
from mcp_operator.app.inspection.top.screen import screen
from mcp_operator.app.signals import until_stopped
from mcp_operator.core.errors import OperatorError
from mcp_operator.runtime.client import Client

OPEN: Final = "\x1b[?1049h\x1b[?25l"
"""Switches to the terminal's alternate screen, as `less` does, and hides the cursor."""

CLOSE: Final = "\x1b[?25h\x1b[?1049l"
TOP: Final = "\x1b[H"
REST_OF_LINE: Final = "\x1b[K"
REST_OF_SCREEN: Final = "\x1b[J"


async def run_top(settings: TopSettings) -> None:
    """Show the screen until SIGINT or SIGTERM; print it once if the output is not a terminal.

    Raises:
        OperatorError: The servers cannot be listed.
    """
    async with connected(settings, "top") as client:
        if settings.once or not sys.stdout.isatty():
            await _show_once(client, settings)
        else:
            await until_stopped(_show(client, settings))


async def _show_once(client: Client, settings: TopSettings) -> None:
    before = await read(client, settings.scope)
    await asyncio.sleep(settings.interval)
    after = await read(client, settings.scope)
    sys.stdout.writelines(f"{line}\n" for line in _lines(before, after, settings))


async def _show(client: Client, settings: TopSettings) -> None:
    before = after = await read(client, settings.scope)
    with _other_screen():
        while True:
            _draw(list(_lines(before, after, settings)))
            await asyncio.sleep(settings.interval)
            try:
                before, after = after, await read(client, settings.scope)
            except OperatorError as error:
                # Keep the last figures, and show the error: the next reading can succeed.
                after = replace(after, notes=[str(error)])


def _lines(before: Reading, after: Reading, settings: TopSettings) -> Iterator[str]:
    return screen(before, after, namespace=settings.scope, order=settings.sort)


@contextmanager
def _other_screen() -> Iterator[None]:
    sys.stdout.write(OPEN)
    try:
        yield
    finally:
        sys.stdout.write(CLOSE)
        sys.stdout.flush()


def _draw(lines: Sequence[str]) -> None:
    """Overwrite the screen, which flickers less than clearing it."""
    now = datetime.now().astimezone().strftime("%H:%M:%S")
    sys.stdout.write(frame([f"{now}  {lines[0]}", *lines[1:]], *shutil.get_terminal_size()))
    sys.stdout.flush()


def frame(lines: Sequence[str], width: int, height: int) -> str:
    """Return the output that shows as many lines as fit into a terminal.

    Args:
        lines: The lines, without control characters.
        width: The terminal's columns.
        height: Its rows.
    """
    shown = list(lines[:height])
    if len(lines) > height:
        shown[-1] = f"… {len(lines) - height + 1} more lines; --once shows all"
    body = "\r\n".join(f"{line[:width]}{REST_OF_LINE}" for line in shown)
    return f"{TOP}{body}{REST_OF_SCREEN}"
