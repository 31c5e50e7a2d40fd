"""Session ids of the revisions before 2026-07-28, and the key that signs them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from mcp_operator.gateway.protocol.sessions import Session, Sessions
from mcp_operator.gateway.root_key import RootKey
from support.clocks import SettableClock
from support.entries import tool
from support.mcp_http import Server, legacy, modern

KEY = RootKey(b"k" * 32)
TTL = 24 * 3600.0


@pytest.mark.parametrize("version", ["2025-11-25", "2025-06-18", "2025-03-26"])
def test_a_session_id_contains_its_version(version: str) -> None:
    session = Sessions(SettableClock(), KEY).create(version)

    assert Sessions(SettableClock(), KEY).find(session.id, TTL) == Session(session.id, version)
    assert session.id.isascii()
    assert session.id.isprintable()


def test_two_sessions_have_different_ids() -> None:
    sessions = Sessions(SettableClock(), KEY)

    assert sessions.create("2025-11-25").id != sessions.create("2025-11-25").id


def test_a_session_expires() -> None:
    clock = SettableClock()
    sessions = Sessions(clock, KEY)
    session = sessions.create("2025-11-25")

    clock.time += timedelta(seconds=TTL - 1)
    assert sessions.find(session.id, TTL) == session
    clock.time += timedelta(seconds=1)
    assert sessions.find(session.id, TTL) is None
    assert sessions.find(session.id, 2 * TTL) == session


def test_a_modified_session_id_is_refused() -> None:
    sessions = Sessions(SettableClock(), KEY)
    session = sessions.create("2025-11-25")

    for at, character in enumerate(session.id):
        forged = session.id[:at] + ("A" if character != "A" else "B") + session.id[at + 1 :]
        assert sessions.find(forged, TTL) is None
    for other in (
        "",
        "x",
        "é" * 56,
        "!" * 56,
        session.id + "AAAA",
        session.id[:-4],
        session.id + "=",
    ):
        assert sessions.find(other, TTL) is None


def test_sessions_become_invalid_when_the_key_changes() -> None:
    root = RootKey(b"k" * 32)
    sessions = Sessions(SettableClock(), root)
    session = sessions.create("2025-11-25")

    root.replace(b"k" * 32)
    assert sessions.find(session.id, TTL) == session
    assert not root.suspected.is_set()
    root.replace(b"l" * 32)
    assert sessions.find(session.id, TTL) is None
    assert root.suspected.is_set()  # another replica may have a newer key


def test_derived_keys_differ_by_purpose_and_by_root_key() -> None:
    purposes = (b"one", b"two")
    first, second = (KEY.derive(purpose) for purpose in purposes)

    assert first is not None
    assert first != second
    assert first != RootKey(b"l" * 32).derive(b"one")
    assert RootKey().derive(b"one") is None


def test_keys_are_derived_with_hkdf() -> None:
    hkdf = HKDF(SHA256(), length=32, salt=None, info=b"purpose")
    assert KEY.derive(b"purpose") == hkdf.derive(b"k" * 32)


def test_a_deleted_session_is_also_refused_in_another_encoding(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("secrets.token_bytes", lambda _: b"\0" + b"\xfb\xff\xbf" * 5)
    sessions = Sessions(SettableClock(), KEY)
    session = sessions.create("2025-11-25")
    assert {"-", "_"} < set(session.id)

    sessions.end(session)

    for other in (session.id.replace("-", "+"), session.id.replace("_", "/")):
        assert sessions.find(other, TTL) is None


def test_the_number_of_remembered_deleted_sessions_is_bounded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("mcp_operator.gateway.protocol.sessions.MAX_ENDED", 1)
    sessions = Sessions(SettableClock(), KEY)
    first, second = (sessions.create("2025-11-25") for _ in range(2))

    sessions.end(first)
    sessions.end(second)

    assert sessions.find(first.id, TTL) == first
    assert sessions.find(second.id, TTL) is None


async def test_without_a_key_only_requests_with_sessions_get_503() -> None:
    root = RootKey()
    server = Server(tool("search"), root=root)
    other = await Server(tool("search")).initialize()

    for request in (
        legacy("initialize", {"protocolVersion": "2025-11-25"}),
        legacy("tools/list", mcp_session_id=other),
    ):
        answer = await server.respond(request)
        assert answer.status == 503
        assert b"no key for sessions" in answer.body
    assert await server.result(modern("tools/list"))
    root.replace(b"k" * 32)
    assert await server.initialize()


async def test_replicas_with_the_same_key_accept_the_sessions_of_each_other() -> None:
    one, two, other = (Server(tool("search"), root=RootKey(key * 32)) for key in (b"k", b"k", b"l"))
    session = await one.initialize()

    assert await two.result(legacy("tools/list", mcp_session_id=session))
    answer = await other.respond(legacy("tools/list", mcp_session_id=session))
    assert answer.status == 404


async def test_sessions_expire_after_the_ttl_of_the_server() -> None:
    clock = SettableClock()
    server = Server(tool("search"), clock=clock, session_ttl_seconds=1800.0)
    session = await server.initialize()

    clock.time += timedelta(seconds=1799)
    assert await server.result(legacy("tools/list", mcp_session_id=session))
    clock.time += timedelta(seconds=1)
    status, _ = await server.error(legacy("tools/list", mcp_session_id=session))
    assert status == 404
