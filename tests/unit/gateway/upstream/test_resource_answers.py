"""How a response becomes the content of a resource."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from mcp_operator.api.catalog import ResponseMapping
from mcp_operator.gateway.contract import ResourceUnavailable
from mcp_operator.gateway.upstream.answer import Answer
from mcp_operator.gateway.upstream.content import resource_contents
from support.entries import resource

URI = "docs://a"
ORDERS = b'{"orders":[{"id":1,"total":1.10},{"id":2,"total":3}],"name":"\xc3\xbc"}'


def read(
    body: bytes, content_type: str = "application/json", status: int = 200, **response: Any
) -> dict[str, Any]:
    cut = response.pop("cut", "")
    answer = Answer(status, content_type, body, cut=cut)
    mapping = ResponseMapping(**response)
    [content] = resource_contents(resource(uri=URI), mapping, answer, URI)
    assert content["uri"] == URI
    return content


def refused(*args: Any, **fields: Any) -> str:
    with pytest.raises(ResourceUnavailable) as caught:
        read(*args, **fields)
    return str(caught.value)


@pytest.mark.parametrize(
    ("response", "mime_type", "text"),
    [
        ({"json_path": "$.orders[0]"}, "application/json", '{"id":1,"total":1.10}'),
        ({"json_path": "$.orders[?@.total > 2].id"}, "application/json", "[2]"),
        ({"json_path": "$.name"}, "text/plain", "ü"),
        ({"jmes_path": "orders[].{nr: id}"}, "application/json", '[{"nr":1},{"nr":2}]'),
        ({"json_path": "$.orders", "jmes_path": "[*].id"}, "application/json", "[1,2]"),
        ({"json_path": "$.name", "mime_type": "text/markdown"}, "text/markdown", "ü"),
    ],
)
def test_a_part_of_a_response_can_be_the_content(
    response: dict[str, Any], mime_type: str, text: str
) -> None:
    assert read(ORDERS, **response) == {"uri": URI, "mimeType": mime_type, "text": text}


def test_lines_of_json_are_parsed_before_a_part_is_selected() -> None:
    lines = read(b'{"a":1}\n{"a":2}\n', "application/x-ndjson", json_path="$[*].a",
                 mime_type="text/plain")  # fmt: skip
    assert lines["text"] == "[1,2]"
    declared = read(b'{"a":1}\n{"a":2}\n', "text/plain", json_path="$[*].a",
                    mime_type="application/x-ndjson")  # fmt: skip
    assert declared["text"] == "[1,2]"


@pytest.mark.parametrize(
    ("body", "response", "sentence"),
    [
        (b"<p>", {"json_path": "$.a"}, "200 OK, but its body is not the JSON"),
        (b"{}", {"json_path": "$.a"}, "200 OK, but the answer has nothing at $.a."),
        (b'{"a":"x"}', {"jmes_path": "abs(a)"}, "200 OK, but the JMESPath abs(a) fails"),
        (b'{"ok":false}', {"error_when": "!body.ok"}, "but the answer reports an error"),
    ],
)
def test_a_response_without_the_selected_part_is_unavailable(
    body: bytes, response: dict[str, Any], sentence: str
) -> None:
    assert sentence in refused(body, **response)


@pytest.mark.parametrize("status", [302, 304, 404, 500])
def test_a_resource_that_the_backend_refuses_is_unavailable(status: int) -> None:
    assert str(status) in refused(b"", "text/plain", status)


def test_the_declared_error_statuses_decide_what_is_an_error() -> None:
    assert read(b"none yet", "text/plain", 404, error_status="5xx")["text"] == "none yet"
    assert "202 Accepted" in refused(b"later", "text/plain", 202, error_status="202,5xx")


def test_an_error_is_read_with_its_own_type_and_not_that_of_the_resource() -> None:
    assert "gone forever" in refused(b"gone forever", "text/plain", 410, mime_type="image/png")


def test_a_truncated_stream_is_marked() -> None:
    found = read(b"data: 1\n\n", "text/event-stream", cut="after 1 events (maxEvents)")
    assert found["_meta"] == {"mcp-operator.dev/cut": "after 1 events (maxEvents)"}
    assert "_meta" not in read(b"data: 1\n\n", "text/event-stream")


def test_a_failed_evaluation_of_error_when_is_logged_with_the_resource(
    caplog: pytest.LogCaptureFixture,
) -> None:
    with caplog.at_level(logging.WARNING):
        assert read(b"{}", error_when="!body.ok")["text"] == "{}"
    assert [record.entry for record in caplog.records] == ["docs"]  # type: ignore[attr-defined] # an extra
