from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.gateway.contract import MISSING
from mcp_operator.gateway.upstream.answer import MAX_ERROR_TEXT, Answer
from mcp_operator.gateway.upstream.content import (
    fixed_contents,
    is_error_status,
    tool_result,
)
from support.answers import PNG, map_answer, text_of
from support.entries import backend, tool


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
def test_structured_content_is_returned_as_the_mapping_declares(
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


def test_a_json_path_selects_a_part_before_other_mappings() -> None:
    result = map_answer(
        b'{"data": {"text": "hi"}}', "application/json", response={"json_path": "$.data.text"}
    )
    assert text_of(result) == "hi"
    assert result.structured is MISSING


@pytest.mark.parametrize("path", ["$.absent", "$[0]"])
def test_a_json_path_that_finds_nothing_is_an_error(path: str) -> None:
    result = map_answer(b"{}", "application/json", response={"json_path": path})
    assert result.is_error
    assert path in text_of(result)


@pytest.mark.parametrize(
    "body",
    [
        b'{"a":',
        b'{"a":1} x',
        b"/* a */ {}",
        b"\xff\xfe\xff",
        b"[" * 40_000,
        b'"\\ud800"',
        b"<html>",
    ],
)
def test_invalid_json_with_a_json_content_type_is_an_error(body: bytes) -> None:
    result = map_answer(body, "application/json")
    assert result.is_error
    assert "not the JSON" in text_of(result)


@pytest.mark.parametrize("body", [b"NaN", b'{"a": Infinity}', b"[1,-Infinity]", b'{"a":[NaN]}'])
def test_json_with_nan_or_infinity_is_returned_as_text(body: bytes) -> None:
    result = map_answer(body, "application/json")
    assert (text_of(result), result.is_error, result.structured) == (body.decode(), False, MISSING)


@pytest.mark.parametrize(
    "asked",
    [
        {"output_schema": {"type": "object"}},
        {"response": {"structured": "Always"}},
        {"response": {"jmes_path": "a"}},
    ],
)
def test_json_with_nan_or_infinity_is_an_error_if_the_tool_expects_json(
    asked: dict[str, Any],
) -> None:
    result = map_answer(b'{"a":NaN}', "application/json", **asked)
    assert result.is_error
    assert 'has NaN or an infinity, which JSON does not allow. The answer: {"a":NaN}' in (
        text_of(result)
    )


def test_a_result_that_violates_the_output_schema_is_an_error() -> None:
    result = map_answer(
        b'{"a":1}', "application/json", output_schema={"type": "object"}, problems=("a: bad",)
    )
    assert result.is_error
    assert "outputSchema: a: bad" in text_of(result)
    assert text_of(result).startswith("The backend answered 200 OK: the call was made")
    assert text_of(result).endswith('The answer: {"a":1}')
    assert result.structured is MISSING


def test_text_is_an_error_if_the_tool_has_an_output_schema() -> None:
    promised: dict[str, Any] = {"output_schema": {"type": "object"}}
    assert map_answer(b"hello", "text/plain", **promised).is_error
    assert not map_answer(
        b"hello", "text/plain", response={"structured": "Never"}, **promised
    ).is_error


@pytest.mark.parametrize("content_type", ["text/plain", "text/html; charset=utf-8", ""])
@pytest.mark.parametrize(
    "asked",
    [
        {"output_schema": {"type": "object"}},
        {"response": {"structured": "Always"}},
        {"response": {"json_path": "$"}},
    ],
)
def test_json_with_another_content_type_is_parsed_if_the_tool_expects_json(
    content_type: str, asked: dict[str, Any]
) -> None:
    assert map_answer(b'{"id":4711}', content_type, **asked).structured == {"id": 4711}


def test_lines_of_json_are_a_list_if_the_tool_expects_json_or_else_text() -> None:
    lines = b'{"a":1}\n{"a":2}\n'
    asked = map_answer(lines, "application/x-ndjson", response={"json_path": "$[1].a"})
    assert text_of(asked) == "2"
    assert text_of(map_answer(lines, "application/x-ndjson")) == lines.decode()


@pytest.mark.parametrize("end", ["", "\n", "\r\n\r\n"])
def test_lines_of_json_with_the_content_type_json_are_a_list(end: str) -> None:
    lines = ('{"status":"pulling"}\n{"status":"done"}' + end).encode()
    result = map_answer(lines, "application/json")
    assert text_of(result) == '[{"status":"pulling"},{"status":"done"}]'
    picked = map_answer(lines, "application/json", response={"json_path": "$[*].status"})
    assert text_of(picked) == '["pulling","done"]'


@pytest.mark.parametrize("line", ["\n", "\r\n", "\r"])
def test_events_are_a_list_of_their_data_if_the_tool_expects_json(line: str) -> None:
    events = ': ping||event: a|id: 1|data: {"a":1.10}||data: [1,|data: 2]||data||data: [DONE]||'
    body = events.replace("|", line).encode()
    asked = map_answer(body, "text/event-stream", response={"json_path": "$"})
    assert text_of(asked) == '[{"a":1.10},[1,2],"","[DONE]"]'
    first = map_answer(body, "text/event-stream", response={"json_path": "$[0].a"})
    assert text_of(first) == "1.10"
    assert text_of(map_answer(body, "text/event-stream")) == body.decode()


@pytest.mark.parametrize("break_", ["\u2028", "\u2029", "\x85"])
def test_a_unicode_line_break_in_a_string_does_not_end_a_line(break_: str) -> None:
    value = f'{{"a":"one{break_}two"}}'
    events = map_answer(
        f"data: {value}\n\n".encode(), "text/event-stream", response={"json_path": "$"}
    )
    assert text_of(events) == f"[{value}]"
    lines = f"{value}\n{value}\n".encode()
    for type_ in ("application/x-ndjson", "application/json"):
        shown = text_of(map_answer(lines, type_, response={"json_path": "$"}))
        assert shown == f"[{value},{value}]"


def test_numbers_are_returned_as_the_backend_wrote_them() -> None:
    body = b'{"a":1.10,"b":1e400,"c":123456789012345678901234567890}'
    assert text_of(map_answer(body, "application/json")) == body.decode()
    assert text_of(map_answer(body, "application/json", response={"json_path": "$.b"})) == "1e400"


@pytest.mark.parametrize(
    ("named", "shown"), [((), False), (("If-None-Match",), True), (("if-modified-since",), True)]
)
def test_a_304_is_an_error_unless_the_tool_forwards_conditional_headers(
    named: tuple[str, ...], shown: object
) -> None:
    asking = backend(forward_headers=named)
    assert map_answer(b"", status=304, to=asking).is_error is not shown


def test_headers_that_a_model_needs_are_in_the_result_and_sanitized() -> None:
    headers = (
        ("link", '</p?c=2>; rel="next"'),
        ("set-cookie", "a=b"),
        ("link", '</p>; rel="first"'),
        ("x-total-count", "13\u202e42\udcff"),
    )
    answer = Answer(200, "application/json", b"[]", headers)
    content = tool_result(tool(), answer, lambda _: []).content
    assert content[1]["text"] == (
        'Headers of the answer:\nLink: </p?c=2>; rel="next", </p>; rel="first"\nX-Total-Count: 1342'
    )
    silent = tool(response=ResponseMapping(headers=()))
    assert len(tool_result(silent, answer, lambda _: []).content) == 1


def test_an_error_contains_the_retry_after_header() -> None:
    answer = Answer(429, "text/plain", b"slow down", (("retry-after", "17"),))
    result = tool_result(tool(), answer, lambda _: [])
    assert result.is_error
    assert result.content[1]["text"].endswith("Retry-After: 17")


def test_a_truncated_response_contains_a_note() -> None:
    answer = Answer(200, "text/event-stream", b"data: 1\n\n", cut="after 1 events (maxEvents)")
    note = tool_result(tool(), answer, lambda _: []).content[1]["text"]
    assert "reading ended after 1 events" in note


@pytest.mark.parametrize("content_type", ["", "application/json", "image/png", "audio/wav"])
@pytest.mark.parametrize("body", [b"", b"\r\n"])
def test_a_success_without_content_is_not_an_error_for_any_content_type(
    content_type: str, body: bytes
) -> None:
    for response in ({}, {"json_path": "$.a"}, {"structured": "Always"}):
        result = map_answer(body, content_type, status=204, response=response)
        assert text_of(result) == "The backend answered 204 No Content without content."
        assert not result.is_error


def test_an_empty_response_to_an_output_schema_tells_that_the_call_succeeded() -> None:
    result = map_answer(b"", "application/json", status=204, output_schema={"type": "object"})
    assert result.is_error  # otherwise clients refuse it, without structured content
    assert "the call succeeded and returned nothing, so do not repeat it" in text_of(result)


@pytest.mark.parametrize(
    ("spec", "status", "expected"),
    [
        ("4xx,5xx", 404, True),
        ("4xx,5xx", 200, False),
        ("5XX, 201", 201, True),
        ("5xx", 404, False),
        ("404", 400, False),
        ("4xx,5xx", 600, True),
        ("4xx,5xx", 999, True),
        ("999", 999, True),
        ("4xx", 999, False),
    ],
)
def test_error_statuses_are_classes_or_numbers(spec: str, status: int, expected: object) -> None:
    assert is_error_status(spec, status) is expected


def test_an_error_status_is_returned_with_the_body_of_the_response() -> None:
    result = map_answer(b'{"error":"no such order"}', "application/json", status=404)
    assert result.is_error
    assert text_of(result) == 'The backend answered 404 Not Found: {"error":"no such order"}'


@pytest.mark.parametrize("type_", ["text/plain", "application/json", "application/problem+json"])
def test_an_error_that_cannot_be_decoded_has_replacement_characters(type_: str) -> None:
    result = map_answer("Größe fehlt".encode("latin1"), type_, status=400)
    assert text_of(result).endswith("400 Bad Request: Gr\ufffd\ufffde fehlt")
    binary = map_answer(b"\xff\xfe\x00", "application/pdf", status=400)
    assert text_of(binary) == "The backend answered 400 Bad Request."


def test_a_success_that_cannot_be_decoded_tells_not_to_repeat_the_call() -> None:
    result = map_answer('{"id":4711,"name":"Grün"}'.encode("latin1"), "application/json")
    assert result.is_error
    assert "do not repeat it" in text_of(result)
    assert '{"id":4711,"name":"Gr\ufffdn"}' in text_of(result)


def test_an_unknown_status_is_shown_without_a_reason_phrase() -> None:
    assert text_of(map_answer(PNG, "image/png", status=599)) == "The backend answered 599."


@pytest.mark.parametrize("status", [301, 302, 308])
def test_a_redirect_is_an_error_for_any_mapping(status: int) -> None:
    result = map_answer(b"moved", "text/plain", status=status, response={"error_status": "5xx"})
    assert result.is_error
    assert "a redirect without a location" in text_of(result)


def test_the_text_of_an_error_is_truncated_and_sanitized() -> None:
    hidden = "a\x00\x1b[31m\u202eb\u200bc\U000e0041\r\nd\te"
    assert text_of(map_answer(hidden.encode(), "text/plain", status=500)).endswith(
        ": a[31mbc\nd\te"
    )
    long = text_of(map_answer(b"x" * 10_000_000, "text/plain", status=500))
    assert len(long) < MAX_ERROR_TEXT + 100
    assert long.endswith("…")


def test_fixed_contents_are_returned_unchanged() -> None:
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
def test_any_response_becomes_a_result_that_can_be_encoded(
    status: int, content_type: str, body: bytes, structured: str
) -> None:
    result = map_answer(body, content_type, status=status, response={"structured": structured})
    sendable = list(result.content)
    if result.structured is not MISSING:
        sendable.append(result.structured)
    json.dumps(sendable, ensure_ascii=False, allow_nan=False).encode()
    assert result.content


def test_a_jmes_path_is_applied_to_what_the_json_path_selects() -> None:
    result = map_answer(
        b'{"data":[{"id":1.10,"x":2}]}',
        "application/json",
        response={"json_path": "$.data", "jmes_path": "[*].{id: id}"},
    )
    assert text_of(result) == '[{"id":1.10}]'


def test_a_success_for_which_error_when_is_true_is_an_error_with_the_body() -> None:
    response = {"error_when": "!body.ok"}
    failed = map_answer(b'{"ok":false,"error":"no"}', "application/json", response=response)
    assert failed.is_error
    assert text_of(failed) == (
        'The backend answered 200 OK, but the answer reports an error: {"ok":false,"error":"no"}'
    )
    assert not map_answer(b'{"ok":true}', "application/json", response=response).is_error


def test_error_when_is_evaluated_if_a_header_is_not_valid_text() -> None:
    headers = (("content-disposition", "filename=expos\udce9"), ("x-status", "failed"))
    answer = Answer(200, "text/plain", b"no", headers)
    called = tool(response={"error_when": "headers['x-status'] == 'failed'"})
    assert tool_result(called, answer, lambda _: []).is_error


@pytest.mark.parametrize("body", [b"{}", b"text", b""])
def test_a_failed_evaluation_of_error_when_is_logged_and_not_an_error(
    body: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert not map_answer(body, "text/plain", response={"error_when": "!body.ok"}).is_error
    assert "Cannot evaluate errorWhen" in caplog.text
