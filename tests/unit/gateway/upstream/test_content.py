from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.gateway.contract import MISSING, ResourceUnavailable, ToolResult
from mcp_operator.gateway.upstream.content import (
    MAX_ERROR_TEXT,
    Answer,
    fixed_contents,
    is_error_status,
    resource_contents,
    tool_result,
)
from support.entries import tool

PNG = b"\x89PNG\r\n\x1a\n\x00\xff"


def map_answer(
    body: bytes,
    content_type: str = "",
    *,
    status: int = 200,
    problems: tuple[str, ...] = (),
    **fields: Any,
) -> ToolResult:
    response = ResponseMapping(**fields.pop("response", {}))
    entry = tool(response=response, **fields)
    return tool_result(entry, Answer(status, content_type, body), lambda _: list(problems))


def text_of(result: ToolResult) -> str:
    (block,) = result.content
    assert block["type"] == "text"
    return str(block["text"])


def test_a_json_object_is_text_and_structured_content() -> None:
    result = map_answer(b'{"a": [1, "\xc3\xbc"]}', "Application/JSON; charset=utf-8")
    assert text_of(result) == '{"a":[1,"ü"]}'
    assert result.structured == {"a": [1, "ü"]}
    assert not result.is_error


@pytest.mark.parametrize(
    ("structured", "body", "output_schema", "expected"),
    [
        ("Auto", b"[1]", None, MISSING),
        ("Auto", b"[1]", {"type": "array"}, [1]),
        ("Auto", b"null", {}, None),
        ("Always", b"[1]", None, [1]),
        ("Never", b'{"a":1}', None, MISSING),
    ],
)
def test_structured_content_follows_the_mapping(
    structured: str, body: bytes, output_schema: Any, expected: Any
) -> None:
    result = map_answer(
        body,
        "application/problem+json",
        response={"structured": structured},
        output_schema=output_schema,
    )
    assert result.structured == expected
    assert not result.is_error


def test_a_json_path_picks_before_anything_else() -> None:
    result = map_answer(
        b'{"data": {"text": "hi"}}', "application/json", response={"json_path": "$.data.text"}
    )
    assert text_of(result) == "hi"
    assert result.structured is MISSING


@pytest.mark.parametrize("path", ["$.absent", "$..all"])
def test_a_json_path_that_finds_nothing_is_an_error(path: str) -> None:
    result = map_answer(b"{}", "application/json", response={"json_path": path})
    assert result.is_error
    assert path in text_of(result)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"a":',
        b"NaN",
        b'{"a": Infinity}',
        b"\xff\xfe\xff",
        b"[" * 100_000,
        b"9" * 10_000,
        b'"\\ud800"',
        b"<html>",
    ],
)
def test_what_says_json_and_is_not_is_an_error(body: bytes) -> None:
    result = map_answer(body, "application/json")
    assert result.is_error
    assert "not the JSON" in text_of(result)


def test_a_result_that_breaks_the_output_schema_is_an_error() -> None:
    result = map_answer(
        b'{"a":1}', "application/json", output_schema={"type": "object"}, problems=("a: bad",)
    )
    assert result.is_error
    assert "outputSchema: a: bad" in text_of(result)
    assert result.structured is MISSING


def test_text_where_json_was_promised_is_an_error() -> None:
    promised: dict[str, Any] = {"output_schema": {"type": "object"}}
    assert map_answer(b"hello", "text/plain", **promised).is_error
    assert not map_answer(
        b"hello", "text/plain", response={"structured": "Never"}, **promised
    ).is_error


@pytest.mark.parametrize(
    ("content_type", "body", "expected"),
    [
        ("text/plain", "grüße".encode(), "grüße"),
        ("text/html; charset=ISO-8859-1", b"gr\xfc\xdfe", "grüße"),
        ("text/plain; charset=base64", b"abc", "abc"),
        ("text/plain; charset=utf-99", b"abc", "abc"),
        ("text/plain", b"a\xffb", "a\ufffdb"),
        ("application/xml", b"<a/>", "<a/>"),
        ("application/rss+xml", b"<a/>", "<a/>"),
        ("application/yaml", b"a: 1", "a: 1"),
        ("", b"plain", "plain"),
    ],
)
def test_text_becomes_a_text_block(content_type: str, body: bytes, expected: str) -> None:
    assert text_of(map_answer(body, content_type)) == expected


@pytest.mark.parametrize(("content_type", "kind"), [("image/png", "image"), ("audio/wav", "audio")])
def test_pictures_and_sound_become_their_blocks(content_type: str, kind: str) -> None:
    (block,) = map_answer(PNG, content_type).content
    assert block["type"] == kind
    assert block["mimeType"] == content_type
    assert base64.b64decode(block["data"]) == PNG


@pytest.mark.parametrize(
    ("content_type", "mime_type"),
    [("application/pdf", "application/pdf"), ("", "application/octet-stream")],
)
def test_other_bytes_become_an_embedded_resource(content_type: str, mime_type: str) -> None:
    (block,) = map_answer(PNG, content_type, name="get/pdf").content
    assert block["type"] == "resource"
    assert block["resource"]["uri"] == "tool://get%2Fpdf/result"
    assert block["resource"]["mimeType"] == mime_type
    assert base64.b64decode(block["resource"]["blob"]) == PNG


def test_an_empty_answer_says_so() -> None:
    result = map_answer(b"", status=204)
    assert text_of(result) == "The backend answered 204 No Content without content."
    assert not result.is_error


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ("4xx,5xx", 404, True),
        ("4xx,5xx", 200, False),
        ("5XX, 201", 201, True),
        ("5xx", 404, False),
        ("404", 400, False),
    ],
)
def test_error_statuses_are_classes_or_numbers(spec: str, status: int, expected: object) -> None:
    assert is_error_status(spec, status) is expected


def test_an_error_status_carries_the_backends_words() -> None:
    result = map_answer(b'{"error":"no such order"}', "application/json", status=404)
    assert result.is_error
    assert text_of(result) == 'The backend answered 404 Not Found: {"error":"no such order"}'


def test_an_unknown_status_has_no_phrase() -> None:
    assert text_of(map_answer(PNG, "image/png", status=599)) == "The backend answered 599."


@pytest.mark.parametrize("status", [300, 302, 304, 308, 399])
def test_a_redirect_is_an_error_whatever_the_mapping_says(status: int) -> None:
    result = map_answer(b"moved", "text/plain", status=status, response={"error_status": "5xx"})
    assert result.is_error
    assert "redirects are not followed" in text_of(result)


def test_an_errors_text_is_short_and_shows_what_it_holds() -> None:
    hidden = "a\x00\x1b[31m\u202eb\u200bc\U000e0041\r\nd\te"
    assert text_of(map_answer(hidden.encode(), "text/plain", status=500)).endswith(
        ": a[31mbc\nd\te"
    )
    long = text_of(map_answer(b"x" * 10_000_000, "text/plain", status=500))
    assert len(long) < MAX_ERROR_TEXT + 100
    assert long.endswith("…")


def test_a_resource_takes_the_backends_type_or_its_own() -> None:
    assert resource_contents(
        Answer(200, "text/csv; charset=utf-8", b"a,b"), "x:1", "text/plain"
    ) == ({"uri": "x:1", "mimeType": "text/csv", "text": "a,b"},)
    assert resource_contents(Answer(200, "", PNG), "x:1", "image/png") == (
        {"uri": "x:1", "mimeType": "image/png", "blob": base64.b64encode(PNG).decode()},
    )
    assert resource_contents(Answer(200, "", b"a"), "x:1", "") == ({"uri": "x:1", "text": "a"},)


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_resource_that_the_backend_refuses_is_unavailable(status: int) -> None:
    with pytest.raises(ResourceUnavailable, match=str(status)):
        resource_contents(Answer(status, "text/plain", b""), "x:1", "text/plain")


def test_fixed_contents_are_given_as_they_are() -> None:
    assert fixed_contents("x:1", "text/plain", text="") == (
        {"uri": "x:1", "mimeType": "text/plain", "text": ""},
    )
    assert fixed_contents("x:1", "image/png", blob="AA==") == (
        {"uri": "x:1", "mimeType": "image/png", "blob": "AA=="},
    )


@settings(max_examples=300)
@given(
    status=st.integers(200, 599),
    content_type=st.sampled_from(
        ["", "application/json", "text/plain", "image/png", "application/pdf"]
    )
    | st.text(),
    body=st.binary(max_size=200) | st.text().map(str.encode),
    structured=st.sampled_from(["Auto", "Always", "Never"]),
)
def test_every_answer_becomes_a_result_that_can_be_sent(
    status: int, content_type: str, body: bytes, structured: str
) -> None:
    result = map_answer(body, content_type, status=status, response={"structured": structured})
    sendable = list(result.content)
    if result.structured is not MISSING:
        sendable.append(result.structured)
    json.dumps(sendable, ensure_ascii=False, allow_nan=False).encode()
    assert result.content
