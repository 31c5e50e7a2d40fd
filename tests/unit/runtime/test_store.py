from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.core.meta import Key, LabelSelector, Object, key_of, labels_of
from mcp_operator.runtime.store import Store
from support.objects import config_map

NAMES = st.sampled_from("abcd")
NAMESPACES = st.sampled_from(["one", "two"])
LABELS = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]))
CHANGES = st.lists(st.tuples(NAMES, NAMESPACES, LABELS, st.booleans()))


def colors(obj: Object) -> list[str]:
    return list(obj.get("data", {}).values())


@given(changes=CHANGES, namespace=st.none() | NAMESPACES, wanted=LABELS)
def test_lists_and_indexes_return_what_a_full_search_returns(
    changes: list[tuple[str, str, dict[str, str], bool]],
    namespace: str | None,
    wanted: dict[str, str],
) -> None:
    store = Store()
    store.add_index("tier", lambda obj: [labels_of(obj).get("tier", "none")])
    model: dict[Key, Object] = {}
    for name, place, labels, delete in changes:
        obj = config_map(name, namespace=place, labels=labels)
        if delete and key_of(obj) in model:
            store.remove(key_of(obj))
            del model[key_of(obj)]
        elif not delete:
            store.put(obj)
            model[key_of(obj)] = obj
    found = {key_of(obj) for obj in store.list(namespace, LabelSelector(wanted))}
    assert found == {
        key
        for key, obj in model.items()
        if namespace in {None, key.namespace} and wanted.items() <= labels_of(obj).items()
    }
    for tier in ("none", "x", "y"):
        by_tier = {key_of(obj) for obj in store.by_index("tier", tier)}
        of_tier = (key for key, obj in model.items() if labels_of(obj).get("tier", "none") == tier)
        assert by_tier == set(of_tier)
    assert len(store) == len(model)
    assert store.keys() == model.keys()


def test_an_object_moves_in_an_index_when_its_value_changes() -> None:
    store = Store()
    store.add_index("colour", colors)
    store.put(config_map("a", one="red", two="blue"))
    store.put(config_map("a", one="red", two="green"))
    assert store.by_index("colour", "blue") == []
    assert len(store.by_index("colour", "red")) == 1
    assert len(store.by_index("colour", "green")) == 1


def test_an_index_added_late_contains_the_existing_objects() -> None:
    store = Store()
    store.put(config_map("a", one="red"))
    store.add_index("colour", colors)
    assert [key_of(obj).name for obj in store.by_index("colour", "red")] == ["a"]


def test_adding_a_second_index_of_the_same_name_raises_an_error() -> None:
    store = Store()
    store.add_index("colour", colors)
    with pytest.raises(ValueError, match="already has an index 'colour'"):
        store.add_index("colour", colors)


def test_a_list_without_a_selector_returns_all_objects_in_insertion_order() -> None:
    store = Store()
    for name in "cab":
        store.put(config_map(name))
    assert [key_of(obj).name for obj in store.list()] == ["c", "a", "b"]
    assert [key_of(obj).name for obj in store] == ["c", "a", "b"]
    assert store.get(Key("demo", "x")) is None
