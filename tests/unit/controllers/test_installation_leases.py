"""Two installations of the operator in one cluster do not manage each other's servers."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import pytest

from mcp_operator.controllers.installation_leases import CACHED_SECONDS, InstallationLeases
from mcp_operator.core.clock import rfc3339_micro
from mcp_operator.core.meta import Key, Object, Resource
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.leader import LEASES
from support.fake_client import FakeClient

OURS, THEIRS = "new-system/mcp-operator", "old-system/mcp-operator"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


class Noon:
    def now(self) -> datetime:
        return NOW


def server(claimed_by: str = "") -> Object:
    status = {"operator": claimed_by} if claimed_by else {}
    return {"metadata": {"namespace": "shop", "name": "api"}, "status": status}


def lease(*, age: float, holder: str = "pod-1") -> Object:
    renewed = rfc3339_micro(NOW - timedelta(seconds=age))
    return {
        "metadata": {"namespace": "old-system", "name": "mcp-operator"},
        "spec": {"holderIdentity": holder, "renewTime": renewed, "leaseDurationSeconds": 15},
    }


def working_in(**annotations: str) -> Object:
    found = lease(age=1)
    named = {f"mcp-operator.dev/{name.replace('_', '-')}": v for name, v in annotations.items()}
    return {**found, "metadata": {**found["metadata"], "annotations": named}}


def leases(
    found: Object | None = None,
    *,
    installation: str = OURS,
    labels: Mapping[str, str] | None = None,
) -> tuple[InstallationLeases, FakeClient]:
    client = FakeClient()
    if found is not None:
        client.objects[LEASES, Key("old-system", "mcp-operator")] = found
    return InstallationLeases(client, Noon(), installation, lambda _: labels), client


async def test_a_server_that_no_installation_manages_is_ours() -> None:
    ours, _ = leases()
    assert await ours.other_installation(server()) == ""


async def test_a_server_that_this_installation_manages_is_ours() -> None:
    ours, _ = leases()
    assert await ours.other_installation(server(OURS)) == ""


async def test_a_server_of_another_active_installation_is_not_ours() -> None:
    ours, _ = leases(lease(age=10))
    assert await ours.other_installation(server(THEIRS)) == THEIRS


async def test_a_server_of_another_installation_is_logged_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    ours, _ = leases(lease(age=10))
    for _ in range(3):
        await ours.other_installation(server(THEIRS))
    [record] = caplog.records
    assert record.getMessage().startswith(
        "Another installation of the operator manages this server"
    )
    assert vars(record)["installation"] == THEIRS
    assert vars(record)["reason"] == "RunElsewhere"


@pytest.mark.parametrize(
    "found", [None, lease(age=600), lease(age=1, holder="")], ids=["missing", "expired", "released"]
)
async def test_a_server_of_an_inactive_installation_becomes_ours(found: Object | None) -> None:
    ours, _ = leases(found)
    assert await ours.other_installation(server(THEIRS)) == ""


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (working_in(namespaces="other,another"), None),
        (working_in(namespaces="", namespace_selector="operator=old"), {"operator": "new"}),
        (working_in(namespace_selector="operator=old"), {}),
    ],
)
async def test_a_server_in_a_namespace_that_its_installation_does_not_watch_becomes_ours(
    found: Object, labels: Mapping[str, str] | None
) -> None:
    ours, _ = leases(found, labels=labels)
    assert await ours.other_installation(server(THEIRS)) == ""


@pytest.mark.parametrize(
    ("found", "labels"),
    [
        (working_in(namespaces="other,shop"), None),
        (working_in(namespaces="", namespace_selector=""), {}),
        (working_in(namespace_selector="operator=old"), {"operator": "old"}),
        (working_in(namespace_selector="operator=old"), None),
        (working_in(namespace_selector="size > 3"), {}),
    ],
)
async def test_a_server_in_a_namespace_of_its_active_installation_is_not_ours(
    found: Object, labels: Mapping[str, str] | None
) -> None:
    ours, _ = leases(found, labels=labels)
    assert await ours.other_installation(server(THEIRS)) == THEIRS


async def test_an_installation_keeps_its_servers_during_a_change_of_leaders() -> None:
    ours, _ = leases(lease(age=40))
    assert await ours.other_installation(server(THEIRS)) == THEIRS


async def test_without_leader_election_other_installations_are_ignored() -> None:
    ours, _ = leases(lease(age=10), installation="")
    assert await ours.other_installation(server(THEIRS)) == ""


@pytest.mark.looptime
async def test_a_lease_is_cached_and_its_deletion_is_noticed_later() -> None:
    ours, client = leases(lease(age=10))
    assert await ours.other_installation(server(THEIRS)) == THEIRS
    client.objects.clear()
    assert await ours.other_installation(server(THEIRS)) == THEIRS
    await asyncio.sleep(CACHED_SECONDS)
    assert await ours.other_installation(server(THEIRS)) == ""


class Refusing(FakeClient):
    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status

    async def get(self, resource: Resource, key: Key) -> Object:
        raise ApiError(self.status, "Refused", "no")


async def test_a_server_becomes_ours_when_reading_the_lease_is_forbidden() -> None:
    assert (
        await InstallationLeases(Refusing(403), Noon(), OURS).other_installation(server(THEIRS))
        == ""
    )


async def test_an_api_error_while_reading_the_lease_is_raised() -> None:
    with pytest.raises(ApiError):
        await InstallationLeases(Refusing(500), Noon(), OURS).other_installation(server(THEIRS))
