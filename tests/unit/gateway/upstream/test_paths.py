"""A path argument fills its placeholder and cannot leave it, in any style and any encoding."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import unquote

import pytest

from mcp_operator.gateway.upstream.mapping import MappingError, Request, build_request
from support.entries import argument, backend
from support.traversals import TRAVERSALS


def build(path: str, arguments: dict[str, Any], *mapped: Any, **fields: Any) -> Request:
    return build_request(backend(path, *mapped, **fields), arguments)


def test_path_values_are_encoded_in_their_segment() -> None:
    request = build(
        "/orders/{id}/lines/{line}.json",
        {"id": "a b&c", "line": 7},
        argument("id", "path"),
        argument("line", "path"),
    )
    assert request.target == "/orders/a%20b%26c/lines/7.json"


@pytest.mark.parametrize("value", TRAVERSALS)
def test_a_path_value_cannot_leave_its_segment(value: str) -> None:
    with pytest.raises(MappingError):
        build("/orders/{id}", {"id": value}, argument("id", "path"))


@pytest.mark.parametrize("value", [None, [], [None], {}, {"a": None}])
def test_a_path_value_is_never_empty(value: Any) -> None:
    with pytest.raises(MappingError, match="'id'"):
        build("/orders/{id}", {"id": value}, argument("id", "path"))


@pytest.mark.parametrize("path", ["/x/{a}{b}", "/x/.{a}", "/x/{a}."])
def test_harmless_values_cannot_combine_into_a_traversal(path: str) -> None:
    mapped = [argument(name, "path", required=True) for name in "ab" if f"{{{name}}}" in path]
    with pytest.raises(MappingError):
        build(path, {"a": ".", "b": "."}, *mapped)


def test_combined_values_are_checked_after_decoding() -> None:
    with pytest.raises(MappingError, match="outside the path"):
        build("/x/{a}{b}", {"a": "%2", "b": "fadmin"}, argument("a", "path"), argument("b", "path"))


@pytest.mark.parametrize(
    "value", ["100%", "a.b", "...", "a..b", "ü", "~", "50%25", "a;b=c", "x" * 500]
)
def test_ordinary_path_values_arrive_unchanged(value: str) -> None:
    request = build("/orders/{id}", {"id": value}, argument("id", "path"))
    assert unquote(request.target.removeprefix("/orders/")) == value


SLASHED = ["group/project", "a/b/c.txt", "a", "v1;x=y/b", "...", "a..b/c"]
CLIMBING = [
    *(value for value in TRAVERSALS if value not in {"a/b", "a%2fb", "a\uff0fb"}),
    "a/..",
    "a/../../b",
    "a/./b",
    "a//b",
    "/a",
    "a/",
    "a%2F..%2Fb",
    "a%252F%252e%252e",
    "a/..;x/b",
    "a\uff0f\uff0e\uff0e",
    "%EF%BC%8E%EF%BC%8E/a",
    "//evil.example/a",
]


@pytest.mark.parametrize("value", SLASHED)
def test_allowed_slashes_are_sent_encoded(value: str) -> None:
    request = build("/p/{id}/x", {"id": value}, argument("id", "path", allow_reserved=True))
    assert request.target.count("/") == 3
    assert unquote(request.target) == f"/p/{value}/x"


def test_an_encoded_slash_is_not_encoded_twice() -> None:
    one = argument("id", "path", allow_reserved=True)
    assert build("/p/{id}", {"id": "group%2Fproject"}, one).target == "/p/group%2Fproject"


@pytest.mark.parametrize("value", SLASHED)
def test_a_placeholder_with_a_plus_accepts_several_segments(value: str) -> None:
    request = build("/v2/{+name}/tags", {"name": value}, argument("name", "path"))
    assert request.target.count("/") == 3 + value.count("/")
    assert unquote(request.target) == f"/v2/{value}/tags"


@pytest.mark.parametrize("value", CLIMBING)
@pytest.mark.parametrize("place", ["{id}", "{+id}"])
def test_a_value_with_slashes_cannot_traverse_the_path(value: str, place: str) -> None:
    reserved = argument("id", "path", allow_reserved=True)
    with pytest.raises(MappingError):
        build(f"/p/{place}/x", {"id": value}, reserved)


def test_adjacent_values_with_slashes_cannot_combine_into_a_traversal() -> None:
    mapped = [argument(name, "path", allow_reserved=True) for name in "ab"]
    with pytest.raises(MappingError):
        build("/p/{a}{b}", {"a": "x/.", "b": "./y"}, *mapped)


@pytest.mark.parametrize("style", ["label", "matrix", "simple", "json"])
@pytest.mark.parametrize("fields", [{"explode": False}, {"explode": True}], ids=str)
@pytest.mark.parametrize("value", [*TRAVERSALS, [".", ".."], ["", ""], {"..": "/"}, ["a/../b"]])
def test_a_path_value_cannot_traverse_the_path_in_any_style(
    style: str, fields: dict[str, Any], value: Any
) -> None:
    place = argument("id", "path", style=style, **fields)
    try:
        target = build("/p/{id}/x", {"id": value}, place).target
    except MappingError:
        return
    for _ in range(5):
        assert re.fullmatch(r"/p/[^/\\]+/x", target)
        assert target.split("/")[2].partition(";")[0] not in {".", ".."}
        target = unquote(target)


def test_a_path_value_cannot_end_the_path() -> None:
    request = build("/orders/{id}/x", {"id": "a?admin=1#f&b=%3F"}, argument("id", "path"))
    assert request.target == "/orders/a%3Fadmin%3D1%23f%26b%3D%253F/x"


def test_a_placeholder_without_an_argument_is_an_error() -> None:
    with pytest.raises(MappingError, match=r"\{id\}"):
        build("/orders/{id}", {})
