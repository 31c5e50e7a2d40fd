"""Values in the styles of OpenAPI, compared with its table and with independent parsers."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, parse_qsl, unquote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.gateway.upstream.mapping import MappingError, Request, build_request
from support.entries import argument, backend
from support.fake_upstream import fields

BLUE, LIST, OBJECT = "blue", ["blue", "black", "brown"], {"R": 100, "G": 200, "B": 150}

TABLE = [
    # style, explode, empty text, text, list, object
    ("matrix", False, ";color", ";color=blue", ";color=blue,black,brown",
     ";color=R,100,G,200,B,150"),
    ("matrix", True, ";color", ";color=blue", ";color=blue;color=black;color=brown",
     ";R=100;G=200;B=150"),
    ("label", False, None, ".blue", ".blue,black,brown", ".R,100,G,200,B,150"),
    ("label", True, None, ".blue", ".blue.black.brown", ".R=100.G=200.B=150"),
    ("simple", False, None, "blue", "blue,black,brown", "R,100,G,200,B,150"),
    ("simple", True, None, "blue", "blue,black,brown", "R=100,G=200,B=150"),
    ("form", False, "color=", "color=blue", "color=blue,black,brown", "color=R,100,G,200,B,150"),
    ("form", True, "color=", "color=blue", "color=blue&color=black&color=brown",
     "R=100&G=200&B=150"),
    ("spaceDelimited", False, "color=", "color=blue", "color=blue%20black%20brown",
     "color=R%20100%20G%20200%20B%20150"),
    ("pipeDelimited", False, "color=", "color=blue", "color=blue%7Cblack%7Cbrown",
     "color=R%7C100%7CG%7C200%7CB%7C150"),
    ("deepObject", None, "color=", "color=blue",
     "color%5B%5D=blue&color%5B%5D=black&color%5B%5D=brown",
     "color%5BR%5D=100&color%5BG%5D=200&color%5BB%5D=150"),
]  # fmt: skip
"""OpenAPI 3.1.1, "Style Examples". For deepObject also what the table does not define."""


def sent(value: Any, location: str, **fields: Any) -> Request:
    path = "/x/{color}" if location == "path" else "/x"
    return build_request(backend(path, argument("color", location, **fields)), {"color": value})


@pytest.mark.parametrize("value", [0, 1, 2, 3], ids=["empty", "text", "list", "object"])
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_value_is_written_as_in_the_table_of_openapi(row: tuple[Any, ...], value: int) -> None:
    style, explode, *expected = row
    location = "path" if style in {"matrix", "label", "simple"} else "query"
    given_ = ("", BLUE, LIST, OBJECT)[value]
    if expected[value] is None:  # an empty segment of a path, or only the dot of a label
        with pytest.raises(MappingError, match="'color'"):
            sent(given_, location, style=style, explode=explode)
        return
    target = sent(given_, location, style=style, explode=explode).target
    assert target == ("/x/" if location == "path" else "/x?") + expected[value]


@pytest.mark.parametrize(
    ("location", "same_as"),
    [
        ("path", {"style": "simple", "explode": False}),
        ("header", {"style": "simple", "explode": False}),
        ("query", {"style": "form", "explode": True}),
        ("cookie", {"style": "form", "explode": True}),
    ],
)
@pytest.mark.parametrize("value", [BLUE, LIST, OBJECT])
def test_the_default_style_depends_on_the_location(
    location: str, same_as: dict[str, Any], value: Any
) -> None:
    assert sent(value, location) == sent(value, location, **same_as)


@pytest.mark.parametrize("style", ["spaceDelimited", "pipeDelimited"])
def test_explode_writes_one_pair_for_each_item_in_any_style(style: str) -> None:
    assert (
        sent(LIST, "query", style=style, explode=True).target
        == "/x?color=blue&color=black&color=brown"
    )


@pytest.mark.parametrize("style", ["form", "spaceDelimited", "pipeDelimited", "deepObject"])
@pytest.mark.parametrize("value", [None, [], {}, [None], {"a": None}])
def test_empty_values_are_not_sent_in_the_query(style: str, value: Any) -> None:
    assert sent(value, "query", style=style).target == "/x"


@pytest.mark.parametrize(
    ("value", "names"),
    [
        ({"b": ["c", "d"]}, [("color[b][]", "c"), ("color[b][]", "d")]),
        ({"b": [{"c": 1}, {"c": 2}]}, [("color[b][0][c]", "1"), ("color[b][1][c]", "2")]),
        ([{"price": "x", "n": 2}], [("color[0][price]", "x"), ("color[0][n]", "2")]),
        ({"b": {"c": True}}, [("color[b][c]", "true")]),
    ],
)
def test_nested_values_are_named_with_brackets(value: Any, names: list[tuple[str, str]]) -> None:
    target = sent(value, "query", style="deepObject").target
    assert parse_qsl(target.partition("?")[2]) == names


def test_lists_and_objects_are_written_as_cookies() -> None:
    assert fields(sent(LIST, "cookie")) == (("Cookie", "color=blue; color=black; color=brown"),)
    assert fields(sent(OBJECT, "cookie")) == (("Cookie", "R=100; G=200; B=150"),)
    assert fields(sent(LIST, "cookie", explode=False)) == (("Cookie", "color=blue,black,brown"),)


def test_objects_are_written_in_headers() -> None:
    assert fields(sent(OBJECT, "header")) == (("color", "R,100,G,200,B,150"),)
    assert fields(sent(OBJECT, "header", explode=True)) == (("color", "R=100,G=200,B=150"),)


@pytest.mark.parametrize("value", [None, [], {}, [None], {"a": None}])
@pytest.mark.parametrize("explode", [False, True])
def test_empty_values_are_not_sent_in_headers_and_cookies(value: Any, *, explode: bool) -> None:
    for location in ("header", "cookie"):
        assert fields(sent(value, location, explode=explode)) == ()


@pytest.mark.parametrize(
    ("value", "written"),
    [
        ({"a": "é", "b": [None]}, '{"a":"\\u00e9","b":[null]}'),
        ("日本 \U0001f600", '"\\u65e5\\u672c \\ud83d\\ude00"'),
        ("a\r\nX-Admin: 1", r'"a\r\nX-Admin: 1"'),
        ([], "[]"),
        ({}, "{}"),
    ],
)
def test_json_in_a_header_is_ascii(value: Any, written: str) -> None:
    request = sent(value, "header", style="json")
    assert fields(request) == (("color", written),)
    assert json.loads(written) == value


def test_half_a_surrogate_pair_in_a_header_is_refused() -> None:
    for style in ("simple", "json"):
        with pytest.raises(MappingError, match="surrogate"):
            sent("a\ud800", "header", style=style)


@pytest.mark.parametrize(
    ("value", "segment"),
    [([], "%5B%5D"), ({}, "%7B%7D"), ([None], "%5Bnull%5D"), ("", "%22%22"), (0, "0")],
)
def test_empty_values_in_a_path_can_be_written_as_json(value: Any, segment: str) -> None:
    assert sent(value, "path", style="json").target == f"/x/{segment}"


@pytest.mark.parametrize("style", ["simple", "label", "matrix"])
@pytest.mark.parametrize("explode", [False, True])
@pytest.mark.parametrize("value", [None, [], {}, [None, None], {"a": None}])
def test_empty_values_in_a_path_are_refused(style: str, value: Any, *, explode: bool) -> None:
    with pytest.raises(MappingError, match="'color' is part of the path; give it a value"):
        sent(value, "path", style=style, explode=explode)


@pytest.mark.parametrize("name", ["admin", "ADMIN", " admin "])
def test_a_member_of_an_object_cannot_replace_another_matrix_parameter(name: str) -> None:
    template = backend(
        "/x/{color}{admin}",
        argument("color", "path", style="matrix", explode=True),
        argument("admin", "path", style="matrix"),
    )
    with pytest.raises(MappingError, match="replace another argument"):
        build_request(template, {"color": {name: 1}, "admin": False})
    fine = build_request(template, {"color": {"R": 1, "color": 2}, "admin": False})
    assert fine.target == "/x/;R=1;color=2;admin=false"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("a/b?c=d,e:f", "a/b?c=d,e:f"),
        ("50%25 %", "50%25%20%25"),
        ("a&b=1", "a%26b=1"),
        ("a#b", "a%23b"),
        ("1+1", "1%2B1"),
        ("[a]", "%5Ba%5D"),
        ("ü", "%C3%BC"),
    ],
)
def test_allowed_reserved_characters_are_not_encoded_unless_they_end_the_value(
    value: str, expected: str
) -> None:
    assert sent(value, "query", allow_reserved=True).target == "/x?color=" + expected


@pytest.mark.parametrize("member", ["admin", "ADMIN", " admin", "admin[x]", "api-version"])
@pytest.mark.parametrize("style", [None, "form"])
def test_a_member_of_an_object_cannot_replace_another_query_parameter(
    member: str, style: str | None
) -> None:
    template = backend(
        "/x",
        argument("color", style=style),
        argument("admin"),
        query=[{"name": "Api-Version", "value": "7.1"}],
    )
    with pytest.raises(MappingError, match="replace another argument"):
        build_request(template, {"color": {member: "1"}, "admin": False})


def test_names_that_differ_in_case_are_different_parameters() -> None:
    template = backend("/x", argument("id"), argument("ID"))
    assert build_request(template, {"id": 1, "ID": 2}).target == "/x?id=1&ID=2"


texts = st.text(st.characters(exclude_categories=["Cs"]), min_size=1)


@given(value=st.lists(texts, min_size=1), style=st.sampled_from(["form", "deepObject"]))
def test_a_list_is_read_back_by_another_parser(value: list[str], style: str) -> None:
    parsed = parse_qs(sent(value, "query", style=style).target.partition("?")[2])
    assert parsed == {"color[]" if style == "deepObject" else "color": value}


@given(value=st.lists(texts, min_size=1))
def test_a_list_is_read_back_by_splitting_it_at_its_delimiter(value: list[str]) -> None:
    text = sent(value, "query", explode=False).target.partition("=")[2]
    assert [unquote(part) for part in text.split(",")] == value


@given(value=st.dictionaries(texts, texts, min_size=1))
def test_an_object_is_read_back_by_another_parser(value: dict[str, str]) -> None:
    try:
        exploded = sent(value, "query").target.partition("?")[2]
    except MappingError:
        assert any("color" in name.strip().casefold() for name in value)
        return
    assert dict(parse_qsl(exploded)) == value


@given(value=st.dictionaries(texts, texts, min_size=1))
def test_a_member_of_a_deep_object_cannot_leave_it(value: dict[str, str]) -> None:
    deep = sent(value, "query", style="deepObject").target.partition("?")[2]
    assert dict(parse_qsl(deep)) == {f"color[{name}]": one for name, one in value.items()}


@given(value=texts)
def test_a_reserved_value_stays_one_value(value: str) -> None:
    target = sent(value, "query", allow_reserved=True).target
    [(name, read)] = parse_qsl(target.partition("?")[2], keep_blank_values=True)
    assert (name, unquote(read)) == ("color", unquote(unquote(value)))
