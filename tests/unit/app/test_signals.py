from __future__ import annotations

import asyncio
import signal

import pytest

from mcp_operator.app.signals import SIGNALS, stop_signals, until_stopped
from mcp_operator.core.errors import OperatorError


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_first_signal_asks_for_a_graceful_stop(number: signal.Signals) -> None:
    with stop_signals() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        await stop.wait()


async def test_the_second_signal_takes_its_usual_effect() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
        signal.raise_signal(signal.SIGTERM)
        await stop.wait()
        assert signal.getsignal(signal.SIGTERM) is before


async def test_nothing_is_left_behind_without_a_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals():
        pass
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", SIGNALS)
async def test_what_is_watched_is_cancelled_by_a_signal(number: signal.Signals) -> None:
    ended = []

    async def watch() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    await until_stopped(watch())
    assert ended


async def test_what_goes_wrong_in_what_is_watched_is_raised() -> None:
    async def watch() -> None:
        raise OperatorError("The server is gone.")

    with pytest.raises(OperatorError, match="gone"):
        await until_stopped(watch())
