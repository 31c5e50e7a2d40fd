"""Objects are compiled again only when the spec, or a fact that it refers to, has changed."""

from __future__ import annotations

import asyncio

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.catalog import CatalogObject, compile_object
from mcp_operator.builders.compiled import Compiled
from mcp_operator.builders.references import Facts
from mcp_operator.controllers import compiler as compiling
from mcp_operator.controllers.compiler import Compiler
from mcp_operator.controllers.long_work import LARGE_SPEC, LongWork
from mcp_operator.controllers.reference_reader import ReferenceReader
from mcp_operator.core.meta import Key, Object, uid_of
from mcp_operator.runtime.errors import ApiError
from support.cached_cluster import CachedCluster

WITH_SECRET = {"credentials": {"type": "Bearer", "secretRef": {"name": "login"}}}


@pytest.fixture
def cluster() -> CachedCluster:
    cluster = CachedCluster()
    cluster.service()
    return cluster


@pytest.fixture
def compiler(cluster: CachedCluster) -> Compiler:
    reader = ReferenceReader(cluster, cluster.cache)
    return Compiler(cluster.cache.parser, reader, LongWork())


async def test_an_unchanged_object_returns_the_identical_result(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    raw = cluster.tool("search")
    first = await compiler.compile(raw)
    assert len(first.entries) == 1
    assert await compiler.compile(raw) is first
    relabelled = cluster.put("MCPTool", "search", metadata={"labels": {"team": "other"}})
    assert await compiler.compile(relabelled) is first


async def test_a_changed_spec_is_compiled_again(cluster: CachedCluster, compiler: Compiler) -> None:
    first = await compiler.compile(cluster.tool("search"))
    second = await compiler.compile(cluster.tool("search", description="new"))
    assert second != first


async def test_a_changed_fact_is_compiled_again(cluster: CachedCluster, compiler: Compiler) -> None:
    raw = cluster.tool("search")
    assert len((await compiler.compile(raw)).entries) == 1
    cluster.remove("Service", "orders")
    without = await compiler.compile(raw)
    assert [finding.reason for finding in without.findings] == [Reason.SERVICE_NOT_FOUND]


async def test_a_created_or_deleted_grant_is_compiled_again(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    raw = cluster.tool("search", service={"name": "orders", "namespace": "other", "port": 80})
    meta = {"namespace": "other"}
    cluster.put("Service", "orders", metadata=meta, spec={"ports": [{"port": 80}]})
    assert not (await compiler.compile(raw)).entries
    source = {"group": "mcp-operator.dev", "kind": "MCPTool", "namespace": "demo"}
    spec = {"from": [source], "to": [{"group": "", "kind": "Service"}]}
    cluster.put("ReferenceGrant", "tools", metadata=meta, spec=spec)
    allowed = await compiler.compile(raw)
    assert len(allowed.entries) == 1
    assert await compiler.compile(raw) is allowed
    cluster.put("ReferenceGrant", "tools", metadata=meta, spec={**spec, "from": []})
    assert not (await compiler.compile(raw)).entries


async def test_an_object_that_is_recreated_is_compiled_again(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    first = await compiler.compile(cluster.tool("search"))
    cluster.remove("MCPTool", "search")
    second = await compiler.compile(cluster.tool("search", description="new"))
    assert second != first


async def test_an_unchanged_object_that_cannot_be_parsed_returns_the_identical_result(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    raw = cluster.tool("search", method="TRACE")
    broken = await compiler.compile(raw)
    assert [finding.reason for finding in broken.findings] == [Reason.INVALID]
    assert await compiler.compile(raw) is broken


async def test_an_api_error_while_reading_a_reference_is_raised(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    def fail(_: Key) -> None:
        raise ApiError(500, "InternalError", "etcd is unavailable")

    raw = cluster.tool("search", request=WITH_SECRET)
    cluster.on_read = fail
    with pytest.raises(ApiError, match="etcd is unavailable"):
        await compiler.compile(raw)


async def test_the_result_of_a_deleted_object_is_forgotten(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    raw = cluster.tool("search")
    await compiler.compile(raw)
    gone(cluster, compiler, raw)
    assert compiler._results == {}


async def test_no_result_is_kept_for_an_object_deleted_during_compilation(
    cluster: CachedCluster, compiler: Compiler
) -> None:
    cluster.put("Secret", "login", data={"token": ""})
    raw = cluster.tool("search", request=WITH_SECRET)
    cluster.on_read = lambda _: gone(cluster, compiler, raw)
    assert (await compiler.compile(raw)).entries
    assert compiler._results == {}


def gone(cluster: CachedCluster, compiler: Compiler, raw: Object) -> None:
    cluster.cache.parser.forget(uid_of(raw))
    compiler.forget(uid_of(raw))


async def test_an_unexpected_error_in_one_object_does_not_affect_others(
    cluster: CachedCluster, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_all_but_one(obj: CatalogObject, facts: Facts) -> Compiled:
        if obj.name == "odd":
            raise ValueError("a library's")
        return compile_object(obj, facts)

    monkeypatch.setattr(compiling, "compile_object", compile_all_but_one)
    odd = await compiler.compile(cluster.tool("odd"))
    assert [finding.reason for finding in odd.findings] == [Reason.INVALID]
    assert odd.findings[0].message.startswith("this release cannot compile the object (ValueError)")
    assert len((await compiler.compile(cluster.tool("search"))).entries) == 1


async def test_a_large_object_that_is_requested_twice_is_compiled_once(
    cluster: CachedCluster, compiler: Compiler, monkeypatch: pytest.MonkeyPatch
) -> None:
    compiled: list[CatalogObject] = []

    def counted(obj: CatalogObject, facts: Facts) -> Compiled:
        compiled.append(obj)
        return compile_object(obj, facts)

    monkeypatch.setattr(compiling, "compile_object", counted)
    schema = {"type": "object", "description": "x" * LARGE_SPEC}
    raw = cluster.tool("large", inputSchema=schema)
    one, other = await asyncio.gather(compiler.compile(raw), compiler.compile(raw))
    assert one is other
    assert len(compiled) == 1
