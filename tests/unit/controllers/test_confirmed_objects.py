"""The record of which objects the pods of each server have confirmed."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from mcp_operator.builders.compiled import Compiled
from mcp_operator.controllers.confirmed_objects import ConfirmedObjects
from mcp_operator.core import tasks
from mcp_operator.core.meta import Key
from mcp_operator.runtime.notification import Event
from support.channels import sent
from support.entries import tool

SHOP, BAR = Key("demo", "shop"), Key("demo", "bar")


def obj(name: str, description: str = "") -> Compiled:
    return Compiled("MCPTool", Key("demo", name), "", (tool(name, description=description),))


ONE, TWO = obj("one"), obj("two")
CHANGED = obj("one", "changed")


@pytest.fixture
def confirmed_objects() -> ConfirmedObjects:
    return ConfirmedObjects()


@pytest.fixture
def told(confirmed_objects: ConfirmedObjects) -> list[Key]:
    return sent(confirmed_objects.changed["MCPTool"])


def test_nothing_is_confirmed_before_it_is_recorded(
    confirmed_objects: ConfirmedObjects,
) -> None:
    assert not confirmed_objects.includes(SHOP, ONE)


async def test_only_the_recorded_state_of_an_object_is_confirmed(
    confirmed_objects: ConfirmedObjects,
) -> None:
    await confirmed_objects.record(SHOP, [ONE])
    assert confirmed_objects.includes(SHOP, ONE)
    assert confirmed_objects.includes(SHOP, obj("one"))
    assert not confirmed_objects.includes(SHOP, CHANGED)
    assert not confirmed_objects.includes(SHOP, replace(ONE, kind="MCPPrompt"))
    assert not confirmed_objects.includes(SHOP, TWO)
    assert not confirmed_objects.includes(BAR, ONE)


async def test_only_objects_whose_record_changed_are_notified(
    confirmed_objects: ConfirmedObjects, told: list[Key]
) -> None:
    await confirmed_objects.record(SHOP, [ONE, TWO])
    assert told == [ONE.key, TWO.key]
    told.clear()
    await confirmed_objects.record(SHOP, [CHANGED, TWO])
    assert told == [ONE.key]
    told.clear()
    await confirmed_objects.record(SHOP, [CHANGED, TWO])
    assert told == []


async def test_an_object_that_is_no_longer_served_is_notified(
    confirmed_objects: ConfirmedObjects, told: list[Key]
) -> None:
    await confirmed_objects.record(SHOP, [ONE, TWO])
    told.clear()
    await confirmed_objects.record(SHOP, [TWO])
    assert told == [ONE.key]
    assert not confirmed_objects.includes(SHOP, ONE)


async def test_the_record_of_a_deleted_server_is_forgotten(
    confirmed_objects: ConfirmedObjects,
) -> None:
    await confirmed_objects.record(SHOP, [ONE])
    await confirmed_objects.record(BAR, [ONE])
    confirmed_objects.forget(SHOP)
    confirmed_objects.forget(SHOP)
    assert not confirmed_objects.includes(SHOP, ONE)
    assert confirmed_objects.includes(BAR, ONE)


async def test_a_server_with_a_failing_child_still_serves_what_its_pods_have(
    confirmed_objects: ConfirmedObjects,
) -> None:
    await confirmed_objects.record(SHOP, [ONE])
    await confirmed_objects.record_failure(SHOP, [CHANGED, TWO], None)
    assert confirmed_objects.includes(SHOP, ONE)
    assert not confirmed_objects.includes(SHOP, CHANGED)
    assert confirmed_objects.was_selected(SHOP, CHANGED)
    assert not confirmed_objects.was_selected(SHOP, ONE)


async def test_objects_that_pods_confirmed_despite_a_failing_child_are_served(
    confirmed_objects: ConfirmedObjects,
) -> None:
    await confirmed_objects.record_failure(SHOP, [ONE, TWO], [ONE])
    assert confirmed_objects.includes(SHOP, ONE)
    assert not confirmed_objects.includes(SHOP, TWO)


async def test_newly_selected_or_changed_objects_are_notified(
    confirmed_objects: ConfirmedObjects, told: list[Key]
) -> None:
    await confirmed_objects.record_failure(SHOP, [ONE, TWO], ())
    assert told == [ONE.key, TWO.key]
    told.clear()
    await confirmed_objects.record_failure(SHOP, [ONE, TWO], [TWO])
    assert told == [TWO.key]
    told.clear()
    await confirmed_objects.record_failure(SHOP, [ONE, TWO], None)
    assert told == []


async def test_objects_are_notified_even_when_the_recording_task_is_cancelled(
    confirmed_objects: ConfirmedObjects, told: list[Key], monkeypatch: pytest.MonkeyPatch
) -> None:
    objects = [obj(str(number)) for number in range(10)]
    recording = asyncio.create_task(confirmed_objects.record(SHOP, objects))

    def cancel(_: Event) -> None:
        recording.cancel()

    confirmed_objects.changed["MCPTool"].add_handler(cancel)
    monkeypatch.setattr(tasks, "STEP_SECONDS", -1.0)
    await asyncio.wait({recording})
    assert recording.cancelled()
    assert told == [each.key for each in objects]
