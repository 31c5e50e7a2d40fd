from __future__ import annotations

import pytest

from mcp_operator.api.catalog import SHOWN_HEADERS, ResponseMapping
from mcp_operator.api.v1alpha1.response import ToolResponse
from mcp_operator.builders.compile_response import compile_response
from mcp_operator.builders.compiled import InvalidError


def test_the_defaults_match_those_of_the_catalog() -> None:
    assert compile_response(ToolResponse()) == ResponseMapping()
    assert ResponseMapping().headers == SHOWN_HEADERS


def test_every_field_reaches_the_catalog() -> None:
    written = {
        "jsonPath": "$.a",
        "mimeType": "text/csv; charset=latin1",
        "jmesPath": "b",
        "errorWhen": "body.c",
        "structured": "Never",
        "errorStatus": "5xx",
        "headers": ["X-A"],
        "followRedirects": "Never",
        "stream": {"maxEvents": 2, "maxDuration": "1m"},
    }
    assert compile_response(ToolResponse.model_validate(written)) == ResponseMapping(
        json_path="$.a",
        mime_type="text/csv; charset=latin1",
        jmes_path="b",
        error_when="body.c",
        structured="Never",
        error_status="5xx",
        headers=("X-A",),
        follow_redirects="Never",
        stream_max_events=2,
        stream_max_seconds=60,
    )


@pytest.mark.parametrize(
    ("field", "expression"),
    [
        ("jsonPath", "$["),
        ("jsonPath", "$[?nosuch(@)]"),
        ("jmesPath", "a["),
        ("jmesPath", "nosuch(@)"),
        ("errorWhen", "body =="),
        ("errorWhen", "answer.ok"),
        ("errorWhen", "body.all(a, body.all(b, a == b))"),
    ],
)
def test_an_invalid_expression_is_rejected(field: str, expression: str) -> None:
    with pytest.raises(InvalidError, match=rf"response\.{field}: the "):
        compile_response(ToolResponse.model_validate({field: expression}))
