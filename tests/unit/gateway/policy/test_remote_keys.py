"""The keys of an identity provider that rotates them, and that is sometimes unreachable."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.policy.by_token import MAX_VERIFIED, VERIFICATIONS_PER_SECOND
from mcp_operator.gateway.policy.guard import Guard
from mcp_operator.gateway.policy.jwks import (
    COOLDOWN_SECONDS,
    REFRESH_SECONDS,
    RETRY_SECONDS,
    RemoteKeys,
)
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.tokens import Header
from mcp_operator.gateway.table import Current
from support.entries import tool
from support.identity import (
    ISSUER,
    JWKS,
    NOW,
    MovedClock,
    Provider,
    by_token,
    jwk,
    rsa_key,
    token,
)
from support.mcp_http import table

OLD, NEW = jwk(rsa_key(), "rsa"), jwk(rsa_key("new"), "new")
NEW_TOKEN = token(rsa_key("new"), kid="new")
HOUR = 3600

pytestmark = pytest.mark.looptime


class Door:
    """A guard with a clock that the test sets."""

    def __init__(self, provider: Provider) -> None:
        self.provider = provider
        self.clock = MovedClock()
        self.current = Current()
        self.current.swap(table(tool("search"), auth=by_token(endpoint=JWKS)))
        self.guard = Guard(self.current, fetch=provider, clock=self.clock)

    async def admit(self, text: str, address: str = "10.0.0.1") -> Principal:
        headers = {"authorization": f"Bearer {text}"}
        return await self.guard.admit(headers, frozenset(), address)

    async def refusal(self, text: str) -> str:
        with pytest.raises(Refusal) as caught:
            await self.admit(text)
        return caught.value.why


@pytest.fixture
async def door() -> AsyncIterator[Door]:
    door = Door(Provider([OLD]))
    yield door
    await door.guard.close()


async def test_keys_are_fetched_for_the_first_token_and_cached(door: Door) -> None:
    assert door.provider.fetched == 0
    who = await door.admit(token())
    await door.admit(token(sub="bob"))

    assert who == Principal("alice", ISSUER, frozenset({"mcp:use", "mcp:read"}), expires=NOW + 300)
    assert door.provider.fetched == 1


async def test_concurrent_clients_share_one_fetch_of_the_keys(door: Door) -> None:
    await asyncio.gather(*(door.admit(token(sub=f"user-{n}")) for n in range(20)))

    assert door.provider.fetched == 1


async def test_a_token_signed_by_a_new_key_is_accepted_after_the_cooldown(door: Door) -> None:
    await door.admit(token())
    door.provider.keys = [OLD, NEW]
    await asyncio.sleep(COOLDOWN_SECONDS)

    assert (await door.admit(NEW_TOKEN)).name == "alice"


async def test_tokens_with_unknown_key_ids_fetch_keys_at_a_limited_rate(door: Door) -> None:
    await door.admit(token())
    for number in range(200):
        assert await door.refusal(token(kid=f"made-up-{number}")) == "invalid"
        await asyncio.sleep(0.1)

    assert door.provider.fetched <= 1 + 20 / COOLDOWN_SECONDS + 1


async def test_a_token_signed_by_a_withdrawn_key_is_refused_after_the_refresh(door: Door) -> None:
    await door.admit(token())
    door.provider.keys = [NEW]
    await asyncio.sleep(REFRESH_SECONDS)
    await door.admit(token())  # starts the refresh, and does not wait for it
    await asyncio.sleep(1)

    assert await door.refusal(token()) == "invalid"


async def test_the_last_keys_stay_in_use_while_the_provider_is_unreachable(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    await door.admit(token())
    door.provider.keys = None
    for minute in range(60):
        await asyncio.sleep(60)
        assert (await door.admit(token(sub=f"user-{minute}"))).name == f"user-{minute}"
    warned = [each for each in caplog.records if each.levelno == logging.WARNING]
    assert len(warned) == 1, "an outage is logged once"
    door.provider.keys = [OLD, NEW]
    await asyncio.sleep(COOLDOWN_SECONDS)
    await door.admit(NEW_TOKEN)


async def test_without_keys_tokens_are_refused_and_fetches_are_rate_limited(door: Door) -> None:
    door.provider.keys = None
    for _ in range(100):
        assert await door.refusal(token()) == "unavailable"
        await asyncio.sleep(0.1)
    assert door.provider.fetched <= 1 + 10 / RETRY_SECONDS
    door.provider.keys = [OLD]
    await asyncio.sleep(RETRY_SECONDS)
    await door.admit(token())


@pytest.mark.parametrize(
    "published",
    [
        pytest.param([], id="no key"),
        pytest.param([{"kty": "oct", "k": "c2VjcmV0", "kid": "rsa"}], id="no public key"),
        pytest.param([jwk(rsa_key(), "rsa") | {"n": "AQAB"}], id="no key of sufficient length"),
    ],
)
async def test_tokens_are_refused_once_the_provider_publishes_no_usable_key(
    door: Door, published: list[JsonObject]
) -> None:
    await door.admit(token())
    door.provider.keys = published
    await asyncio.sleep(REFRESH_SECONDS)
    await door.admit(token())  # starts the refresh, and does not wait for it
    await asyncio.sleep(1)

    assert await door.refusal(token()) == "unavailable"
    door.provider.keys = [NEW]
    await asyncio.sleep(RETRY_SECONDS)
    assert (await door.admit(NEW_TOKEN)).name == "alice"
    assert await door.refusal(token()) == "invalid"


@pytest.mark.parametrize("answer", [b"", b"<html>", b"{}", b'{"keys": {}}', b'{"keys": "none"}'])
async def test_a_response_that_is_not_a_key_set_does_not_replace_the_keys(
    door: Door, answer: bytes
) -> None:
    await door.admit(token())
    door.provider.answer = answer
    await asyncio.sleep(REFRESH_SECONDS)
    await door.admit(token())
    await asyncio.sleep(1)

    await door.admit(token())


async def test_keys_that_cannot_be_refreshed_are_used_for_a_day(
    door: Door, caplog: pytest.LogCaptureFixture
) -> None:
    await door.admit(token())
    door.provider.keys = None
    for _ in range(23):
        await asyncio.sleep(HOUR)
        await door.admit(token())
    await asyncio.sleep(HOUR)

    assert await door.refusal(token()) == "unavailable"
    warned = [each.message for each in caplog.records if each.levelno == logging.WARNING]
    assert [text.partition("; ")[2] for text in warned] == [
        "the last ones stay in use",
        "no client is served",
    ]
    door.provider.keys = [OLD]
    await asyncio.sleep(RETRY_SECONDS)
    await door.admit(token())


async def test_after_a_day_without_clients_the_first_one_waits_for_the_keys(door: Door) -> None:
    await door.admit(token())
    await asyncio.sleep(48 * HOUR)

    await door.admit(token())
    assert door.provider.fetched == 2


async def test_a_token_is_verified_once_until_it_expires(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = token()
    await door.admit(text)
    monkeypatch.setattr("mcp_operator.gateway.policy.by_token.verify", None)
    await door.admit(text)
    door.clock.forward(329)
    await door.admit(text)
    door.clock.forward(1)
    monkeypatch.undo()

    assert await door.refusal(text) == "invalid"


async def test_the_cache_of_verified_tokens_is_bounded(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert MAX_VERIFIED <= 10_000
    monkeypatch.setattr("mcp_operator.gateway.policy.by_token.MAX_VERIFIED", 3)
    for number in range(10):
        await door.admit(token(sub=f"user-{number}"))

    assert len(door.guard._authenticator._verified) == 3  # type: ignore[attr-defined]


async def test_verifications_of_tokens_are_rate_limited_in_total_and_by_address(
    door: Door, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, new, wrong = token(), token(sub="bob"), token(rsa_key("new"))
    await door.admit(known)
    await asyncio.sleep(1)
    tried = [await door.refusal(wrong) for _ in range(2 * VERIFICATIONS_PER_SECOND)]

    assert tried.count("invalid") == VERIFICATIONS_PER_SECOND // 2
    assert tried.count("busy") == len(tried) - tried.count("invalid")
    assert (await door.admit(known)).name == "alice", "it was verified before"
    assert await door.refusal(new) == "busy"
    assert (await door.admit(new, "10.0.0.2")).name == "bob", "another address has its share"
    await asyncio.sleep(1)
    assert (await door.admit(token(sub="carol"))).name == "carol"


async def test_changed_auth_settings_discard_verified_tokens(door: Door) -> None:
    await door.admit(token())
    auth = by_token(endpoint=JWKS, audiences=("other",))
    door.current.swap(table(tool("search"), auth=auth))

    assert await door.refusal(token()) == "invalid"


async def test_equal_auth_settings_in_a_new_catalog_keep_the_fetched_keys(door: Door) -> None:
    await door.admit(token())
    door.current.swap(table(tool("search"), tool("other"), auth=by_token(endpoint=JWKS)))
    await door.admit(token())

    assert door.provider.fetched == 1


async def test_a_catalog_without_keys_refuses_all_tokens() -> None:
    current = Current()
    current.swap(table(tool("search"), auth=by_token(keys=None)))

    with pytest.raises(Refusal, match="this server has no keys"):
        await Guard(current).admit({"authorization": f"Bearer {token()}"}, frozenset())


async def test_a_client_that_waits_for_keys_is_refused_when_the_fetch_is_cancelled() -> None:
    keys = RemoteKeys(lambda: Provider([OLD])(JWKS))
    waiting = asyncio.ensure_future(keys.find(Header("RS256", "rsa")))
    closing = asyncio.ensure_future(keys.close())  # it runs before the fetch

    async with asyncio.timeout(HOUR):
        with pytest.raises(Refusal, match="cannot be verified now"):
            await waiting
    await closing
