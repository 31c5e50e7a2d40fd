"""What `inspect` says about a server that refuses to talk to it."""

from __future__ import annotations

import httpx2
import pytest

from mcp_operator.app.mcp_client.session import LastRefusal

URL = "http://127.0.0.1:8080/mcp"

TOKEN = {"Authorization": "Bearer s3cret"}

CHALLENGE = 'Bearer error="invalid_token"'


async def said(status: int, url: str = URL, *, sent: dict[str, str], challenge: str = "") -> str:
    refusal = LastRefusal()
    request = httpx2.Request("POST", url, headers=sent)
    headers = {"WWW-Authenticate": challenge} if challenge else {}
    await refusal.note(httpx2.Response(status, headers=headers, request=request))
    return refusal.sentence(url)


@pytest.mark.parametrize("challenge", ["", "Bearer"])
async def test_a_missing_token_is_requested(challenge: str) -> None:
    told = await said(401, sent={}, challenge=challenge)
    assert told == (
        "the server requires a token (HTTP 401); give it with --token-file or in "
        "MCP_OPERATOR_INSPECT_TOKEN"
    )


async def test_a_wrong_token_is_called_wrong_and_not_missing() -> None:
    told = await said(401, sent=TOKEN, challenge=CHALLENGE)
    assert told.startswith("the server does not accept the token (HTTP 401); give another with")
    assert told.endswith(f"It says: {CHALLENGE}")
    assert "s3cret" not in told


async def test_the_usual_path_is_suggested_for_another_path() -> None:
    told = await said(404, "http://127.0.0.1:8080/", sent={})
    assert told.endswith(f"(HTTP 404); servers usually have it at {URL}")
    assert (await said(404, sent={})).endswith("(HTTP 404)")
