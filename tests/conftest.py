"""What holds for every test."""

from __future__ import annotations

import asyncio


def pytest_configure() -> None:
    """Declare that there is no event loop until a test runs one.

    Otherwise `get_event_loop`, which the asyncio plugins call, makes a loop before Python 3.14 and
    nobody closes it; its ResourceWarning then fails whichever test the garbage collector runs in.
    """
    asyncio.set_event_loop(None)
