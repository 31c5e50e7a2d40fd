from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator
from typing import Any

import pytest

from mcp_operator.api.catalog import SecretKey
from mcp_operator.core.meta import Key
from mcp_operator.gateway.source import ClusterSecrets
from mcp_operator.gateway.upstream.secret_values import SecretUnavailable
from mcp_operator.runtime.errors import NO_ANSWER, ApiError
from support.fake_cluster import FakeCluster

KEY = SecretKey(namespace="demo", name="api", key="token")
CANARY = b"canary-8c1f3a-secret"

pytestmark = pytest.mark.looptime


def secret(value: bytes) -> dict[str, Any]:
    return {
        "metadata": {"namespace": "demo", "name": "api"},
        "data": {"token": base64.b64encode(value).decode()},
    }


@pytest.fixture
async def cluster() -> FakeCluster:
    cluster = FakeCluster()
    cluster.objects["api"] = secret(CANARY)
    return cluster


@pytest.fixture
async def secrets(cluster: FakeCluster) -> AsyncIterator[ClusterSecrets]:
    secrets = ClusterSecrets(cluster)
    yield secrets
    await secrets.close()


async def test_a_secret_is_read_at_most_once_a_minute(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    values = await asyncio.gather(*(secrets.value(KEY) for _ in range(10)))
    assert values == [CANARY] * 10
    assert cluster.reads == ["secrets/api"]
    cluster.objects["api"] = secret(b"rotated")
    await asyncio.sleep(59)
    assert await secrets.value(KEY) == CANARY
    await asyncio.sleep(1.1)
    assert await secrets.value(KEY) == b"rotated"
    assert len(cluster.reads) == 2


async def test_a_distrusted_secret_is_read_again_at_a_limited_rate(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    secrets.distrust(KEY)
    await secrets.value(KEY)
    cluster.objects["api"] = secret(b"rotated")
    for _ in range(5):
        secrets.distrust(KEY)
        await secrets.value(KEY)
    assert len(cluster.reads) == 1
    await asyncio.sleep(5)
    assert await secrets.value(KEY) == b"rotated"


@pytest.mark.parametrize(
    "error", [ApiError(NO_ANSWER, "ConnectionRefused", "down"), ApiError(503, "", "busy")]
)
async def test_the_last_value_is_used_while_the_api_server_is_unavailable(
    cluster: FakeCluster, secrets: ClusterSecrets, error: ApiError
) -> None:
    await secrets.value(KEY)
    cluster.error = error
    await asyncio.sleep(61)
    assert await secrets.value(KEY) == CANARY
    assert await secrets.value(KEY) == CANARY
    assert len(cluster.reads) == 2
    cluster.error = None
    cluster.objects["api"] = secret(b"rotated")
    await asyncio.sleep(5)
    assert await secrets.value(KEY) == b"rotated"


async def test_an_api_server_that_does_not_respond_delays_a_call_by_two_seconds(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    await secrets.value(KEY)
    cluster.gate.clear()
    await asyncio.sleep(61)
    loop = asyncio.get_running_loop()
    start = loop.time()
    assert await secrets.value(KEY) == CANARY
    assert loop.time() - start == pytest.approx(2)
    cluster.objects["api"] = secret(b"rotated")
    cluster.gate.set()
    await asyncio.sleep(0.01)
    assert await secrets.value(KEY) == b"rotated"
    assert len(cluster.reads) == 2


async def test_a_cancelled_caller_does_not_cancel_the_read_for_others(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    cluster.gate.clear()
    first, second = (asyncio.create_task(secrets.value(KEY)) for _ in range(2))
    await asyncio.sleep(0.01)
    first.cancel()
    await asyncio.sleep(0.01)
    cluster.gate.set()
    assert await second == CANARY
    assert len(cluster.reads) == 1


@pytest.mark.parametrize("status", [403, 404])
async def test_a_deleted_or_forbidden_secret_is_unavailable(
    cluster: FakeCluster, secrets: ClusterSecrets, status: int
) -> None:
    await secrets.value(KEY)
    cluster.error = ApiError(status, "", "no")
    await asyncio.sleep(61)
    with pytest.raises(SecretUnavailable, match="demo/api cannot be read"):
        await secrets.value(KEY)
    cluster.error = None
    await asyncio.sleep(5)
    assert await secrets.value(KEY) == CANARY


async def test_the_error_for_a_missing_key_names_it(secrets: ClusterSecrets) -> None:
    with pytest.raises(SecretUnavailable, match="no key 'other'"):
        await secrets.value(KEY.model_copy(update={"key": "other"}))


async def test_an_invalid_secret_is_not_quoted(
    cluster: FakeCluster, secrets: ClusterSecrets, caplog: pytest.LogCaptureFixture
) -> None:
    cluster.objects["api"] = {"metadata": {"name": "api"}, "data": {"token": f"!{CANARY!r}"}}
    with pytest.raises(SecretUnavailable, match="not base64"):
        await secrets.value(KEY)
    assert CANARY.decode() not in caplog.text


async def test_unused_values_are_removed_from_memory(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    cluster.objects["other"] = secret(b"other")
    await secrets.value(KEY)
    await asyncio.sleep(700)
    await secrets.value(KEY.model_copy(update={"name": "other"}))
    assert set(secrets._known) == {Key("demo", "other")}


async def test_the_representation_of_a_value_does_not_show_it(secrets: ClusterSecrets) -> None:
    await secrets.value(KEY)
    assert CANARY.decode() not in repr(secrets._known)


async def test_closing_ends_a_read_in_progress(cluster: FakeCluster) -> None:
    secrets = ClusterSecrets(cluster)
    cluster.gate.clear()
    waiting = asyncio.create_task(secrets.value(KEY))
    await asyncio.sleep(0.01)
    await secrets.close()
    with pytest.raises(SecretUnavailable, match="stopping"):
        await waiting


async def test_the_key_of_a_gateway_cannot_be_used_as_a_secret(
    cluster: FakeCluster, secrets: ClusterSecrets
) -> None:
    cluster.objects["api"] = secret(CANARY) | {"type": "mcp-operator.dev/keys"}
    with pytest.raises(SecretUnavailable, match="must not be used for anything else"):
        await secrets.value(KEY)
