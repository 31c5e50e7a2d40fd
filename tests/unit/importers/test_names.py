"""The names of tools, arguments and objects."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.importers.documents import Documents
from mcp_operator.importers.names import argument_names, object_name, tool_names
from mcp_operator.importers.operations import Operation, operations
from support.openapi_documents import MAIN, Json, openapi

NAME = re.compile(r"[A-Za-z0-9_-]{1,64}")


def found(paths: Json) -> list[Operation]:
    return list(operations(Documents(MAIN, {MAIN: openapi(paths)})))


def named(paths: Json, prefix: str = "") -> list[str]:
    return list(tool_names(found(paths), prefix).values())


@pytest.mark.parametrize(
    ("given_id", "name"),
    [
        ("getPet", "getPet"),
        ("pets.list all", "pets_list_all"),
        ("/pets/{id}", "pets_id"),
        ("größe", "gr_e"),
        ("_leading-", "leading"),
    ],
)
def test_a_tool_is_named_by_its_operation(given_id: str, name: str) -> None:
    assert named({"/x": {"get": {"operationId": given_id}}}) == [name]


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/pets/{petId}/toys", "get_pets_by_petId_toys"),
        ("/", "get_root"),
        ("/v1/files/{name}.json", "get_v1_files_by_name_json"),
    ],
)
def test_a_tool_without_an_operation_id_is_named_by_method_and_path(path: str, name: str) -> None:
    assert named({path: {"get": {}}}) == [name]
    assert named({path: {"get": {"operationId": "…"}}}) == [name]


def test_a_long_name_is_shortened_and_ends_with_a_digest() -> None:
    one, other = named({f"/{n}": {"get": {"operationId": "a" * 80 + n}} for n in "xy"})

    assert len(one) == len(other) == 64
    assert one != other
    assert re.fullmatch(r"a{57}_[0-9a-f]{6}", one)


def test_names_that_collide_are_numbered_in_the_order_of_their_paths() -> None:
    paths = {path: {"get": {"operationId": "list"}} for path in ("/b", "/a", "/c")}

    assert named(paths) == ["list", "list_2", "list_3"]
    assert tool_names(found(paths))["GET /a"] == "list"


def test_a_prefix_is_added_to_every_name() -> None:
    assert named({"/x": {"get": {"operationId": "x" * 60}}}, "shop_")[0].startswith("shop_xxx")


ids = st.text(max_size=90) | st.sampled_from(["list", "list_2", "list.2", "a" * 64, "a" * 65])
documents = st.dictionaries(
    st.from_regex(r"/[a-z{}]{0,6}", fullmatch=True), ids, min_size=1, max_size=8
)


@given(documents, st.randoms())
def test_tool_names_are_valid_unique_and_the_same_in_any_order(
    ids_: dict[str, str], random: st.DataObject
) -> None:
    paths = {path: {"get": {"operationId": one}, "put": {}} for path, one in ids_.items()}
    names = tool_names(found(paths))
    shuffled = list(paths.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random

    assert all(NAME.fullmatch(name) for name in names.values())
    assert len(set(names.values())) == len(names)
    assert tool_names(found(dict(shuffled))) == names


targets = st.lists(
    st.tuples(st.sampled_from(["path", "query", "header", "cookie", "body"]), st.text(max_size=80)),
    unique=True,
    max_size=12,
)


@given(targets, st.randoms())
def test_argument_names_are_valid_unique_and_the_same_in_any_order(
    given_targets: list[tuple[str, str]], random: st.DataObject
) -> None:
    names = argument_names(given_targets)
    shuffled = list(given_targets)
    random.shuffle(shuffled)  # type: ignore[attr-defined] # a random.Random

    assert all(NAME.fullmatch(name) for name in names.values())
    assert len(set(names.values())) == len(names)
    assert argument_names(shuffled) == names


def test_an_argument_whose_own_name_is_valid_keeps_it() -> None:
    names = argument_names([("query", "a.b"), ("body", "a_b"), ("query", "id"), ("path", "id")])

    assert names == {
        ("path", "id"): "id",
        ("query", "id"): "query_id",
        ("body", "a_b"): "a_b",
        ("query", "a.b"): "query_a_b",
    }


def test_characters_that_distinguish_two_parameters_are_spelled_out() -> None:
    names = argument_names([("query", name) for name in ("At", "At<", "At>", "ids[]", "$top")])

    assert list(names.values()) == ["At", "top", "At_before", "At_after", "ids"]


@given(st.text(max_size=120))
def test_an_object_name_is_valid_in_kubernetes(text: str) -> None:
    assert re.fullmatch(r"([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?)?", object_name(text))
