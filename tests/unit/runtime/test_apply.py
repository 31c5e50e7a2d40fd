from __future__ import annotations

import pytest

from mcp_operator.core.meta import Key, Object, owner_reference
from mcp_operator.runtime.apply import MUST_NOT_EXIST, Applier, OwnershipConflictError
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.status import StatusWriter
from support.fake_client import FakeClient
from support.objects import CONFIG_MAPS, config_map

A = Key("demo", "a")
OWNER = config_map("owner", 1)
OTHER = config_map("other", 1)


@pytest.fixture
def client() -> FakeClient:
    return FakeClient()


@pytest.fixture
def applier(client: FakeClient) -> Applier:
    return Applier(client, hash_annotation="example.com/hash")


def desired(**data: str) -> Object:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "demo"},
        "data": data,
    }


def stored(client: FakeClient) -> Object:
    return client.objects[CONFIG_MAPS, A]


def drifts(client: FakeClient) -> float | None:
    labels = {"kind": "ConfigMap"}
    return client.metrics.registry.get_sample_value("drift_corrected_total", labels)


async def test_an_absent_object_is_created_with_its_owner_in_one_write(
    client: FakeClient, applier: Applier
) -> None:
    assert await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None) == "created"
    assert [verb for verb, _ in client.writes] == ["apply"]
    metadata = client.writes[0][1]["metadata"]
    assert metadata["resourceVersion"] == MUST_NOT_EXIST
    assert metadata["ownerReferences"] == [owner_reference(OWNER)]
    assert metadata["annotations"]["example.com/hash"]


async def test_nothing_is_written_when_the_live_object_is_as_desired(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None)
    live = {**stored(client), "data": {"x": "1", "defaulted": "y"}}
    assert await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, live) == "unchanged"
    assert len(client.writes) == 1


async def test_a_change_is_applied_to_the_object_with_the_same_uid(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None)
    live = stored(client)
    assert await applier.apply(OWNER, desired(x="2"), CONFIG_MAPS, live) == "updated"
    assert client.writes[-1][1]["metadata"]["uid"] == live["metadata"]["uid"]
    assert drifts(client) is None


async def test_removing_a_desired_field_updates_the_object(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(x="1", y="2"), CONFIG_MAPS, None)
    assert await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, stored(client)) == "updated"


async def test_a_change_by_another_client_is_reverted_and_counted_as_drift(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None)
    live = {**stored(client), "data": {"x": "by hand"}}
    assert await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, live) == "updated"
    assert drifts(client) == 1


async def test_a_change_that_a_webhook_enforces_is_not_counted_as_drift(
    client: FakeClient, applier: Applier, monkeypatch: pytest.MonkeyPatch
) -> None:
    await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None)
    insisted = {**stored(client), "data": {"x": "of a webhook"}}

    async def keep(*_: object, **__: object) -> Object:
        return insisted

    monkeypatch.setattr(client, "apply", keep)
    assert await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, insisted) == "unchanged"
    assert drifts(client) is None


@pytest.mark.parametrize("owner", [None, OTHER])
async def test_an_object_that_the_owner_does_not_control_is_never_written(
    client: FakeClient, applier: Applier, owner: Object | None
) -> None:
    live = config_map("a", 5)
    if owner:
        live["metadata"]["ownerReferences"] = [owner_reference(owner)]
    with pytest.raises(OwnershipConflictError, match="ConfigMap demo/a already exists and"):
        await applier.apply(OWNER, desired(), CONFIG_MAPS, live)
    assert client.writes == []


async def test_an_object_without_an_owner_that_is_not_cached_is_not_taken_over(
    client: FakeClient, applier: Applier
) -> None:
    client.objects[CONFIG_MAPS, A] = config_map("a", 5, colour="red")
    with pytest.raises(OwnershipConflictError, match="has no owner"):
        await applier.apply(OWNER, desired(), CONFIG_MAPS, None)
    assert stored(client) == config_map("a", 5, colour="red")


async def test_an_owned_object_that_is_not_cached_yet_is_updated(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None)
    assert await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None) == "unchanged"
    assert await applier.apply(OWNER, desired(x="2"), CONFIG_MAPS, None) == "updated"
    assert stored(client)["data"] == {"x": "2"}


async def test_an_error_of_an_apply_is_raised(client: FakeClient, applier: Applier) -> None:
    client.failures.append(ApiError(403, "Forbidden", "quota"))
    with pytest.raises(ApiError, match="quota"):
        await applier.apply(OWNER, desired(), CONFIG_MAPS, None)


async def test_only_an_object_that_the_owner_controls_is_deleted(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(), CONFIG_MAPS, None)
    live = stored(client)
    assert not await applier.delete(OTHER, CONFIG_MAPS, live)
    assert await applier.delete(OWNER, CONFIG_MAPS, live)
    assert not await applier.delete(OWNER, CONFIG_MAPS, live)


async def test_an_object_that_was_recreated_in_the_meantime_is_not_deleted(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(), CONFIG_MAPS, None)
    live = stored(client)
    client.objects[CONFIG_MAPS, A] = config_map("a", 500, uid="new")
    assert not await applier.delete(OWNER, CONFIG_MAPS, live)
    assert stored(client) == config_map("a", 500, uid="new")


async def test_an_error_of_a_delete_is_raised(client: FakeClient, applier: Applier) -> None:
    await applier.apply(OWNER, desired(), CONFIG_MAPS, None)
    client.failures.append(ApiError(403, "Forbidden", "no"))
    with pytest.raises(ApiError):
        await applier.delete(OWNER, CONFIG_MAPS, stored(client))


async def test_a_status_is_written_only_when_it_differs(client: FakeClient) -> None:
    writer = StatusWriter(client)
    live = client.objects[CONFIG_MAPS, A] = {**config_map("a", 5), "status": {"ready": True}}
    assert not await writer.write(CONFIG_MAPS, live, {"ready": True})
    assert client.writes == []
    assert await writer.write(CONFIG_MAPS, live, {"ready": False})
    assert client.writes[0][1] == {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": "a", "namespace": "demo"},
        "status": {"ready": False},
    }


async def test_a_status_is_written_when_a_field_that_is_not_empty_is_removed(
    client: FakeClient,
) -> None:
    writer = StatusWriter(client)
    live = client.objects[CONFIG_MAPS, A] = {**config_map("a", 5), "status": {"x": 1, "list": []}}
    assert not await writer.write(CONFIG_MAPS, live, {"x": 1})
    assert await writer.write(CONFIG_MAPS, live, {"list": []})


async def test_the_status_of_a_deleted_object_is_not_written(
    client: FakeClient,
) -> None:
    writer = StatusWriter(client)
    assert not await writer.write(CONFIG_MAPS, config_map("a", 5), {"ready": True})


async def test_a_conflict_while_writing_a_status_is_raised(client: FakeClient) -> None:
    client.objects[CONFIG_MAPS, A] = config_map("a", 5)
    client.failures.append(ApiError(409, "Conflict", "the object has been modified"))
    with pytest.raises(ApiError) as caught:
        await StatusWriter(client).write(CONFIG_MAPS, config_map("a", 5), {"ready": True})
    assert caught.value.is_conflict


async def test_a_rejected_status_raises_an_error(client: FakeClient) -> None:
    client.objects[CONFIG_MAPS, A] = config_map("a", 5)
    client.failures.append(ApiError(422, "Invalid", "no"))
    with pytest.raises(ApiError):
        await StatusWriter(client).write(CONFIG_MAPS, config_map("a", 5), {"ready": True})


async def test_handing_over_fields_applies_their_values_as_the_other_manager(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OWNER, desired(x="1"), CONFIG_MAPS, None)
    live = stored(client)
    await applier.hand_over(OWNER, CONFIG_MAPS, live, {"data": {"x": "1"}}, manager="other")
    verb, applied = client.writes[-1]
    assert verb == "apply as other"
    uid = live["metadata"]["uid"]
    assert applied["metadata"] == {"name": "a", "namespace": "demo", "uid": uid}
    assert applied["data"] == {"x": "1"}


async def test_fields_of_an_object_of_another_owner_are_not_handed_over(
    client: FakeClient, applier: Applier
) -> None:
    await applier.apply(OTHER, desired(x="1"), CONFIG_MAPS, None)
    await applier.hand_over(OWNER, CONFIG_MAPS, stored(client), {"data": {}}, manager="other")
    assert [verb for verb, _ in client.writes] == ["apply"]
