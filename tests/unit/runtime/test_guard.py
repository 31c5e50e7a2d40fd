"""The guard of writes, which is called after the connection is made and before anything is sent."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest

from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.connector import _new_socket
from mcp_operator.runtime.kubernetes import Configuration
from support.objects import CONFIG_MAPS, config_map
from support.scripted_api import ScriptedApi, configuration, scripted_client

A = Key("demo", "a")


class Guard:
    """Allows a number of writes, and counts its calls."""

    def __init__(self) -> None:
        self.passes = 0
        self.asked = 0

    def __call__(self) -> None:
        self.asked += 1
        if self.asked > self.passes:
            raise OperatorError("nothing is written")


@pytest.fixture
def guard() -> Guard:
    return Guard()


@pytest.fixture
async def client(api: ScriptedApi, metrics: RuntimeMetrics, guard: Guard) -> AsyncIterator[Client]:
    async with scripted_client(api, metrics) as made:
        made.guard_writes(guard)
        yield made


WRITES: dict[str, Callable[[Client], Awaitable[object]]] = {
    "create": lambda client: client.create(CONFIG_MAPS, config_map("a")),
    "apply": lambda client: client.apply(CONFIG_MAPS, config_map("a")),
    "patch": lambda client: client.merge_patch(CONFIG_MAPS, A, {"data": {}}),
    "replace": lambda client: client.replace(CONFIG_MAPS, config_map("a")),
    "delete": lambda client: client.delete(CONFIG_MAPS, A),
}


@pytest.mark.parametrize("write", WRITES.values(), ids=list(WRITES))
async def test_the_guard_stops_every_kind_of_write_and_no_read(
    api: ScriptedApi, client: Client, write: Callable[[Client], Awaitable[object]]
) -> None:
    with pytest.raises(OperatorError, match=r"^nothing is written$"):
        await write(client)
    assert api.received == []
    api.answer(config_map("a", 5))
    await client.get(CONFIG_MAPS, A)


async def test_the_guard_is_called_after_the_connection_is_made(
    api: ScriptedApi, client: Client, guard: Guard, monkeypatch: pytest.MonkeyPatch
) -> None:
    guard.passes = 1
    connector = client._transport._clients[-1].rest_client.pool_manager.connector
    assert connector is not None
    connect = connector.connect

    async def slow_connect(*arguments: Any, **options: Any) -> Any:
        connection = await connect(*arguments, **options)
        guard.passes = 0  # the lease has expired in the meantime
        return connection

    monkeypatch.setattr(connector, "connect", slow_connect)
    with pytest.raises(OperatorError, match="nothing is written"):
        await client.apply(CONFIG_MAPS, config_map("a"))
    assert guard.asked == 1
    assert api.received == []


async def test_the_guard_is_called_again_before_a_retry(
    api: ScriptedApi, client: Client, guard: Guard
) -> None:
    guard.passes = 1
    api.answer("busy", status=429)
    with pytest.raises(OperatorError, match="nothing is written"):
        await client.apply(CONFIG_MAPS, config_map("a"))
    assert len(api.received) == 1


async def test_the_guard_is_called_again_before_a_retry_with_a_new_token(
    api: ScriptedApi, metrics: RuntimeMetrics, guard: Guard
) -> None:
    tokens = iter(("one", "two"))

    async def load() -> Configuration:
        return configuration(api.url, next(tokens))

    async with scripted_client(api, metrics, load=load) as client:
        client.guard_writes(guard)
        guard.passes = 1
        api.fail(401, "Unauthorized")
        with pytest.raises(OperatorError, match="nothing is written"):
            await client.apply(CONFIG_MAPS, config_map("a"))
    assert len(api.received) == 1


async def test_the_guard_can_stop_a_large_write_before_its_end_is_sent(
    api: ScriptedApi, client: Client, guard: Guard
) -> None:
    large = config_map("a", x="x" * 500_000)
    guard.passes = 3
    with pytest.raises(OperatorError, match="nothing is written"):
        await client.apply(CONFIG_MAPS, large)
    assert api.received == []
    guard.passes = 100
    api.answer(config_map("a", 5))
    await client.apply(CONFIG_MAPS, large)
    assert [sent.body for sent in api.received] == [large]
    assert "Transfer-Encoding" not in api.received[0].headers


def test_sockets_set_keepalive_and_a_tcp_user_timeout_of_five_seconds() -> None:
    limit = getattr(socket, "TCP_USER_TIMEOUT", None)
    with _new_socket((socket.AF_INET, socket.SOCK_STREAM, 0, "", ("127.0.0.1", 1))) as made:
        assert made.getsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE)
        if limit is not None:
            assert made.getsockopt(socket.IPPROTO_TCP, limit) == 5000
