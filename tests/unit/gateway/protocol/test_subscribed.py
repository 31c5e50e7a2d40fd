"""The memory for subscriptions of sessions is bounded, in total and for each client."""

from __future__ import annotations

import pytest

from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.subscribed import ENTRY_BYTES, Subscribed

ONE = ENTRY_BYTES + 4 * len("u:1")
SESSION = ENTRY_BYTES + ONE
"""The bytes that a session with one subscription takes."""


def filled(subscribed: Subscribed, client: str, *sessions: str) -> list[set[str]]:
    for session in sessions:
        subscribed.add(session, client, "u:1")
    return [subscribed.open(session, client) for session in sessions]


def test_a_client_over_its_share_loses_the_subscriptions_of_its_oldest_session() -> None:
    subscribed = Subscribed(8 * SESSION)
    (others,) = filled(subscribed, "other", "o")

    first, *_, fourth = filled(subscribed, "a", "1", "2", "3", "4")
    (fifth,) = filled(subscribed, "a", "5")

    assert first == set()
    assert fourth == fifth == others == {"u:1"}


def test_over_the_limit_the_client_that_uses_the_most_loses_a_session() -> None:
    subscribed = Subscribed(4 * SESSION)
    heavy = filled(subscribed, "heavy", "1", "2")
    (light,) = filled(subscribed, "light", "3")
    (newest,) = filled(subscribed, "a", "4")
    filled(subscribed, "b", "5")

    assert heavy[0] == set()
    assert heavy[1] == light == newest == {"u:1"}


def test_released_memory_can_be_used_again() -> None:
    subscribed = Subscribed(2 * SESSION)
    for _ in range(10):
        (uris,) = filled(subscribed, "a", "1")
        subscribed.add("1", "a", "u:1")
        subscribed.discard("1", "u:1")
        subscribed.discard("1", "u:1")
        assert uris == set()
        filled(subscribed, "a", "1")
        subscribed.forget("1")
        subscribed.forget("1")
        assert uris == set()


def test_a_subscription_that_does_not_fit_gets_503_and_is_not_stored() -> None:
    subscribed = Subscribed(4 * ENTRY_BYTES)

    with pytest.raises(RpcError, match="too many subscriptions") as caught:
        subscribed.add("1", "a", "u:1")

    assert (caught.value.status, caught.value.retry_after) == (503, 5)
    assert subscribed.open("1", "a") == set()
