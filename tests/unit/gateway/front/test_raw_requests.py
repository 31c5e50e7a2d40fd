"""The raw bytes of hostile, broken and unusual clients get the expected responses."""

from __future__ import annotations

import asyncio
import logging
import socket
from contextlib import suppress

import pytest

from mcp_operator.gateway.front import connection
from support.raw_requests import CASES, IN_PIECES, PROBE
from support.response_statuses import statuses
from support.running_gateway import running
from support.waiting import hang_guard

SHORT = {name: case for name, case in CASES.items() if len(case[0]) < 4096}
"""The cases that are short enough to be sent in small pieces."""

UNREAD = ((403, 200), (404, 200), (415, 200))
"""Statuses that are sent before the body arrives. They close the connection if it has not."""

PIECE = 5
"""Bytes. In no case are the lengths of all lines and chunks multiples of it."""


@pytest.fixture(autouse=True)
def _no_lingering(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connection, "LINGERING_SECONDS", 0.01)


async def exchange(port: int, *parts: bytes) -> bytes:
    """Send parts, each in its own packet, and return everything received until the end."""
    loop = asyncio.get_running_loop()
    client, answer = socket.socket(), b""
    client.settimeout(0)
    with client:
        async with hang_guard():
            await loop.sock_connect(client, ("127.0.0.1", port))
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with suppress(ConnectionError):  # it is closed before everything is sent
                for part in parts:
                    await loop.sock_sendall(client, part)
                    await asyncio.sleep(0)
            with suppress(ConnectionError):
                while received := await loop.sock_recv(client, 1 << 16):
                    answer += received
    return answer


def test_the_table_has_at_least_125_cases() -> None:
    assert len(CASES) >= 125


@pytest.mark.parametrize("name", CASES)
async def test_bytes_in_one_packet_get_the_expected_statuses(
    name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sent, expected = CASES[name]
    async with running() as gateway:
        answer = await exchange(gateway.app.port, sent + PROBE)

    assert statuses(answer) == expected
    assert b"\r\nServer:" not in answer
    assert "CANARY" not in caplog.text + answer.decode("latin-1")


@pytest.mark.parametrize("name", SHORT)
async def test_bytes_in_small_pieces_get_the_expected_statuses(name: str) -> None:
    sent, expected = SHORT[name]
    async with running() as gateway:
        whole = sent + PROBE
        pieces = (whole[at : at + PIECE] for at in range(0, len(whole), PIECE))
        answer = await exchange(gateway.app.port, *pieces)

    if expected in UNREAD and b"Content-Length" in sent:
        expected = expected[:1]
    assert statuses(answer) == IN_PIECES.get(name, expected)
