"""No error path of a whole gateway leaks a secret, token, header or argument, at debug level."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.gateway.front import connection
from support.canaries import (
    ARGUMENT,
    CLIENT_KEY,
    FORWARDED,
    UNTRUSTED,
    Aviary,
    aviary,
    resources,
    tools,
)
from support.identity import API_KEYS, CLAIMS, by_token, encoded, rsa_key, token
from support.mcp_http import legacy, modern
from support.waiting import eventually, hang_guard

CANARY = "canary"
"""The word that every canary value contains, and that no text of the product contains."""

AT_ONCE = 12
"""Calls in progress at a time, below the concurrency limit of the server."""


@pytest.fixture
async def keyed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Aviary]:
    """A gateway whose clients send API keys, and that audits every call."""
    monkeypatch.setattr(connection, "LINGERING_SECONDS", 0.01)
    auth = API_KEYS.model_copy(update={"jwt": None})
    async with aviary(tmp_path, auth=auth, audit="All") as found:
        yield found


async def call(birds: Aviary, name: str, arguments: Any, **headers: str) -> str:
    """Call a tool with a canary in every part of the request; return the response as text."""
    sent = {
        "x_api_key": CLIENT_KEY,
        "x_forwarded": FORWARDED,
        "x_other": UNTRUSTED,
        "cookie": f"sid={UNTRUSTED}",
        "traceparent": f"00-{UNTRUSTED}",
        "tracestate": f"a={UNTRUSTED}",
        "user_agent": UNTRUSTED,
    }
    request = modern("tools/call", {"name": name, "arguments": arguments}, **sent | headers)
    return await send(birds, request.body, dict(request.headers))


async def send(birds: Aviary, body: bytes, headers: dict[str, str], verb: str = "POST") -> str:
    given = {name: value for name, value in headers.items() if name != "host"}
    async with birds.client.request(
        verb, birds.url, data=io.BytesIO(body), headers=given, allow_redirects=False
    ) as answer:
        text = await answer.text(errors="replace")
        return f"{answer.status}\n{dict(answer.headers)}\n{text}"


async def check(birds: Aviary, *answers: str) -> None:
    """Check that no canary is in logs or metrics, and no secret in a response."""
    for answer in answers:
        for name, value in birds.secrets.items():
            assert value not in answer, f"the {name} is in a response: {answer[:500]}"
    logged = birds.logs()
    for line in logged.splitlines():
        assert CANARY not in line, line
    assert CANARY not in await birds.managed()


async def test_calls_that_fail_leak_no_canary(keyed: Aviary) -> None:
    limit = asyncio.Semaphore(AT_ONCE)
    arguments = {"q": ARGUMENT, "h": ARGUMENT, "n": f"{ARGUMENT} & more"}

    async def called(name: str) -> str:
        async with limit:
            return await call(keyed, name, {"q": ARGUMENT} if name == "path" else arguments)

    answers = await asyncio.gather(*(called(each.name) for each in tools()))

    assert {answer.partition("\n")[0] for answer in answers} == {"200"}
    failed = [answer for answer in answers if '"isError":true' in answer]
    assert len(failed) >= 130
    assert (
        len([answer for answer in answers if ARGUMENT in answer]) >= 40
    )  # the client gets them back
    assert keyed.logs().count("A call to a backend failed") >= 2 * 80
    await check(keyed, *answers)


async def test_reads_of_resources_that_fail_leak_no_canary(keyed: Aviary) -> None:
    uris = [each.uri or each.uri_template.replace("{q}", ARGUMENT) for each in resources()]
    headers = {"x_api_key": CLIENT_KEY, "x_forwarded": FORWARDED}

    answers = []
    for uri in uris:
        request = modern("resources/read", {"uri": uri}, **headers)
        answers.append(await send(keyed, request.body, dict(request.headers)))

    assert len([answer for answer in answers if '"error":' in answer]) >= 11
    await check(keyed, *answers)


async def test_a_cancelled_call_leaks_no_canary(keyed: Aviary) -> None:
    async def in_flight() -> bool:
        return "mcp_requests_in_flight 1.0" in await keyed.managed()

    pending = asyncio.create_task(call(keyed, "silent", {"q": ARGUMENT}))
    await eventually(in_flight, expected=True)
    pending.cancel()
    await asyncio.gather(pending, return_exceptions=True)
    await eventually(in_flight, expected=False)
    await check(keyed)


BAD_ARGUMENTS: list[Any] = [
    {"q": ARGUMENT},
    {"q": [ARGUMENT]},
    {"q": {ARGUMENT: ARGUMENT}},
    {ARGUMENT: 1},
    {"q": f"../{ARGUMENT}"},
    {"q": f"{ARGUMENT}\r\nX: y"},
    {"h": f"{ARGUMENT}\n"},
    {"h": ARGUMENT * 600},
    {"n": ARGUMENT * 2000},
    {"q": f"\ud800{ARGUMENT}"},
    [ARGUMENT],
    ARGUMENT,
]


async def test_refused_arguments_are_not_logged(keyed: Aviary) -> None:
    answers = [
        await call(keyed, name, arguments)
        for name in ("schema", "path", "bearer.echo", f"{ARGUMENT}-unknown")
        for arguments in BAD_ARGUMENTS
    ]
    await check(keyed, *answers)


CREDENTIALS = {
    "no key": {},
    "a wrong key": {"x-api-key": UNTRUSTED},
    "a key in the wrong header": {"authorization": f"Bearer {CLIENT_KEY}"},
    "basic authentication": {"authorization": f"Basic {UNTRUSTED}"},
    "a very long key": {"x-api-key": UNTRUSTED * 400},
    "another origin": {"origin": f"https://{UNTRUSTED}.example", "x-api-key": CLIENT_KEY},
    "another content type": {"content-type": f"text/{UNTRUSTED}", "x-api-key": CLIENT_KEY},
    "a content encoding": {"content-encoding": UNTRUSTED, "x-api-key": CLIENT_KEY},
    "another version": {"mcp-protocol-version": UNTRUSTED, "x-api-key": CLIENT_KEY},
    "another method": {"mcp-method": UNTRUSTED, "x-api-key": CLIENT_KEY},
    "an accept header": {"accept": UNTRUSTED, "x-api-key": CLIENT_KEY},
    "a session": {"mcp-session-id": UNTRUSTED, "x-api-key": CLIENT_KEY},
    "an expect header": {"expect": UNTRUSTED, "x-api-key": CLIENT_KEY},
}
BODIES = {
    "not JSON": f'{{"{UNTRUSTED}'.encode(),
    "not an object": f'"{UNTRUSTED}"'.encode(),
    "no method": f'{{"jsonrpc":"2.0","id":1,"x":"{UNTRUSTED}"}}'.encode(),
    "not UTF-8": b"\xff" + UNTRUSTED.encode(),
    "too many values": b"[" + b"1," * 21_000 + f'"{UNTRUSTED}"]'.encode(),
    "too large": f'"{UNTRUSTED * 300_000}"'.encode(),
}


@pytest.mark.parametrize("name", CREDENTIALS)
async def test_refused_requests_leak_no_canary(keyed: Aviary, name: str) -> None:
    listed = modern("tools/list")
    session = legacy("tools/list", {"cursor": UNTRUSTED})
    answers = [
        await send(keyed, request.body, {**request.headers, **CREDENTIALS[name]})
        for request in (listed, session)
    ]
    verbs = ("GET", "DELETE", "OPTIONS", "PUT")
    answers += [await send(keyed, b"", {**CREDENTIALS[name]}, verb=verb) for verb in verbs]
    await check(keyed, *answers)


@pytest.mark.parametrize("name", BODIES)
async def test_refused_bodies_leak_no_canary(keyed: Aviary, name: str) -> None:
    headers = {**modern("tools/list").headers, "x-api-key": CLIENT_KEY}
    await check(keyed, await send(keyed, BODIES[name], headers))


METHODS: list[tuple[str, Any]] = [
    (UNTRUSTED, {}),
    ("prompts/get", {"name": UNTRUSTED}),
    ("resources/read", {"uri": f"{UNTRUSTED}://a"}),
    ("completion/complete", {"ref": {"type": UNTRUSTED}, "argument": {}}),
    ("tools/list", {"cursor": UNTRUSTED}),
    ("logging/setLevel", {"level": UNTRUSTED}),
    ("notifications/cancelled", {"requestId": 1, "reason": UNTRUSTED}),
]


async def test_requests_for_unknown_entries_leak_no_canary(keyed: Aviary) -> None:
    key = {"x_api_key": CLIENT_KEY, "last_event_id": UNTRUSTED}
    answers = [
        await send(keyed, request.body, dict(request.headers))
        for method, params in METHODS
        for request in (modern(method, params, **key), legacy(method, params, **key))
    ]
    await check(keyed, *answers)


HEADS = {
    "a path": b"GET /canary HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a query": b"GET /mcp?token=canary HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a user in a URL": b"GET http://user:canary@localhost/mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a host": b"GET /mcp HTTP/1.1\r\nHost: canary\r\n\r\n",
    "a method": b"CANARY-canary /mcp HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "a version": b"GET /mcp HTTP/canary\r\n\r\n",
    "a header without a colon": b"GET /mcp HTTP/1.1\r\ncanary\r\n\r\n",
    "a header's name": b"GET /mcp HTTP/1.1\r\ncan ary: canary\r\n\r\n",
    "a header's value": b"GET /mcp HTTP/1.1\r\nX-Key: canary\x00\r\n\r\n",
    "a long header": b"GET /mcp HTTP/1.1\r\nX-Key: " + b"canary" * 3000 + b"\r\n\r\n",
    "a length": b"POST /mcp HTTP/1.1\r\nContent-Length: canary\r\n\r\n",
    "a chunk": b"POST /mcp HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\ncanary\r\n",
    "metadata": b"GET /.well-known/oauth-protected-resource/canary HTTP/1.1\r\nHost: a\r\n\r\n",
}


@pytest.mark.parametrize("name", HEADS)
async def test_invalid_request_lines_and_headers_leak_no_canary(keyed: Aviary, name: str) -> None:
    port = int(keyed.url.rpartition(":")[2].partition("/")[0])
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(HEADS[name])
    async with hang_guard():
        answer = await reader.readuntil(b"\r\n\r\n")
    writer.close()
    assert b"canary" not in answer.lower()
    await check(keyed)


def tokens() -> dict[str, str]:
    good = token()
    head, payload, signature = good.split(".")
    return {
        "expired": token(exp=1, jti=UNTRUSTED),
        "signed by another key": token(rsa_key("mine"), sub=UNTRUSTED),
        "for another audience": token(aud=f"https://{UNTRUSTED}"),
        "from another issuer": token(iss=f"https://{UNTRUSTED}"),
        "without a subject": token(sub="", jti=UNTRUSTED),
        "of another type": token(headers={"typ": UNTRUSTED}),
        "with a critical header": token(headers={"crit": [UNTRUSTED], UNTRUSTED: 1}),
        "with an unknown key ID": token(kid=UNTRUSTED),
        "broken": f"{head}.{payload}.{UNTRUSTED}",
        "not a token": UNTRUSTED,
        "with a changed claim": f"{head}.{encoded({**CLAIMS, 'x': UNTRUSTED})}.{signature}",
        "without scope": token(scope=UNTRUSTED),
    }


@pytest.mark.parametrize("name", tokens())
async def test_refused_tokens_are_neither_returned_nor_logged(tmp_path: Path, name: str) -> None:
    shown = tokens()[name]
    auth = by_token(required_scopes=("mcp:use",))
    async with aviary(tmp_path, auth=auth, audit="All") as birds:
        request = modern("tools/list", authorization=f"Bearer {shown}")
        answer = await send(birds, request.body, dict(request.headers))
        assert answer.startswith(("401", "403"))
        for part in (shown, *shown.split("."), UNTRUSTED):
            assert part not in answer
            assert part not in birds.logs() + await birds.managed()
        await check(birds, answer)


async def test_an_accepted_token_is_neither_returned_nor_logged(tmp_path: Path) -> None:
    good = token(jti=UNTRUSTED)
    async with aviary(tmp_path, auth=by_token(), audit="All") as birds:
        answer = await call(birds, "bearer.echo", {"q": ARGUMENT}, authorization=f"Bearer {good}")
        assert json.loads(answer.splitlines()[2])["result"]
        assert good not in answer + birds.logs() + await birds.managed()
        assert "alice" in birds.logs()
        await check(birds, answer)
