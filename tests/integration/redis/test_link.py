"""The link to Redis, against a real one that fails in every way."""

from __future__ import annotations

import asyncio
import logging
import ssl
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from mcp_operator.api.catalog import Redis
from mcp_operator.gateway.redis.errors import RedisAwayError, UnknownScriptError
from support.certificates import Authority
from support.processes import ProcessGroup
from support.redis_links import Links, Values, secret, until_away, until_up
from support.redis_server import RedisServer, sentinel_of
from support.tcp_proxy import tcp_proxy
from support.waiting import eventually


async def test_any_number_of_callers_get_their_own_replies(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    found = await asyncio.gather(*(link.call("ECHO", str(number)) for number in range(500)))
    assert found == [str(number).encode() for number in range(500)]


async def test_a_caller_that_goes_away_disturbs_no_other(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port)
    await link.call("PING")
    callers = [asyncio.create_task(link.call("ECHO", str(number))) for number in range(100)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert found[1::2] == [str(number).encode() for number in range(1, 100, 2)]
    assert link.is_up


async def test_a_script_that_redis_does_not_have_is_no_reason_to_leave_it(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    with pytest.raises(UnknownScriptError):
        await link.call("EVALSHA", "0" * 40, 0)
    assert await link.call("PING") == b"PONG"


async def test_a_database_and_a_user_of_the_access_control_lists(
    redis: RedisServer, links: Links
) -> None:
    allowed = ("~test:*", "+eval", "+select", "+set", "+time", "+zadd", "+zcard")
    more = ("+zremrangebyscore", "+pexpire")
    await redis.ask("ACL", "SETUSER", "shop", "on", ">right", *allowed, *more)
    values = Values(user="shop", word="right")
    user, word = secret("user"), secret("word")
    link = links.start(redis.port, values, db=3, username=user, password=word)
    assert await link.call("SET", link.key("a"), "1") == b"OK"
    assert await redis.ask("GET", "test:{mcp:demo/shop}:a", db=3) == b"1"
    with pytest.raises(RedisAwayError, match="NOPERM"):
        await link.call("SET", "other", "1")


async def test_a_wrong_password_is_told_without_it_and_a_new_one_is_used_without_a_restart(
    redis: RedisServer, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "right-password")
    values = Values(word="wrong-password")
    with caplog.at_level(logging.DEBUG):
        link = links.start(redis.port, values, password=secret("word"))
        await until_away(link, "does not accept the user or the password")
    assert values.distrusted[0] == "word"
    assert "Redis is unavailable" in caplog.messages
    assert "-password" not in str([vars(record) for record in caplog.records])

    values.values["word"] = "right-password"
    await until_up(link)


async def test_a_password_that_changes_in_redis_is_read_again(
    redis: RedisServer, links: Links
) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "old")
    values = Values(word="old")
    link = links.start(redis.port, values, password=secret("word"))
    await until_up(link)
    await redis.ask("CONFIG", "SET", "requirepass", "new", password="old")  # noqa: S106
    await redis.ask("CLIENT", "KILL", "TYPE", "normal", password="new")  # noqa: S106
    await until_away(link, "does not accept the user or the password")
    values.values["word"] = "new"
    await until_up(link)


async def test_a_password_may_be_any_bytes(redis: RedisServer, links: Links) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", b"\xff\xfe")
    link = links.start(redis.port, Values(word="\udcff\udcfe"), password=secret("word"))
    await until_up(link)


@pytest.mark.parametrize("answer", [b":one\r\n", b"+" + b"o" * 200_000])
async def test_what_is_no_redis_is_asked_again_and_again(links: Links, answer: bytes) -> None:
    asked = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal asked
        await reader.readline()
        asked += 1
        writer.write(answer)
        with suppress(ConnectionError):
            await reader.read()
        writer.close()

    async def asked_twice() -> bool:
        return asked > 1

    async with await asyncio.start_server(serve, "127.0.0.1") as server:
        link = links.start(server.sockets[0].getsockname()[1])
        await eventually(asked_twice, expected=True)
        await until_away(link, "does not answer like Redis")


async def test_a_missing_secret_is_named(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port, password=secret("word"))
    await until_away(link, "Secret demo/redis has no key 'word'")


async def test_a_redis_that_is_killed_is_left_at_once_and_found_again(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    await until_up(link)
    redis.kill()
    await until_away(link, "Connection refused")
    with pytest.raises(RedisAwayError, match="Connection refused"):
        await link.call("PING")
    await redis.start()
    await until_up(link)


async def test_a_redis_that_hangs_is_left_by_all_callers_and_is_asked_no_more(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port, patient=False)
    await until_up(link)
    with redis.stopped():
        calls = (link.call("PING") for _ in range(50))
        found = await asyncio.gather(*calls, return_exceptions=True)
        assert {type(each) for each in found} == {RedisAwayError}
        await until_away(link, "did not answer in time", "connection in time")
        with pytest.raises(RedisAwayError):
            await link.call("PING")
    await until_up(link)


async def test_a_hang_is_noticed_also_while_nobody_calls(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port, patient=False)
    await until_up(link)
    with redis.stopped():
        await until_away(link, "did not answer in time", "connection in time")


async def test_a_slow_redis_is_none(redis: RedisServer, links: Links) -> None:
    async with tcp_proxy(redis.port, delay=0.5) as port:
        link = links.start(port, patient=False)
        with pytest.raises(RedisAwayError):
            await link.call("PING")
        await until_away(link, "did not answer in time")


async def test_a_replica_is_no_redis_to_write_to(
    redis: RedisServer, links: Links, servers: ProcessGroup
) -> None:
    primary = RedisServer(servers, "primary")
    await primary.start()
    link = links.start(redis.port)
    await until_up(link)
    await redis.ask("REPLICAOF", "127.0.0.1", primary.port)
    await until_away(link, "READONLY")
    await redis.ask("REPLICAOF", "NO", "ONE")
    await until_up(link)


async def test_a_full_redis_is_away(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port)
    await until_up(link)
    await redis.ask("CONFIG", "SET", "maxmemory", "1")
    await until_away(link, "OOM")
    await redis.ask("CONFIG", "SET", "maxmemory", "0")
    await until_up(link)


async def test_gateways_know_how_many_they_are(redis: RedisServer, links: Links) -> None:
    first, second = links.start(redis.port), links.start(redis.port)
    other = links.start(redis.port, keys="test:{mcp:demo/other}:")

    async def peers() -> tuple[int, ...]:
        return first.peers, second.peers, other.peers

    await eventually(peers, (2, 2, 1))


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "ca")


@pytest.fixture
def tls(authority: Authority) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*authority.issue("redis", hosts=("redis.example.com",)))
    return context


async def test_tls_verifies_the_name_and_the_authority(
    redis: RedisServer, links: Links, authority: Authority, tls: ssl.SSLContext, tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "ca")
    right = Values(ca=authority.certificate.read_text())
    async with tcp_proxy(redis.port, tls=tls) as port:
        given: dict[str, Any] = {"tls": True, "ca": secret("ca")}
        name: dict[str, Any] = {"server_name": "redis.example.com"}
        await until_up(links.start(port, right, **given, **name))
        await until_up(links.start(port, right, **given, insecure_skip_verify=True))
        untrusted = Values(ca=other.certificate.read_text())
        for link in (
            links.start(port, right, **given),
            links.start(port, untrusted, **given, **name),
            links.start(port, right, tls=True, **name),
        ):
            await until_away(link, "certificate")
        await until_away(links.start(port, Values(ca="none"), **given), "not a PEM certificate")


async def test_plain_text_is_no_tls(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port, tls=True)
    await until_away(link, "connection in time", "TLS handshake failed")


async def test_sentinels_lead_to_the_new_primary(
    redis: RedisServer, links: Links, servers: ProcessGroup
) -> None:
    replica, sentinel = RedisServer(servers, "replica"), RedisServer(servers, "sentinel")
    await replica.start("--replicaof", f"127.0.0.1 {redis.port}")
    await sentinel.start(config=sentinel_of(redis.port))
    link = links.start(sentinel.port, master_name="shop")
    await until_up(link)
    await link.call("SET", link.key("a"), "1")

    async def copied() -> object:
        return await replica.ask("GET", link.key("a"))

    async def known() -> object:
        return len(await sentinel.ask("SENTINEL", "REPLICAS", "shop"))

    await eventually(copied, b"1")
    await eventually(known, 1)
    redis.kill()
    await until_away(link, "")
    await until_up(link)
    assert await link.call("GET", link.key("a")) == b"1"
    assert int((await replica.ask("CONFIG", "GET", "port"))[1]) == replica.port


async def test_a_primary_that_no_sentinel_knows_is_told(
    links: Links, redis: RedisServer, servers: ProcessGroup
) -> None:
    sentinel = RedisServer(servers, "sentinel")
    await sentinel.start(config=f"sentinel monitor shop 127.0.0.1 {redis.port} 1\n")
    await until_away(links.start(sentinel.port, master_name="other"), "do not know the primary")


async def test_no_connection_is_made_to_what_no_redis_can_be(
    redis: RedisServer, links: Links
) -> None:
    for host in ("127.0.0.1", "169.254.169.254", "0.0.0.0"):  # noqa: S104 - to be refused
        link = links.start(redis.port, host=host, loopback=False)
        await until_away(link, "connections to its address are not allowed")


async def test_settings_of_a_later_release_are_not_obeyed_by_halves(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port, clientCertificate={"name": "a"})
    await until_away(link, "clientCertificate")
    assert Redis(host="a", port=1, keys="").unknown == []
