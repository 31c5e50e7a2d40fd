"""The link to Redis, with a real Redis that fails in every way."""

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


async def test_concurrent_callers_get_their_own_replies(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port)
    found = await asyncio.gather(*(link.call("ECHO", str(number)) for number in range(500)))
    assert found == [str(number).encode() for number in range(500)]


async def test_a_cancelled_caller_does_not_affect_the_others(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    await link.call("PING")
    callers = [asyncio.create_task(link.call("ECHO", str(number))) for number in range(100)]
    await asyncio.sleep(0)
    for caller in callers[::2]:
        caller.cancel()
    found = await asyncio.gather(*callers, return_exceptions=True)
    assert found[1::2] == [str(number).encode() for number in range(1, 100, 2)]
    assert link.is_up


async def test_an_unknown_script_does_not_close_the_connection(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port)
    with pytest.raises(UnknownScriptError):
        await link.call("EVALSHA", "0" * 40, 0)
    assert await link.call("PING") == b"PONG"


async def test_a_database_and_an_acl_user_are_used(redis: RedisServer, links: Links) -> None:
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


async def test_a_wrong_password_is_reported_without_its_value_and_a_new_one_is_used(
    redis: RedisServer, links: Links, caplog: pytest.LogCaptureFixture
) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", "right-password")
    values = Values(word="wrong-password")
    with caplog.at_level(logging.DEBUG):
        link = links.start(redis.port, values, password=secret("word"))
        await until_away(link, "does not accept the user or the password")
    assert values.distrusted[0] == "word"
    lines = [vars(each) for each in caplog.records if each.message == "Redis is unavailable"]
    assert {line["address"] for line in lines} == {f"127.0.0.1:{redis.port}"}
    assert "-password" not in str([vars(record) for record in caplog.records])

    values.values["word"] = "right-password"
    await until_up(link)


async def test_a_password_that_changes_in_redis_is_read_again_from_the_secret(
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


async def test_a_password_can_be_any_bytes(redis: RedisServer, links: Links) -> None:
    await redis.ask("CONFIG", "SET", "requirepass", b"\xff\xfe")
    link = links.start(redis.port, Values(word="\udcff\udcfe"), password=secret("word"))
    await until_up(link)


@pytest.mark.parametrize("answer", [b":one\r\n", b"+" + b"o" * 200_000])
async def test_a_server_that_is_not_redis_is_retried(links: Links, answer: bytes) -> None:
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


async def test_a_missing_key_of_a_secret_is_reported(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port, password=secret("word"))
    await until_away(link, "Secret demo/redis has no key 'word'")


async def test_a_killed_redis_is_noticed_at_once_and_reconnected_after_its_restart(
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


async def test_when_redis_stops_responding_all_calls_fail_and_no_more_are_sent(
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


async def test_that_redis_stopped_responding_is_noticed_without_calls(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port, patient=False)
    await until_up(link)
    with redis.stopped():
        await until_away(link, "did not answer in time", "connection in time")


async def test_a_redis_that_responds_too_slowly_is_unavailable(
    redis: RedisServer, links: Links
) -> None:
    async with tcp_proxy(redis.port, delay=0.5) as port:
        link = links.start(port, patient=False)
        with pytest.raises(RedisAwayError):
            await link.call("PING")
        await until_away(link, "did not answer in time")


async def test_a_redis_that_becomes_a_read_only_replica_is_unavailable(
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


async def test_a_redis_without_free_memory_is_unavailable(redis: RedisServer, links: Links) -> None:
    link = links.start(redis.port)
    await until_up(link)
    await redis.ask("CONFIG", "SET", "maxmemory", "1")
    await until_away(link, "OOM")
    await redis.ask("CONFIG", "SET", "maxmemory", "0")
    await until_up(link)


async def test_gateways_of_one_server_count_each_other(redis: RedisServer, links: Links) -> None:
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


async def test_tls_verifies_the_server_name_and_the_certificate_authority(
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


async def test_a_redis_without_tls_is_unavailable_to_a_link_with_tls(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port, tls=True)
    await until_away(link, "connection in time", "TLS handshake failed")


async def test_the_link_follows_a_failover_of_the_sentinels(
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


async def test_a_primary_that_no_sentinel_knows_is_reported(
    links: Links, redis: RedisServer, servers: ProcessGroup
) -> None:
    sentinel = RedisServer(servers, "sentinel")
    await sentinel.start(config=f"sentinel monitor shop 127.0.0.1 {redis.port} 1\n")
    await until_away(links.start(sentinel.port, master_name="other"), "do not know the primary")


async def test_loopback_and_link_local_addresses_are_refused(
    redis: RedisServer, links: Links
) -> None:
    for host in ("127.0.0.1", "169.254.169.254", "0.0.0.0"):  # noqa: S104 - to be refused
        link = links.start(redis.port, host=host, loopback=False)
        await until_away(link, "connections to its address are not allowed")


async def test_unknown_settings_of_a_later_release_make_redis_unavailable(
    redis: RedisServer, links: Links
) -> None:
    link = links.start(redis.port, clientCertificate={"name": "a"})
    await until_away(link, "clientCertificate")
    assert Redis(host="a", port=1, keys="").unknown == []
