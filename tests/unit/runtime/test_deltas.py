"""Lists, watch events and answers to writes that arrive out of order."""

from __future__ import annotations

import pytest

from mcp_operator.core.meta import Key, LabelSelector, Object, key_of, resource_version_of
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime.deltas import DeltaProcessor
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.selection import Selection
from support.objects import CONFIG_MAPS, config_map

A = Key("demo", "a")


class Heard(list[Event]):
    """The events that a handler got."""

    def types(self) -> list[str]:
        return [event.type for event in self]


def make(
    metrics: RuntimeMetrics, selection: Selection | None = None
) -> tuple[DeltaProcessor, Heard]:
    processor = DeltaProcessor(CONFIG_MAPS, selection or Selection(), metrics=metrics)
    heard = Heard()
    processor.add_handler(heard.append)
    return processor, heard


@pytest.fixture
def processor(metrics: RuntimeMetrics) -> DeltaProcessor:
    made, _ = make(metrics)
    return made


@pytest.fixture
def heard(processor: DeltaProcessor) -> Heard:
    events = Heard()
    processor.add_handler(events.append)
    return events


def listed(processor: DeltaProcessor, version: int, *objects: Object) -> None:
    for obj in objects:
        processor.upsert(obj)
    processor.complete({key_of(obj) for obj in objects}, str(version))


def watched(processor: DeltaProcessor, obj: Object) -> None:
    processor.upsert(obj)
    processor.advance(obj["metadata"]["resourceVersion"])


def deleted(processor: DeltaProcessor, obj: Object) -> None:
    processor.remove(obj)
    processor.advance(obj["metadata"]["resourceVersion"])


def test_a_late_answer_to_a_write_does_not_bring_back_a_deleted_object(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 10, config_map("a", 5))
    watched(processor, config_map("a", 11))
    deleted(processor, config_map("a", 12))
    processor.written(config_map("a", 11))
    assert processor.store.get(A) is None
    assert heard.types() == ["Created", "Updated", "Deleted"]


def test_the_watch_event_of_a_known_write_sends_no_second_event(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 10, config_map("a", 5))
    processor.written(config_map("a", 11))
    watched(processor, config_map("a", 11))
    assert heard.types() == ["Created", "Updated"]
    assert processor.resource_version == 11
    watched(processor, config_map("a", 12))
    assert [resource_version_of(event.object) for event in heard] == [5, 11, 12]


def test_a_list_older_than_a_write_does_not_remove_what_was_written(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 10)
    processor.written(config_map("a", 21))
    listed(processor, 20)
    assert processor.store.get(A) == config_map("a", 21)
    assert heard.types() == ["Created"]


def test_a_list_older_than_a_write_does_not_revert_the_object(processor: DeltaProcessor) -> None:
    listed(processor, 10, config_map("a", 5))
    processor.written(config_map("a", 21, colour="red"))
    listed(processor, 20, config_map("a", 5))
    assert processor.store.get(A) == config_map("a", 21, colour="red")


def test_an_older_event_after_a_write_is_dropped(processor: DeltaProcessor) -> None:
    listed(processor, 10, config_map("a", 5))
    processor.written(config_map("a", 13, colour="red"))
    watched(processor, config_map("a", 12, colour="blue"))
    assert processor.store.get(A) == config_map("a", 13, colour="red")


def test_a_late_delete_event_of_an_old_uid_does_not_remove_the_new_object(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 10, config_map("a", 5, uid="old"))
    processor.written(config_map("a", 15, uid="new"))
    deleted(processor, config_map("a", 12, uid="old"))
    assert processor.store.get(A) == config_map("a", 15, uid="new")
    assert heard.types() == ["Created", "Deleted", "Created"]


def test_an_object_that_a_write_deselects_is_removed_by_the_watch(
    metrics: RuntimeMetrics,
) -> None:
    processor, heard = make(metrics, Selection(label_selector="app=web"))
    listed(processor, 10, config_map("a", 5, labels={"app": "web"}))
    processor.written(config_map("a", 11, labels={}))
    assert len(processor.store) == 1
    deleted(processor, config_map("a", 11, labels={"app": "web"}))
    assert len(processor.store) == 0
    assert heard[-1].old == config_map("a", 5, labels={"app": "web"})


def test_an_object_missing_from_a_relist_is_deleted_with_its_last_known_state(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 10, config_map("a", 5), config_map("b", 6))
    listed(processor, 20, config_map("b", 6))
    assert heard[-1] == Event("Deleted", config_map("a", 5), None, final_state_unknown=True)
    assert processor.store.list(selector=LabelSelector()) == [config_map("b", 6)]


def test_an_object_recreated_between_lists_sends_a_deleted_and_a_created_event(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 10, config_map("a", 5, uid="old"))
    listed(processor, 20, config_map("a", 15, uid="new"))
    gone = config_map("a", 5, uid="old")
    assert heard[1] == Event("Deleted", gone, None, final_state_unknown=True)
    assert heard[2] == Event("Created", None, config_map("a", 15, uid="new"))


def test_only_events_of_the_first_list_are_initial(processor: DeltaProcessor, heard: Heard) -> None:
    listed(processor, 10, config_map("a", 5))
    listed(processor, 20, config_map("a", 5), config_map("b", 6))
    assert [event.initial for event in heard] == [True, False]
    assert processor.synced.is_set()


def test_a_list_with_an_older_version_replaces_the_cache(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 100, config_map("a", 90, colour="red"), config_map("b", 95))
    listed(processor, 50, config_map("a", 40, colour="blue"))
    assert processor.store.list() == [config_map("a", 40, colour="blue")]
    assert heard.types()[-3:] == ["Deleted", "Created", "Deleted"]
    watched(processor, config_map("c", 51))
    assert len(processor.store) == 2


def test_a_relist_after_distrust_replaces_objects_with_the_same_version(
    processor: DeltaProcessor, heard: Heard
) -> None:
    same = config_map("same", 60)
    listed(processor, 100, config_map("a", 90, colour="red"), config_map("b", 95), same)
    processor.distrust()
    assert processor.distrusted
    listed(processor, 120, config_map("a", 90, colour="blue"), same)
    assert not processor.distrusted
    assert processor.store.get(A) == config_map("a", 90, colour="blue")
    assert len(processor.store) == 2
    assert heard.types()[-3:] == ["Deleted", "Created", "Deleted"]


def test_an_answer_to_a_write_replaces_a_distrusted_object(
    processor: DeltaProcessor, heard: Heard
) -> None:
    listed(processor, 100, config_map("a", 90, colour="red"))
    processor.distrust()
    processor.written(config_map("a", 51, colour="ours"))
    assert processor.store.get(A) == config_map("a", 51, colour="ours")
    listed(processor, 50, config_map("a", 40, colour="before"))
    assert processor.store.get(A) == config_map("a", 51, colour="ours")
    assert heard.types() == ["Created", "Deleted", "Created"]


def test_a_deletion_removes_an_object_from_a_distrusted_cache(processor: DeltaProcessor) -> None:
    listed(processor, 100, config_map("a", 90))
    processor.distrust()
    processor.remove(config_map("a", 55))
    assert len(processor.store) == 0


def test_an_empty_list_without_a_version_empties_the_cache(processor: DeltaProcessor) -> None:
    listed(processor, 100, config_map("a", 90))
    processor.complete(set(), "")
    assert len(processor.store) == 0
    assert processor.resource_version == 100


def test_events_with_versions_that_are_not_numbers_are_applied_in_order(
    processor: DeltaProcessor,
) -> None:
    odd = config_map("a", 5)
    odd["metadata"]["resourceVersion"] = "x-1"
    listed(processor, 10, config_map("a", 5))
    watched(processor, odd)
    processor.remove(odd)
    assert len(processor.store) == 0


def test_the_deletion_of_an_unknown_object_sends_no_event(
    processor: DeltaProcessor, heard: Heard
) -> None:
    deleted(processor, config_map("a", 5))
    assert heard == []


def test_a_handler_added_late_gets_the_cached_objects(processor: DeltaProcessor) -> None:
    listed(processor, 10, config_map("a", 5))
    late = Heard()
    processor.add_handler(late.append)
    assert late == [Event("Created", None, config_map("a", 5), initial=True)]


def test_a_metadata_cache_keeps_only_the_metadata_of_a_write(metrics: RuntimeMetrics) -> None:
    processor, _ = make(metrics, Selection(metadata_only=True))
    written = config_map("a", 5, colour="red")
    processor.written(written)
    assert processor.store.get(A) == config_map("a", 5)
    assert written["data"] == {"colour": "red"}


def test_a_resync_sends_a_generic_event(processor: DeltaProcessor, heard: Heard) -> None:
    processor.resync(config_map("a", 5))
    assert heard == [Event("Generic", None, config_map("a", 5), initial=True)]


def test_the_gauges_show_the_object_count_and_the_version(
    processor: DeltaProcessor, metrics: RuntimeMetrics
) -> None:
    listed(processor, 10, config_map("a", 5), config_map("b", 6))
    deleted(processor, config_map("a", 11))
    sample = metrics.registry.get_sample_value
    assert sample("informer_objects", {"kind": "ConfigMap"}) == 1
    labels = {"group": "", "version": "v1", "resource": "configmaps"}
    assert sample("store_resource_version", labels) == 11


def test_an_event_without_an_object_raises_an_error() -> None:
    assert Event("Deleted", config_map("a", 5), None).object == config_map("a", 5)
    with pytest.raises(ValueError, match="must carry"):
        _ = Event("Generic", None, None).object
