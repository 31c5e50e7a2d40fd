from __future__ import annotations

import asyncio
import signal

import pytest

from mcp_operator.app.signals import SIGNALS, stop_signals, until_stopped
from mcp_operator.core.errors import OperatorError


@pytest.mark.parametrize("number", SIGNALS)
async def test_the_first_signal_requests_a_graceful_stop(number: signal.Signals) -> None:
    with stop_signals() as stop:
        assert not stop.is_set()
        signal.raise_signal(number)
        await stop.wait()


async def test_after_the_first_signal_the_default_handler_is_restored() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals() as stop:
        assert signal.getsignal(signal.SIGTERM) is not before
        signal.raise_signal(signal.SIGTERM)
        await stop.wait()
        assert signal.getsignal(signal.SIGTERM) is before


async def test_the_default_handler_is_restored_without_a_signal() -> None:
    before = signal.getsignal(signal.SIGTERM)
    with stop_signals():
        pass
    assert signal.getsignal(signal.SIGTERM) is before


@pytest.mark.parametrize("number", SIGNALS)
async def test_a_signal_cancels_the_watch(number: signal.Signals) -> None:
    ended = []

    async def watch() -> None:
        try:
            signal.raise_signal(number)
            await asyncio.Event().wait()
        finally:
            ended.append(True)

    await until_stopped(watch())
    assert ended


async def test_an_error_of_the_watch_is_raised() -> None:
    async def watch() -> None:
        raise OperatorError("The server is gone.")

    with pytest.raises(OperatorError, match="gone"):
        await until_stopped(watch())
