"""API keys in several Secrets, for example one for each team."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.access import AccessRule
from mcp_operator.api.catalog import ApiKeys, Auth
from mcp_operator.gateway.policy.by_key import KEYS_SECONDS, RETRY_SECONDS
from support.entries import tool
from support.identity import Clients
from support.mcp_http import Server, modern

RED, BLUE, OTHER = "red-0123456789abcdef", "blue-0123456789abcdef", "other-0123456789abcdef"
CALL = {"name": "search", "arguments": {}}
SECRETS = ApiKeys(header="x-api-key", namespace="demo", names=("red", "blue"))

pytestmark = pytest.mark.looptime


def secrets(**others: dict[str, str]) -> Clients:
    clients = Clients()
    clients.others = others
    return clients


def server(clients: Clients, *rules: AccessRule) -> Server:
    return Server(tool("search"), secrets=clients, auth=Auth(api_keys=SECRETS, rules=rules))


async def status(shop: Server, key: str) -> int:
    return (await shop.respond(modern("tools/call", CALL, x_api_key=key))).status


async def test_the_clients_of_all_secrets_are_served() -> None:
    shop = server(secrets(red={"ci": RED}, blue={"ci": BLUE}))

    assert [await status(shop, key) for key in (RED, BLUE, OTHER)] == [200, 200, 401]


async def test_a_secret_cannot_take_the_client_name_of_another_secret() -> None:
    rule = AccessRule(tools=("*",), principals=("red/*",))
    clients = secrets(red={"ci": RED}, blue={"ci": BLUE, "red.ci": OTHER})
    shop = server(clients, rule)

    async def listed(key: str) -> list[str]:
        result = await shop.result(modern("tools/list", x_api_key=key))
        return [one["name"] for one in result["tools"]]

    assert await listed(RED) == ["search"]
    assert await listed(BLUE) == await listed(OTHER) == []


async def test_an_unreadable_secret_gives_503_to_its_own_and_unknown_clients_only() -> None:
    clients = secrets(red={"ci": RED}, blue={"ci": BLUE})
    shop = server(clients)
    assert await status(shop, BLUE) == 200
    del clients.others["blue"]

    await asyncio.sleep(KEYS_SECONDS)
    assert await status(shop, RED) == 200
    assert await status(shop, BLUE) == 503
    assert await status(shop, OTHER) == 503  # it could be a key in the unreadable Secret
    clients.others["blue"] = {"ci": BLUE}
    assert await status(shop, BLUE) == 200
    assert await status(shop, OTHER) == 401


async def test_a_missing_secret_is_read_again_only_after_a_while() -> None:
    clients = secrets(red={"ci": RED})
    shop = server(clients)
    assert await status(shop, RED) == 200
    reads = clients.reads

    for _ in range(10):
        assert await status(shop, RED) == 200
    assert clients.reads == reads
    await asyncio.sleep(RETRY_SECONDS)
    assert await status(shop, RED) == 200
    assert clients.reads > reads
