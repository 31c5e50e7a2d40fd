"""The operator reads referenced objects rarely, and only the keys of Secrets."""

from __future__ import annotations

import asyncio
import base64

import pytest

from mcp_operator.builders.references import References
from mcp_operator.builders.resources import CONFIGMAPS
from mcp_operator.controllers import reference_reader
from mcp_operator.controllers.reference_reader import (
    ABSENT_FRESH_SECONDS,
    CACHED_CONFIG_MAPS,
    SECRET_FRESH_SECONDS,
    ReferenceReader,
)
from mcp_operator.core.meta import Key
from mcp_operator.runtime.errors import ApiError
from support.cached_cluster import CachedCluster
from support.channels import sent

ORDERS, FILES, LOGIN = (Key("demo", name) for name in ("orders", "files", "login"))
TO_SERVICE = References(services=frozenset({ORDERS}))
TO_CONFIG_MAP = References(config_maps=frozenset({FILES}))
TO_SECRET = References(secrets=frozenset({LOGIN}))


@pytest.fixture
def cluster() -> CachedCluster:
    return CachedCluster()


@pytest.fixture
def reader(cluster: CachedCluster) -> ReferenceReader:
    return ReferenceReader(cluster, cluster.cache)


async def keys(reader: ReferenceReader) -> frozenset[str] | None:
    return (await reader.facts(TO_SECRET)).secrets[LOGIN]


def reads(cluster: CachedCluster) -> int:
    count = len(cluster.reads)
    cluster.reads.clear()
    return count


async def test_services_and_grants_come_from_the_caches(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    assert (await reader.facts(TO_SERVICE)).services == {ORDERS: None}
    service = cluster.service()
    grant = cluster.put("ReferenceGrant", "allow")
    elsewhere = cluster.put("ReferenceGrant", "other", metadata={"namespace": "other"})
    facts = await reader.facts(TO_SERVICE)
    assert facts.services == {ORDERS: service}
    assert facts.grants == (grant,)
    assert elsewhere not in facts.grants
    assert reads(cluster) == 0


async def test_a_config_map_is_read_once_for_each_of_its_versions(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    assert (await reader.facts(TO_CONFIG_MAP)).config_maps == {FILES: None}
    assert reads(cluster) == 0
    logo = base64.b64encode(b"\x00").decode()
    cluster.put("ConfigMap", "files", data={"a": "1"}, binaryData={"logo": logo})
    for _ in range(3):
        content = (await reader.facts(TO_CONFIG_MAP)).config_maps[FILES]
        assert content == {"a": "1", "logo": b"\x00"}
    assert reads(cluster) == 1
    cluster.put("ConfigMap", "files", data={"a": "2"}, binaryData={})
    assert (await reader.facts(TO_CONFIG_MAP)).config_maps[FILES] == {"a": "2"}
    cluster.remove("ConfigMap", "files")
    assert (await reader.facts(TO_CONFIG_MAP)).config_maps[FILES] is None


async def test_a_config_map_is_read_again_when_a_rollback_reuses_its_version(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    before = cluster.put("ConfigMap", "files", data={"a": "1"})
    assert (await reader.facts(TO_CONFIG_MAP)).config_maps[FILES] == {"a": "1"}
    metadata = {**before["metadata"], "annotations": {"restored": "yes"}}
    cluster.objects[CONFIGMAPS, FILES] = {**before, "metadata": metadata, "data": {"a": "2"}}
    cluster.cache.config_maps.processor.distrust()
    cluster.cache.config_maps.processor.upsert({"kind": "ConfigMap", "metadata": metadata})
    assert (await reader.facts(TO_CONFIG_MAP)).config_maps[FILES] == {"a": "2"}


async def test_the_caches_do_not_contain_the_data_of_config_maps(cluster: CachedCluster) -> None:
    cluster.put("ConfigMap", "files", data={"a": "1"})
    cached = cluster.cache.config_maps.store.get(FILES)
    assert cached is not None
    assert "data" not in cached


async def test_a_config_map_deleted_before_it_is_read_is_missing(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    cluster.put("ConfigMap", "files", data={"a": "1"})
    cluster.objects.clear()
    assert (await reader.facts(TO_CONFIG_MAP)).config_maps == {FILES: None}


async def test_only_the_most_recently_used_config_maps_are_kept(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    names = [f"files-{number}" for number in range(CACHED_CONFIG_MAPS + 5)]
    for name in names:
        cluster.put("ConfigMap", name, data={"a": name})
        await reader.facts(References(config_maps=frozenset({Key("demo", name)})))
    assert len(reader._config_maps) == CACHED_CONFIG_MAPS
    assert Key("demo", names[-1]) in reader._config_maps
    assert Key("demo", names[0]) not in reader._config_maps


@pytest.mark.looptime
async def test_the_keys_of_a_secret_are_cached_for_a_while(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    cluster.put("Secret", "login", data={"token": "aHVzaA=="})
    assert await keys(reader) == frozenset({"token"})
    assert await keys(reader) == frozenset({"token"})
    assert reads(cluster) == 1
    cluster.put("Secret", "login", data={"token": "", "more": ""})
    await asyncio.sleep(SECRET_FRESH_SECONDS + 1)
    assert await keys(reader) == frozenset({"token", "more"})


@pytest.mark.looptime
async def test_a_missing_secret_is_cached_for_a_shorter_time(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    assert await keys(reader) is None
    assert await keys(reader) is None
    assert reads(cluster) == 1
    await asyncio.sleep(ABSENT_FRESH_SECONDS + 0.1)
    assert await keys(reader) is None
    assert reads(cluster) == 1


@pytest.mark.looptime
async def test_a_secret_is_notified_when_its_keys_have_changed(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    told = sent(reader.changed_secrets)
    await keys(reader)
    await asyncio.sleep(60)
    await keys(reader)
    assert told == []
    cluster.put("Secret", "login", data={"token": ""})
    await asyncio.sleep(60)
    await keys(reader)
    assert told == [LOGIN]
    cluster.put("Secret", "login", data={"token": "another value"})
    await asyncio.sleep(60)
    await keys(reader)
    assert told == [LOGIN]
    cluster.remove("Secret", "login")
    await asyncio.sleep(60)
    await keys(reader)
    assert told == [LOGIN, LOGIN]


async def test_the_values_of_a_secret_are_not_kept(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    cluster.put("Secret", "login", data={"token": "aHVzaA=="})
    await keys(reader)
    assert "aHVzaA==" not in repr(vars(reader)["_secrets"])


async def test_a_secret_without_data_has_no_keys(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    cluster.put("Secret", "login")
    assert await keys(reader) == frozenset()


async def test_a_secret_without_read_permission_is_distinguished_from_a_missing_one(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    def forbid(_: Key) -> None:
        raise ApiError(403, "Forbidden", "no")

    cluster.on_read = forbid
    facts = await reader.facts(TO_SECRET)
    assert facts.denied == {Key("demo", "login")}
    assert facts.secrets == {Key("demo", "login"): None}


@pytest.mark.parametrize("references", [TO_SECRET, TO_CONFIG_MAP])
async def test_an_api_error_is_raised_and_not_cached(
    cluster: CachedCluster, reader: ReferenceReader, references: References
) -> None:
    def fail(_: Key) -> None:
        raise ApiError(500, "InternalError", "etcd is unavailable")

    cluster.put("ConfigMap", "files")
    cluster.on_read = fail
    with pytest.raises(ApiError, match="etcd is unavailable"):
        await reader.facts(references)
    assert not reader._secrets
    assert not reader._config_maps


async def test_only_the_most_recently_read_secrets_are_kept(
    cluster: CachedCluster, reader: ReferenceReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reference_reader, "CACHED_SECRETS", 3)
    for number in range(9):
        await reader.facts(References(secrets=frozenset({Key("demo", f"s-{number}")})))
    assert [key.name for key in reader._secrets] == ["s-6", "s-7", "s-8"]


async def test_a_spec_cannot_refer_to_the_secret_with_the_key_of_a_gateway(
    cluster: CachedCluster, reader: ReferenceReader
) -> None:
    cluster.put("Secret", "login", type="mcp-operator.dev/keys", data={"root": "eA=="})
    assert await keys(reader) == frozenset()
