"""Requests to backends of each kind that real APIs accept, through a whole gateway."""

from __future__ import annotations

import json
from typing import Any

import pytest

from support.served_calls import serving

Json = dict[str, Any]

TEXT, INTEGER = {"type": "string"}, {"type": "integer"}
BASE64 = {"type": "string", "contentEncoding": "base64"}
FORM = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data"
CLIENTS_OWN = {"sessionId": "abc", "action": "sendMessage", "toolCallId": "call_1"}
"""Arguments that some clients add to every call."""


def properties(**named: Any) -> Json:
    return {"type": "object", "properties": named}


def entry(
    method: str = "GET", schema: Json | None = None, path: str = "/x", **request: Any
) -> Json:
    written: Json = {"name": "t", "path": path, "method": method, "request": request}
    return written | ({} if schema is None else {"inputSchema": schema})


def mapped(name: str, location: str = "query", **fields: Any) -> Json:
    return {"arguments": [{"name": name, "in": location, **fields}]}


async def asked(written: Json, arguments: Json) -> tuple[str, str]:
    """Return the request line and the body."""
    async with serving(written) as served:
        told = await served.request_of("t", arguments)
    return told["request"], told["body"]


async def refused(written: Json, arguments: Json) -> str:
    async with serving(written) as served:
        result = await served.call("t", arguments)
    assert result["isError"]
    return str(result["content"][0]["text"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (entry(), ("GET /x", "")),
        (entry("POST"), ("POST /x", "")),
        (entry("POST", properties(text=TEXT)), ("POST /x", '{"text":"x"}')),
        (entry(schema=properties(text=TEXT)), ("GET /x?text=x", "")),
        (entry("DELETE", path="/x/{text}"), ("DELETE /x/x", "")),
        (entry("POST", properties(text=TEXT), contentType=FORM), ("POST /x", "text=x")),
        (
            entry("POST", properties(text=TEXT) | {"patternProperties": {"^t": TEXT}}),
            ("POST /x", '{"text":"x","toolCallId":"call_1"}'),
        ),
    ],
)
async def test_arguments_that_the_schema_does_not_name_are_not_sent(
    written: Json, expected: tuple[str, str]
) -> None:
    assert await asked(written, {"text": "x"} | CLIENTS_OWN) == expected


IDS, FILTER = [1, 2, 3], {"status": "open", "owner": "ann"}


@pytest.mark.parametrize(
    ("name", "style", "query"),
    [
        ("ids", {"explode": False}, "ids=1,2,3"),
        ("ids", {}, "ids=1&ids=2&ids=3"),
        ("ids", {"style": "spaceDelimited"}, "ids=1%202%203"),
        ("ids", {"style": "pipeDelimited"}, "ids=1%7C2%7C3"),
        ("ids", {"style": "deepObject"}, "ids%5B%5D=1&ids%5B%5D=2&ids%5B%5D=3"),
        ("filter", {"style": "deepObject"}, "filter%5Bstatus%5D=open&filter%5Bowner%5D=ann"),
        ("filter", {}, "status=open&owner=ann"),
        ("filter", {"explode": False}, "filter=status,open,owner,ann"),
        ("ids", {"style": "json"}, "ids=%5B1%2C2%2C3%5D"),
    ],
)  # fmt: skip
async def test_lists_and_objects_are_written_in_the_styles_of_openapi(
    name: str, style: Json, query: str
) -> None:
    written = entry(schema=properties(ids={}, filter={}), **mapped(name, **style))
    assert await asked(written, {name: IDS if name == "ids" else FILTER}) == (f"GET /x?{query}", "")


SINCE = {"type": "object", "properties": {"from": TEXT, "to": TEXT}}


@pytest.mark.parametrize(
    ("schema", "arguments", "expected"),
    [
        (properties(text=TEXT, since=TEXT), {"text": "tea", "since": None}, '{"text":"tea"}'),
        (properties(since=SINCE), {"since": {"from": "a", "to": None}}, '{"since":{"from":"a"}}'),
        (properties(list={"items": SINCE}), {"list": [{"to": None}]}, '{"list":[{}]}'),
        (properties(map={"additionalProperties": TEXT}), {"map": {"a": None}}, '{"map":{}}'),
        (properties(text={"type": ["string", "null"]}), {"text": None}, '{"text":null}'),
        (properties(text={"enum": ["a"]}), {"text": None}, "{}"),
    ],
)
async def test_null_is_sent_only_where_the_schema_allows_it(
    schema: Json, arguments: Json, expected: str
) -> None:
    assert (await asked(entry("POST", schema), arguments))[1] == expected


@pytest.mark.parametrize(
    ("schema", "arguments", "place"),
    [
        (properties(limit=INTEGER), {"limit": "5"}, 'limit: "5" is not of type "integer"'),
        (properties(limit=INTEGER), {"limit": 5.5}, 'limit: 5.5 is not of type "integer"'),
        (properties(ids={"items": INTEGER}), {"ids": [1, None]}, "ids.1: null is not of type"),
        (
            properties(text=TEXT) | {"required": ["text"]},
            {"text": None},
            'text: null is not of type "string"',
        ),
    ],
)
async def test_an_invalid_argument_is_an_error_and_nothing_is_called(
    schema: Json, arguments: Json, place: str
) -> None:
    told = await refused(entry(schema=schema), arguments)
    assert "nothing was called" in told
    assert place in told


VERSION = {"type": "integer", "default": 2}


@pytest.mark.parametrize(
    ("written", "arguments", "expected"),
    [
        (
            entry(schema=properties(v=VERSION) | {"required": ["v"]}, path="/v{v}"),
            {},
            ("GET /v2", ""),
        ),
        (entry(schema=properties(v=VERSION)), {"v": 3.0}, ("GET /x?v=3", "")),
        (entry(schema=properties(v=VERSION)), {"v": None}, ("GET /x?v=2", "")),
        (entry("POST", properties(v=VERSION, n=INTEGER)), {}, ("POST /x", '{"v":2}')),
        (
            entry("POST", properties(o={"properties": {"v": VERSION}})),
            {"o": {}},
            ("POST /x", '{"o":{"v":2}}'),
        ),
        (
            entry(schema=properties(v={"default": [1, 2]}), **mapped("v", explode=False)),
            {},
            ("GET /x?v=1,2", ""),
        ),
    ],
)  # fmt: skip
async def test_defaults_are_sent_for_arguments_that_the_client_omits(
    written: Json, arguments: Json, expected: tuple[str, str]
) -> None:
    assert await asked(written, arguments) == expected


@pytest.mark.parametrize(
    ("query", "path", "expected"),
    [
        ([("api-version", "7.1")], "/x", "/x?api-version=7.1&q=a"),
        ([("format", "json"), ("key", "a&b=c#d")], "/x", "/x?format=json&key=a%26b%3Dc%23d&q=a"),
        ([("empty", "")], "/x", "/x?empty=&q=a"),
        ([("lang", "ü")], "/x/{id}", "/x/7?lang=%C3%BC&q=a"),
    ],
)
async def test_a_tool_can_declare_fixed_query_parameters(
    query: list[tuple[str, str]], path: str, expected: str
) -> None:
    fixed = [{"name": name, "value": value} for name, value in query]
    written = entry(schema=properties(q=TEXT, id=TEXT), path=path, query=fixed)
    arguments = {"q": "a"} | ({"id": "7"} if "{id}" in path else {})
    assert await asked(written, arguments) == (f"GET {expected}", "")


@pytest.mark.parametrize(
    ("schema", "request_", "arguments", "expected"),
    [
        ({"type": "array"}, {}, [1, 2], "[1,2]"),
        ({"type": "string"}, {}, "x", '"x"'),
        ({"type": "integer"}, {}, 5.0, "5"),
        ({}, {}, None, "null"),
        ({"type": "array"}, {"contentType": "application/x-ndjson"}, [{"a": 1}, 2], '{"a":1}\n2\n'),
        ({"type": "string"}, {"contentType": "text/csv"}, "a,b\n", "a,b\n"),
        ({"type": "object"}, {"contentType": FORM}, {"a": [1, 2]}, "a=1&a=2"),
        ({"type": "array"}, {"contentType": "application/merge-patch+json"}, [None], "[null]"),
    ],
)
async def test_one_argument_can_be_the_whole_body(
    schema: Json, request_: Json, arguments: Any, expected: str
) -> None:
    written = entry("POST", properties(items=schema), body={"from": "items"}, **request_)
    assert await asked(written, {"items": arguments}) == ("POST /x", expected)


@pytest.mark.parametrize(
    ("schema", "request_", "arguments", "expected"),
    [
        (properties() | {"additionalProperties": TEXT}, {}, {"team": "infra"}, '{"team":"infra"}'),
        (properties() | {"additionalProperties": TEXT}, {}, {}, "{}"),
        (properties(a=TEXT), {}, {}, "{}"),
        (properties(), {"body": {"constants": {"v": 1}}}, {}, '{"v":1}'),
        (properties(), {}, {}, ""),
    ],
)
async def test_an_empty_map_of_arguments_is_sent_as_a_body(
    schema: Json, request_: Json, arguments: Json, expected: str
) -> None:
    assert await asked(entry("PUT", schema, **request_), arguments) == ("PUT /x", expected)


def file_part(name: str, file_name: str, data: str, kind: str = "application/octet-stream") -> str:
    head = f'Content-Disposition: form-data; name="{name}"; filename="{file_name}"'
    return f"{head}\r\nContent-Type: {kind}\r\n\r\n{data}\r\n"


META_PART = (
    'Content-Disposition: form-data; name="meta"\r\nContent-Type: application/json\r\n\r\n'
    '{"a":1}\r\n'
)


@pytest.mark.parametrize(
    ("schema", "request_", "arguments", "parts"),
    [
        (properties(file=BASE64), {}, {"file": "aGVsbG8="}, [file_part("file", "file", "hello")]),
        (
            properties(file=BASE64, name=TEXT),
            mapped("file", "body", fileNameFrom="name", contentType="text/plain"),
            {"file": "aGVsbG8=", "name": "a b.txt"},
            [file_part("file", "a b.txt", "hello", "text/plain")],
        ),
        (
            properties(files={"type": "array", "items": BASE64}, names={"type": "array"}),
            mapped("files", "body", fileNameFrom="names", fileName="c"),
            {"files": ["YQ==", "Yg=="], "names": ["a"]},
            [file_part("files", "a", "a"), file_part("files", "c", "b")],
        ),
        (
            properties(title=TEXT, meta={"type": "object"}),
            {},
            {"title": "é", "meta": {"a": 1}},
            [
                'Content-Disposition: form-data; name="title"\r\n\r\né\r\n',
                META_PART,
            ],
        ),
    ],
)
async def test_files_are_uploaded_in_parts(
    schema: Json, request_: Json, arguments: Json, parts: list[str]
) -> None:
    _, body = await asked(entry("POST", schema, contentType=MULTIPART, **request_), arguments)
    boundary = body.partition("\r\n")[0]
    assert body.split(boundary + "\r\n")[1:] == [*parts[:-1], f"{parts[-1]}{boundary}--\r\n"]


@pytest.mark.parametrize(
    ("kind", "schema", "argument", "expected"),
    [
        ("application/octet-stream", BASE64, "aGVsbG8=", "hello"),
        ("image/png", {"type": "string", "format": "binary"}, "aGVsbG8", "hello"),
        ("application/octet-stream", TEXT, "aGVsbG8=", "aGVsbG8="),
        ("application/json", BASE64, "aGVsbG8=", '{"file":"aGVsbG8="}'),
    ],
)
async def test_base64_arguments_are_sent_decoded_to_binary_bodies(
    kind: str, schema: Json, argument: str, expected: str
) -> None:
    written = entry("PUT", properties(file=schema), contentType=kind)
    assert await asked(written, {"file": argument}) == ("PUT /x", expected)


async def test_an_argument_that_is_not_base64_is_an_error() -> None:
    written = entry("PUT", properties(file=BASE64), contentType="application/octet-stream")
    assert "'file' is not base64" in await refused(written, {"file": "not base64!"})


@pytest.mark.parametrize(
    ("method", "request_", "expected"),
    [
        ("DELETE", mapped("ids", "body"), ("DELETE /x", '{"ids":["a"]}')),
        ("DELETE", {"body": {"from": "ids"}}, ("DELETE /x", '["a"]')),
        ("DELETE", {}, ("DELETE /x?ids=a", "")),
        ("GET", mapped("ids", "body"), ("GET /x", '{"ids":["a"]}')),
        ("OPTIONS", mapped("ids", "body"), ("OPTIONS /x", '{"ids":["a"]}')),
        (
            "DELETE",
            {"body": {"constants": {"force": True}}},
            ("DELETE /x?ids=a", '{"force":true}'),
        ),
    ],
)
async def test_any_method_but_head_can_have_a_body(
    method: str, request_: Json, expected: tuple[str, str]
) -> None:
    written = entry(method, properties(ids={"type": "array"}), **request_)
    assert await asked(written, {"ids": ["a"]}) == expected


@pytest.mark.parametrize(
    ("path", "value", "expected"),
    [
        ("/p/{id}/issues", "group/project", "/p/group%2Fproject/issues"),
        ("/p/{id}/issues", "group%2Fproject", "/p/group%2Fproject/issues"),
        ("/p/{id}", "a/b/c d", "/p/a%2Fb%2Fc%20d"),
        ("/p/{+id}/raw", "docs/a b.md", "/p/docs/a%20b.md/raw"),
    ],
)
async def test_a_tool_can_allow_slashes_in_a_path_argument(
    path: str, value: str, expected: str
) -> None:
    written = entry(
        schema=properties(id=TEXT), path=path, **mapped("id", "path", allowReserved=True)
    )
    assert await asked(written, {"id": value}) == (f"GET {expected}", "")


@pytest.mark.parametrize("value", ["../a", "a/../b", "a/%2e%2e/b", "a//b", "/a", "a/", "a\\b", "."])
@pytest.mark.parametrize("path", ["/p/{id}", "/p/{+id}"])
async def test_a_path_argument_cannot_leave_its_place_with_slashes_or_dots(
    path: str, value: str
) -> None:
    written = entry(
        schema=properties(id=TEXT), path=path, **mapped("id", "path", allowReserved=True)
    )
    assert "'id' is part of the path" in await refused(written, {"id": value})


@pytest.mark.parametrize("value", ["group/project", "group%2Fproject", "a%252Fb", "a\uff0fb"])
async def test_a_path_argument_with_a_slash_is_refused_by_default(value: str) -> None:
    told = await refused(entry(path="/p/{id}"), {"id": value})
    assert "'id' is one segment of the path" in told


async def test_integers_of_any_size_are_sent_exactly() -> None:
    _, body = await asked(
        entry("POST", properties(n=INTEGER)), {"n": 123456789012345678901234567890}
    )
    assert json.loads(body) == {"n": 123456789012345678901234567890}
