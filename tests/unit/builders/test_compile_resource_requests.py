"""The request and response fields of operations of an MCPResource, which are those of tools."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import Argument, Backend, ResourceEntry, ResponseMapping
from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compile_resource import compile_resource
from support.compiled import facts, operation

URI = {"uri": "docs://all"}
ID = {"name": "id", "in": "query"}


def entry(path: str = "/", **fields: Any) -> ResourceEntry:
    compiled = compile_resource(operation(path, **fields), facts())
    assert compiled.findings == ()
    [only] = compiled.entries
    assert isinstance(only, ResourceEntry)
    return only


def backend(path: str = "/", **fields: Any) -> Backend:
    found = entry(path, **fields).backend
    assert found is not None
    return found


def test_parameters_support_the_styles_of_arguments() -> None:
    written = {"name": "tag", "in": "query", "as": "t", "style": "pipeDelimited", "explode": False}
    found = backend(uriTemplate="docs://all{?tag*}", parameters=[written])
    assert found.arguments == (
        Argument(name="tag", location="query", target="t", style="pipeDelimited", explode=False),
    )


def test_an_operation_can_have_a_body_and_constants() -> None:
    found = backend(
        uriTemplate="docs://all{?id}",
        parameters=[ID | {"in": "body"}],
        body={"constants": {"size": 10}},
        contentType="application/vnd.api+json",
    )
    assert [one.location for one in found.arguments] == ["body"]
    assert (found.constants, found.content_type) == ({"size": 10}, "application/vnd.api+json")


def test_one_parameter_can_be_the_whole_body() -> None:
    found = backend(
        uriTemplate="docs://all{?id}",
        parameters=[ID | {"in": "body"}],
        body={"from": "id"},
        contentType="text/plain",
    )
    assert (found.body_from, found.content_type) == ("id", "text/plain")


def test_headers_of_the_client_can_be_forwarded() -> None:
    assert backend(**URI, forwardHeaders=["Accept-Language"]).forward_headers == (
        "accept-language",
    )
    allowed = backend(**URI, forwardHeaders=["Authorization"], allowCredentialForwarding=True)
    assert allowed.forward_headers == ("authorization",)


def test_all_response_fields_of_an_operation_reach_the_gateway() -> None:
    only = entry(
        **URI,
        jsonPath="$.a",
        jmesPath="b",
        errorWhen="has(body.error)",
        errorStatus="5xx",
        followRedirects="Never",
        stream={"maxEvents": 2, "maxDuration": "3s"},
        mimeType="text/csv",
    )
    assert only.response == ResponseMapping(
        json_path="$.a",
        jmes_path="b",
        error_when="has(body.error)",
        error_status="5xx",
        follow_redirects="Never",
        stream_max_events=2,
        stream_max_seconds=3,
    )
    assert only.mime_type == "text/csv"  # it is listed, and answers are read with it


def test_an_operation_without_response_fields_has_no_response_in_the_catalog() -> None:
    assert "response" not in entry(**URI).canonical_json


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"jsonPath": "$["}, "jsonPath: the JSON path"),
        ({"jmesPath": "nosuch(@)"}, "jmesPath: the JMESPath"),
        ({"errorWhen": "answer.ok"}, "errorWhen: the condition"),
        ({"forwardHeaders": ["Cookie"]}, "set allowCredentialForwarding: true"),
        (
            {"parameters": [ID | {"in": "header", "as": "Authorization"}]},
            "parameters maps 'id' to the header Authorization, which no parameter can set",
        ),
        (
            {"parameters": [ID], "query": [{"name": "id", "value": "1"}]},
            "query sets id, and so does the parameter 'id': map it elsewhere with parameters",
        ),
        (
            {"parameters": [ID | {"in": "body"}], "body": {"constants": {"id": 1}}},
            "body.constants sets id",
        ),
        ({"body": {"from": "id"}}, "body.from makes 'id' the whole body"),
        (
            {"parameters": [ID | {"in": "body", "style": "form"}]},
            "which has no effect in a body of type application/json: remove it",
        ),
        (
            {"body": {"constants": {"a": 1}}, "contentType": "text/plain"},
            "body.constants sets fields, which text/plain does not have: remove it",
        ),
    ],
)
def test_invalid_combinations_of_fields_are_reported_as_for_tools(
    fields: dict[str, Any], message: str
) -> None:
    compiled = compile_resource(operation(uriTemplate="docs://all{?id}", **fields), facts())
    if "parameters" not in fields:
        compiled = compile_resource(operation(**URI, **fields), facts())
    assert compiled.entries == ()
    [found] = compiled.findings
    assert found.reason is Reason.INVALID
    assert found.message.startswith("operations[0]: ")
    assert message in found.message
