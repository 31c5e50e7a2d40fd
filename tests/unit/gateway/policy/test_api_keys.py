"""Servers whose clients authenticate with API keys."""

from __future__ import annotations

import asyncio
import logging
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import mcp_operator
from mcp_operator.api.catalog import ApiKeys, Auth
from mcp_operator.gateway.policy import apikeys
from mcp_operator.gateway.policy.by_key import KEYS_SECONDS, LOOKUPS_PER_SECOND
from support.entries import tool
from support.identity import API_KEYS, Clients, by_token
from support.mcp_http import Server, legacy, modern, table

ALICE, BOB = "alice-0123456789abcdef", "bob-0123456789abcdef"
CALL = {"name": "search", "arguments": {}}

pytestmark = pytest.mark.looptime


def server(clients: Clients, auth: Auth = API_KEYS) -> Server:
    return Server(tool("search"), secrets=clients, auth=auth)


async def test_a_client_with_a_key_is_served() -> None:
    shop = server(Clients(alice=ALICE, bob=BOB))

    for key in (ALICE, BOB):
        result = await shop.result(modern("tools/call", CALL, x_api_key=key))
        assert result["content"][0]["text"] == "search"
    assert shop.observer.authentications == ["ok", "ok"]


@pytest.mark.parametrize(
    "sent",
    [
        {},
        {"x_api_key": ""},
        {"authorization": f"Bearer {ALICE}"},
        {"authorization": ALICE},
        {"cookie": f"x-api-key={ALICE}"},
    ],
)
async def test_a_client_without_a_key_gets_401_that_names_the_header(sent: dict[str, str]) -> None:
    shop = server(Clients(alice=ALICE))

    answer = await shop.respond(modern("tools/call", CALL, **sent))

    assert answer.status == 401
    assert answer.headers["www-authenticate"] == 'ApiKey header="x-api-key"'
    assert b"Send an API key in the header x-api-key" in answer.body
    assert shop.executor.calls == []
    assert shop.observer.authentications == ["missing"]


@pytest.mark.parametrize(
    "key", ["x", ALICE[:-1], ALICE + "x", ALICE.upper(), f"{ALICE}, {ALICE}", "ü" * 20, "k" * 5000]
)
async def test_an_unknown_key_is_refused(key: str) -> None:
    shop = server(Clients(alice=ALICE))

    answer = await shop.respond(modern("tools/call", CALL, x_api_key=key))

    assert answer.status == 401
    assert shop.executor.calls == []
    assert shop.observer.authentications == ["invalid"]


async def test_many_unknown_keys_are_rate_limited_and_known_clients_are_still_served() -> None:
    clients = Clients(alice=ALICE)
    shop = server(clients)

    async def tried(key: str, address: str = "192.0.2.1") -> int:
        request = modern("tools/call", CALL, x_api_key=key)
        answer = await shop.respond(replace(request, address=address))
        assert ("retry-after" in answer.headers) == (answer.status == 429)
        return answer.status

    assert await tried(ALICE) == 200
    found = [await tried(f"guess-{number:020}") for number in range(300)]
    half = LOOKUPS_PER_SECOND // 2
    assert found == [401] * half + [429] * (300 - half)
    assert shop.observer.authentications[-1] == "busy"
    assert await tried(ALICE) == 200, "from the same address"
    assert await tried(BOB, "192.0.2.2") == 401, "another address can look up keys"

    await asyncio.sleep(1)
    assert await tried(BOB) == 401


async def test_a_key_in_the_authorization_header_needs_the_bearer_scheme() -> None:
    auth = Auth(api_keys=ApiKeys(namespace="demo", name="clients"))
    shop = server(Clients(alice=ALICE), auth)

    async def status(authorization: str) -> int:
        request = modern("tools/call", CALL, authorization=authorization)
        return (await shop.respond(request)).status

    assert await status(f"Bearer {ALICE}") == 200
    assert await status(f"bearer  {ALICE}") == 200
    assert await status(ALICE) == 401
    assert await status(f"Basic {ALICE}") == 401
    assert await status(f"Bearer{ALICE}") == 401
    answer = await shop.respond(modern("tools/call", CALL))
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_request_with_two_key_headers_is_refused() -> None:
    shop = server(Clients(alice=ALICE))
    request = modern("tools/call", CALL, x_api_key=ALICE)
    twice = type(request)(request.method, request.headers, frozenset({"x-api-key"}), request.body)

    assert (await shop.respond(twice)).status == 401


async def test_every_method_of_both_eras_requires_a_key() -> None:
    shop = server(Clients(alice=ALICE))
    answers = [
        await shop.respond(modern("server/discover")),
        await shop.respond(modern("tools/list")),
        await shop.respond(legacy("initialize", {"protocolVersion": "2025-11-25"})),
        await shop.respond(legacy("ping")),
        *[
            await shop.respond(type(request)(method, request.headers))
            for request in [legacy("ping", mcp_session_id="x" * 56)]
            for method in ("GET", "DELETE", "PUT")
        ],
    ]

    assert [answer.status for answer in answers] == [401] * 7


async def test_a_cors_preflight_needs_no_key() -> None:
    request = modern("tools/list")
    shop = server(Clients(alice=ALICE))

    assert (await shop.respond(type(request)("OPTIONS", request.headers))).status == 204


async def test_a_key_is_not_forwarded_to_backends() -> None:
    shop = server(Clients(alice=ALICE))

    await shop.result(modern("tools/call", CALL, x_api_key=ALICE, x_other="kept"))

    (call,) = shop.executor.seen
    assert "x-api-key" not in call.headers
    assert call.headers["x-other"] == "kept"


async def test_a_new_key_is_accepted_at_its_first_use() -> None:
    clients = Clients(alice=ALICE)
    shop = server(clients)
    await shop.result(modern("tools/list", x_api_key=ALICE))
    clients.keys = {"alice": ALICE, "bob": BOB}

    await shop.result(modern("tools/list", x_api_key=BOB))

    assert clients.distrusted == clients.reads == 2


async def test_a_removed_key_is_refused_once_the_cached_keys_expire() -> None:
    clients = Clients(alice=ALICE, bob=BOB)
    shop = server(clients)
    await shop.result(modern("tools/list", x_api_key=BOB))
    clients.keys = {"alice": ALICE}
    await asyncio.sleep(KEYS_SECONDS + 1)

    assert (await shop.respond(modern("tools/list", x_api_key=BOB))).status == 401
    assert (await shop.respond(modern("tools/list", x_api_key=ALICE))).status == 200


async def test_a_known_key_does_not_read_the_secret_again() -> None:
    clients = Clients(alice=ALICE)
    shop = server(clients)
    for _ in range(5):
        await shop.result(modern("tools/list", x_api_key=ALICE))

    assert clients.reads == 1


async def test_a_server_that_cannot_read_its_keys_responds_with_503(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clients = Clients(alice=ALICE)
    shop = server(clients)
    await shop.result(modern("tools/list", x_api_key=ALICE))
    clients.keys = None
    await asyncio.sleep(KEYS_SECONDS + 1)

    answer = await shop.respond(modern("tools/call", CALL, x_api_key=ALICE))

    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    assert "log says why" in answer.body.decode()
    await shop.respond(modern("tools/call", CALL, x_api_key=ALICE))
    assert [line.levelname for line in caplog.records] == ["WARNING"]  # and not one each
    assert caplog.messages == ["API keys cannot be read"]
    assert shop.executor.calls == []
    clients.keys = {"alice": ALICE}
    assert (await shop.respond(modern("tools/list", x_api_key=ALICE))).status == 200


async def test_a_key_in_the_secret_that_is_too_short_is_refused_and_not_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    shop = server(Clients(alice="short", bob=BOB))

    assert (await shop.respond(modern("tools/list", x_api_key="short"))).status == 401
    (said,) = [record for record in caplog.records if record.name == apikeys.__name__]
    assert said.__dict__["client"] == "alice"
    assert "short" not in said.getMessage()


async def test_a_trailing_line_break_is_not_part_of_a_key() -> None:
    shop = server(Clients(alice=ALICE + "\n"))

    assert (await shop.respond(modern("tools/list", x_api_key=ALICE))).status == 200


async def test_an_empty_key_in_the_secret_is_refused() -> None:
    shop = server(Clients(alice="", bob="\n"))

    assert (await shop.respond(modern("tools/list", x_api_key="\n"))).status == 401


async def test_changed_auth_settings_apply_to_the_next_request() -> None:
    shop = server(Clients(alice=ALICE))
    shop.current.swap(table(tool("search")))
    assert (await shop.respond(modern("tools/list"))).status == 200
    shop.current.swap(table(tool("search"), auth=API_KEYS))
    assert (await shop.respond(modern("tools/list"))).status == 401


async def test_settings_that_change_during_authentication_apply_to_the_request() -> None:
    clients = Clients(alice=ALICE)
    shop = server(clients)
    reading, goes_on = asyncio.Event(), asyncio.Event()
    read = clients.values

    async def slow(secret: object) -> object:
        reading.set()
        await goes_on.wait()
        return await read(secret)  # type: ignore[arg-type]

    clients.values = slow  # type: ignore[assignment,method-assign]
    asked = asyncio.ensure_future(shop.respond(modern("tools/list", x_api_key=ALICE)))
    await reading.wait()
    other = Auth(api_keys=ApiKeys(header="x-other", namespace="demo", name="clients"))
    shop.current.swap(table(tool("search"), auth=other))
    goes_on.set()

    assert (await asked).status == 401


async def test_keys_are_refused_after_the_settings_change_to_unusable_ones() -> None:
    shop = server(Clients(alice=ALICE))
    assert (await shop.respond(modern("tools/list", x_api_key=ALICE))).status == 200
    shop.current.swap(table(tool("search"), auth=by_token(keys={"keys": 7})))

    for _ in range(2):
        with pytest.raises(TypeError):
            await shop.respond(modern("tools/list", x_api_key=ALICE))


async def test_a_server_without_a_source_of_keys_responds_with_503() -> None:
    shop = Server(tool("search"), auth=API_KEYS)

    assert (await shop.respond(modern("tools/list", x_api_key=ALICE))).status == 503


async def test_auth_settings_of_a_later_release_reject_all_clients(
    caplog: pytest.LogCaptureFixture,
) -> None:
    later = Auth.model_validate({"apiKeys": {"namespace": "demo", "name": "clients", "new": 1}})
    shop = server(Clients(alice=ALICE), later)

    answer = await shop.respond(modern("tools/list", authorization=f"Bearer {ALICE}"))

    assert answer.status == 503
    assert "Use the release of the operator" in caplog.text


async def test_auth_settings_without_a_method_reject_all_clients() -> None:
    shop = server(Clients(alice=ALICE), Auth())

    assert (await shop.respond(modern("tools/list", x_api_key=ALICE))).status == 503


def test_a_gateway_without_tokens_does_not_load_cryptography() -> None:
    look = "import sys, mcp_operator.app.data_plane as _; sys.exit('cryptography' in sys.modules)"
    environment = {"PYTHONPATH": str(Path(mcp_operator.__file__).parents[1])}

    done = subprocess.run([sys.executable, "-c", look], env=environment, check=False)  # noqa: S603

    assert done.returncode == 0
