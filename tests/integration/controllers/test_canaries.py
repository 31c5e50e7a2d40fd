"""Values of Secrets appear in no status, Event, ConfigMap or other object, and in no log line."""

from __future__ import annotations

import base64
import functools
import json
import logging
from typing import Any

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.resources import CHILDREN
from support.operators import Operator
from support.shop import EVENTS, KINDS, Shop
from support.waiting import eventually

CANARY = "canary-9b1e04"
"""The prefix of every value of every Secret in these tests."""

TLS: dict[str, Any] = {
    "clientCertificateSecretRef": {"name": "pair"},
    "caSecretRef": {"name": "pair", "key": "ca.crt"},
}
CREDENTIALS: dict[str, dict[str, Any]] = {
    "bearer": {"type": "Bearer"},
    "basic": {"type": "Basic"},
    "header": {"type": "Header", "name": "X-Key"},
    "query": {"type": "Query", "name": "key"},
    "cookie": {"type": "Cookie", "name": "sid"},
    "oauth2": {"type": "OAuth2", "oauth2": {"tokenURL": "http://orders.NAMESPACE.svc/token"}},
}
SECRET = {key: f"{CANARY}-{key}" for key in ("token", "username", "password", "client_secret")}


async def test_values_of_secrets_appear_in_no_other_object_and_no_log_line(
    shop: Shop, operator: Operator, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    await _declare(shop)
    for name in (*CREDENTIALS, "constants", "mutual"):
        await shop.wait_for_reason("MCPTool", name, "ResolvedRefs", Reason.SECRET_NOT_FOUND)

    # First the Secrets are missing, then they exist, then their values are invalid.
    await shop.create("Secret", "login", stringData={"other": f"{CANARY}-other"})
    for name in CREDENTIALS:
        await eventually(functools.partial(_lacks_key, shop, name), expected=True)
    await shop.patch("Secret", "login", stringData=SECRET | {"client_id": f"{CANARY}-id"})
    pair = {key: f"{CANARY}-{key}" for key in ("tls.crt", "tls.key", "ca.crt")}
    await shop.create("Secret", "pair", stringData=pair)
    await shop.create("Secret", "keys", stringData={"alice": f"{CANARY}-short"})

    async def served() -> set[str]:
        return set(await shop.served("red") or ())

    await eventually(served, {*CREDENTIALS, "constants", "mutual", "content"})
    await shop.patch("Secret", "keys", stringData={"alice": "x", "bob": CANARY * 1000})
    await shop.delete("Secret", "login")
    await shop.wait_for_reason("MCPTool", "bearer", "ResolvedRefs", Reason.SECRET_NOT_FOUND)
    await operator.settled(shop.client)

    catalog = await shop.catalog("red")
    assert catalog is not None
    assert not _found(catalog.canonical().decode())
    assert await _dumps(shop) == {"Secret"}
    assert not _found(caplog.text + str([vars(record) for record in caplog.records]))


async def _lacks_key(shop: Shop, name: str) -> bool:
    """Return whether a tool reports that its Secret has no such key."""
    return "has no key" in (await shop.condition("MCPTool", name, "ResolvedRefs"))[2]


async def _declare(shop: Shop) -> None:
    """Create a server and tools that refer to Secrets in every possible way."""
    keys = {"type": "APIKey", "apiKey": {"secretRef": {"name": "keys"}}}
    await shop.server("red", auth=keys, resourceSelector={"matchLabels": {"team": "red"}})
    for name, credentials in CREDENTIALS.items():
        text = json.dumps({**credentials, "secretRef": {"name": "login"}})
        given = json.loads(text.replace("NAMESPACE", shop.namespace))
        await shop.tool(name, "red", request={"credentials": given})
    value = {"valueFrom": {"secretKeyRef": {"name": "login", "key": "token"}}}
    fixed = {"headers": [{"name": "X-Fixed", **value}], "query": [{"name": "fixed", **value}]}
    await shop.tool("constants", "red", request=fixed)
    service = {"name": "orders", "port": 80, "path": "/", "scheme": "https", "tls": TLS}
    await shop.tool("mutual", "red", service=service)
    content = {"uri": "shop://content", "secretKeyRef": {"name": "pair", "key": "tls.crt"}}
    await shop.create(
        "MCPResource",
        "content",
        labels={"team": "red"},
        spec={"name": "content", "contentFrom": content},
    )


def _found(text: str) -> bool:
    """Return whether a text contains a canary, also in base64."""
    encoded = (base64.b64encode(b"." * n + CANARY.encode()).decode()[4:16] for n in range(3))
    return CANARY in text or any(each in text for each in encoded)


async def _dumps(shop: Shop) -> set[str]:
    """Return the kinds of the objects that contain a canary, of all kinds the operator writes."""
    found = set()
    for resource in {*KINDS.values(), *CHILDREN, EVENTS}:
        pages = shop.client.list_pages(resource, namespace=shop.namespace)
        if _found(json.dumps([page.items async for page in pages])):
            found.add(resource.kind)
    return found
