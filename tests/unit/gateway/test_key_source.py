"""The key that the replicas of a gateway share, and what happens while it cannot be read."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator

import pytest

from mcp_operator.api.keys import KEYS_TYPE
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.gateway.key_source import FRESH_SECONDS, RETRY_SECONDS, KeySource
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.table import Current
from mcp_operator.runtime.errors import ApiError
from support.mcp_http import table

SECRET = Key("shop", "mcp-server-shop-keys")
NOT_FOUND = ApiError(404, "NotFound", "secrets is not there")
DOWN = ApiError(503, "ServiceUnavailable", "try again")
pytestmark = pytest.mark.looptime


def secret(root: bytes = b"k" * 32, *, owner: str = "uid-1", type_: str = KEYS_TYPE) -> Object:
    reference = {"kind": "MCPServer", "name": "shop", "uid": owner, "controller": True}
    return {
        "metadata": {"name": SECRET.name, "ownerReferences": [reference] if owner else []},
        "type": type_,
        "data": {"root": base64.b64encode(root).decode()},
    }


class Cluster:
    """An API server with one Secret, and the source that reads it."""

    def __init__(self) -> None:
        self.answer: Object | ApiError = secret()
        self.reads = 0
        self.root = RootKey()
        self.current = Current()
        self.source = KeySource(self, self.root, self.current, secret=SECRET)

    async def get(self, resource: Resource, key: Key) -> Object:
        assert (resource.kind, key) == ("Secret", SECRET)
        self.reads += 1
        if isinstance(self.answer, ApiError):
            raise self.answer
        return self.answer

    def load(self) -> None:
        self.current.swap(table())


@pytest.fixture
async def cluster() -> AsyncIterator[Cluster]:
    made = Cluster()
    following = asyncio.create_task(made.source.run())
    yield made
    following.cancel()
    await asyncio.gather(following, return_exceptions=True)


async def test_the_key_is_first_read_when_a_catalog_is_loaded_and_then_refreshed(
    cluster: Cluster,
) -> None:
    await asyncio.sleep(10)
    assert (cluster.reads, cluster.root.settled) == (0, False)
    cluster.load()
    await asyncio.sleep(0.1)
    assert cluster.root.settled
    assert cluster.root.derive(b"p") == RootKey(b"k" * 32).derive(b"p")
    await asyncio.sleep(10 * FRESH_SECONDS)
    assert cluster.reads == 11


async def test_a_key_that_is_created_a_moment_later_is_waited_for(cluster: Cluster) -> None:
    cluster.answer = NOT_FOUND
    cluster.load()
    await asyncio.sleep(1)
    assert not cluster.root.settled
    cluster.answer = secret()
    await asyncio.sleep(2)
    assert (cluster.root.settled, cluster.root.problem) == (True, "")


async def test_a_key_that_was_restored_without_its_owner_is_used(cluster: Cluster) -> None:
    cluster.answer = secret(owner="")
    cluster.load()
    await asyncio.sleep(1)
    assert cluster.root.derive(b"p") == RootKey(b"k" * 32).derive(b"p")


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (NOT_FOUND, "secrets is not there"),
        (secret(owner="uid-2"), "is not owned by this MCPServer"),
        (secret(owner="", type_="Opaque"), "is not owned by this MCPServer"),
        (secret(b"short"), "has no 'root' of 32 bytes"),
    ],
)
async def test_without_a_usable_key_the_gateway_reports_the_problem_and_retries(
    cluster: Cluster, answer: Object | ApiError, said: str
) -> None:
    cluster.answer = answer
    cluster.load()
    await asyncio.sleep(10)
    assert cluster.root.settled
    assert said in cluster.root.problem
    assert cluster.root.derive(b"p") is None
    cluster.answer = secret()
    await asyncio.sleep(RETRY_SECONDS[-1])
    assert (cluster.root.known, cluster.root.problem) == (True, "")


async def test_a_known_key_stays_in_use_while_none_can_be_read(cluster: Cluster) -> None:
    cluster.load()
    await asyncio.sleep(1)
    cluster.answer = DOWN
    await asyncio.sleep(10 * FRESH_SECONDS)
    assert (cluster.root.known, cluster.root.problem) == (True, "")
    cluster.answer = NOT_FOUND
    await asyncio.sleep(FRESH_SECONDS)
    assert cluster.root.known
    assert "is not there" in cluster.root.problem  # reported to the operator


async def test_sessions_of_an_unknown_key_make_the_gateway_read_the_key_once(
    cluster: Cluster,
) -> None:
    cluster.load()
    await asyncio.sleep(RETRY_SECONDS[-1] + 1)
    cluster.answer = secret(b"l" * 32)
    for _ in range(100):
        cluster.root.suspected.set()
        await asyncio.sleep(0.01)
    assert cluster.reads == 2
    assert cluster.root.derive(b"p") == RootKey(b"l" * 32).derive(b"p")
