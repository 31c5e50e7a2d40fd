"""Common mistakes of new users in requests to a gateway, and the errors that they get."""

from __future__ import annotations

import pytest

from support.mcp_http import modern
from support.running_gateway import running


async def test_a_browser_gets_a_text_about_the_purpose_of_the_url() -> None:
    accept = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
    async with running() as gateway, gateway.client.get(gateway.url, headers=accept) as answer:
        assert answer.status == 406
        assert answer.content_type == "text/plain"
        assert "Add this URL to an MCP client" in await answer.text()


REFUSED = {
    "a request without its method": (
        {"mcp-protocol-version": "2026-07-28"},
        "The header mcp-method is missing; send the value in the body, 'tools/call'",
    ),
    "a request with another method": (
        {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/list"},
        "The header mcp-method differs from the body; send the value in the body, 'tools/call'",
    ),
    "a request without its version": (
        {"mcp-method": "tools/call"},
        "The header mcp-protocol-version is missing; send the value in the body, '2026-07-28'",
    ),
    "a call without the name of its tool": (
        {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call"},
        "The header mcp-name is missing; send the value of `params.name`",
    ),
    "a page that is not allowed": (
        {"origin": "https://chat.example.com"},
        "is not allowed for this server. Add it to spec.protocol.allowedOrigins",
    ),
    "a host that is not allowed": (
        {"host": "shop.example.com"},
        "Use another name, or add this one to spec.protocol.allowedHosts",
    ),
}


@pytest.mark.parametrize("mistake", REFUSED)
async def test_a_mistake_in_a_request_is_reported_with_the_fix(mistake: str) -> None:
    headers, said = REFUSED[mistake]
    body = modern("tools/call", {"name": "orders", "arguments": {}}).body
    sent = {"content-type": "application/json", **headers}
    async with (
        running() as gateway,
        gateway.client.post(gateway.url, data=body, headers=sent) as answer,
    ):
        assert answer.status in (400, 403)
        assert said in (await answer.json())["error"]["message"]
