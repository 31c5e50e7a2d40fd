"""The component `redis-ha`: real Redis servers and Sentinels start with what its script writes.

The Redis of the test dependencies has no TLS, so the TLS lines are left out here.
"""

from __future__ import annotations

import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from redis.asyncio import Redis
from redis.exceptions import ConnectionError as AwayError
from redis.exceptions import RedisError

from support.kustomize import MANIFESTS
from support.network import free_port
from support.processes import Child, ProcessGroup
from support.redis_links import Links, Values, secret, until_away, until_up
from support.redis_server import redis_binary
from support.waiting import eventually

SCRIPT = MANIFESTS / "components" / "redis-ha" / "configure.sh"
PASSWORDS = {
    "GATEWAY_PASSWORD": "gateway-new",
    "GATEWAY_PASSWORD_OLD": "gateway-old",
    "REPLICA_PASSWORD": "replica-word",
    "SENTINEL_PASSWORD": "sentinel-word",
}


def plain(text: str) -> str:
    """Return a configuration without TLS."""
    text = re.sub(r"^port 0\ntls-port ", "port ", text, flags=re.MULTILINE)
    return re.sub(r"^tls-.*\n", "", text, flags=re.MULTILINE)


@dataclass
class Node:
    """One pod: a Redis, and a Sentinel beside it."""

    folder: Path
    port: int
    sentinel_port: int
    redis: Child | None = None

    def configure(self, first_port: int) -> None:
        """Run the script as the init container does, without a Sentinel that responds."""
        self.folder.mkdir()
        variables = PASSWORDS | {
            "PATH": "/usr/bin:/bin",
            "POD_NAME": self.folder.name,
            "HOST": "127.0.0.1",
            "FIRST": "127.0.0.1",
            "FIRST_PORT": str(first_port),
            "PORT": str(self.port),
            "SENTINEL_PORT": str(self.sentinel_port),
            "DATA": str(self.folder),
            "TLS": "/tls",
        }
        subprocess.run(["/bin/sh", SCRIPT], env=variables, check=True)  # noqa: S603 - our own

    def start(self, group: ProcessGroup) -> None:
        name = self.folder.name
        for file in ("redis.conf", "sentinel.conf"):
            path = self.folder / file
            path.write_text(plain(path.read_text()))
        self.redis = group.start(name, [redis_binary(), self.folder / "redis.conf"])
        sentinel: list[str | Path] = [redis_binary(), self.folder / "sentinel.conf", "--sentinel"]
        group.start(f"{name}-sentinel", sentinel)

    async def ask(self, *command: Any, port: int = 0, user: str = "gateway") -> Any:
        word = {"gateway": "gateway-new", "sentinel": "sentinel-word"}[user]
        client = Redis(
            host="127.0.0.1", port=port or self.port, username=user, password=word, protocol=2
        )
        try:
            return await client.execute_command(*command)  # type: ignore[no-untyped-call]
        finally:
            await client.aclose()


@pytest.fixture
def nodes(servers: ProcessGroup) -> list[Node]:
    found = [
        Node(servers.directory / f"mcp-redis-ha-{n}", free_port(), free_port()) for n in range(3)
    ]
    for node in found:
        node.configure(found[0].port)
        node.start(servers)
    return found


async def test_the_first_pod_is_the_primary_and_a_replica_takes_over_when_it_is_killed(
    nodes: list[Node], links: Links
) -> None:
    async def watched() -> tuple[int, int]:
        try:
            told = [
                await nodes[0].ask(
                    "SENTINEL", what, "mcp", port=nodes[0].sentinel_port, user="sentinel"
                )
                for what in ("REPLICAS", "SENTINELS")
            ]
        except (AwayError, RedisError):
            return 0, 0
        return len(told[0]), len(told[1])

    await eventually(watched, (2, 2))
    words = Values(new="gateway-new", old="gateway-old", user="gateway")
    settings: dict[str, Any] = {
        "username": secret("user"),
        "master_name": "mcp",
        "sentinel_username": secret("user"),
    }
    link = links.start(
        nodes[1].sentinel_port,
        words,
        password=secret("new"),
        sentinel_password=secret("new"),
        **settings,
    )
    old = links.start(
        nodes[2].sentinel_port,
        words,
        password=secret("old"),
        sentinel_password=secret("old"),
        **settings,
    )
    await until_up(link)
    await until_up(old)
    await link.call("SET", link.key("a"), "1")
    assert await nodes[0].ask("GET", link.key("a")) == b"1"

    async def copied() -> list[object]:
        return [await node.ask("GET", link.key("a")) for node in nodes[1:]]

    await eventually(copied, [b"1", b"1"])
    assert nodes[0].redis is not None
    nodes[0].redis.process.kill()
    await until_away(link, "")
    await until_up(link)
    assert await link.call("GET", link.key("a")) == b"1"


async def test_the_user_of_the_gateways_has_no_administrative_permissions(
    nodes: list[Node],
) -> None:
    async def denied(*command: str, port: int = 0) -> str:
        try:
            await nodes[0].ask(*command, port=port)
        except AwayError:
            return "away"
        except RedisError as error:
            return str(error)
        return "allowed"

    async def is_up() -> str:
        return await denied("PING")

    await eventually(is_up, "allowed")
    for command in (("CONFIG", "GET", "*"), ("KEYS", "*"), ("FLUSHALL",), ("ACL", "LIST")):
        assert "no permissions" in await denied(*command)
    for command in (("SENTINEL", "REMOVE", "mcp"), ("SENTINEL", "FAILOVER", "mcp")):
        assert "no permissions" in await denied(*command, port=nodes[0].sentinel_port)


def test_only_their_owner_can_read_files_with_passwords(servers: ProcessGroup) -> None:
    node = Node(servers.directory / "mcp-redis-ha-0", 6379, 26379)
    node.configure(6379)
    for file in ("users.acl", "sentinel-users.acl", "redis.conf", "sentinel.conf"):
        assert (node.folder / file).stat().st_mode & 0o077 == 0


def test_redis_and_sentinel_listen_with_tls_only(servers: ProcessGroup) -> None:
    node = Node(servers.directory / "mcp-redis-ha-1", 6379, 26379)
    node.configure(6380)
    for file, port in (("redis.conf", 6379), ("sentinel.conf", 26379)):
        text = (node.folder / file).read_text()
        assert text.startswith(f"port 0\ntls-port {port}\n")
        assert "tls-replication yes" in text
    assert "replicaof 127.0.0.1 6380" in (node.folder / "redis.conf").read_text()
