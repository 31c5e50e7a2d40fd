"""Backends that return MCP results over plain HTTP: extra request headers, and their results.

The author of the tool must enable this (`response.native`). Otherwise, an attacker who can store a
document of this type in a backend could send messages to the client in the name of the tool.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any, Final

from pydantic import ValidationError

from mcp_operator.api.catalog import JsonObject, ResponseMapping, ToolEntry
from mcp_operator.api.places import CAPABILITIES_HEADER, RESPONSES_HEADER, STATE_HEADER
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import MISSING, Call, InputRequired, ToolResult
from mcp_operator.gateway.upstream.answer import Answer, clean
from mcp_operator.gateway.upstream.mapping import Request, check_header
from mcp_operator.gateway.upstream.media import text_block
from mcp_operator.gateway.upstream.native_shapes import NativeResult
from mcp_operator.gateway.upstream.structured import (
    NotJsonError,
    OutputErrors,
    not_as_promised,
    parse,
)
from mcp_operator.gateway.upstream.text import RESULT_TYPE

_ACCEPT: Final = check_header(
    "Accept", f"{RESULT_TYPE}, text/event-stream, application/json;q=0.9, text/*;q=0.8, */*;q=0.5"
)


def told(request: Request, call: Call) -> Request:
    """Return a request with the accepted types, the client's capabilities, and its answers.

    An argument can override the `Accept` header, but not the others.

    Raises:
        MappingError: What the client sent does not fit into a header.
    """
    headers = dict([_ACCEPT, check_header(CAPABILITIES_HEADER, _ascii(call.capabilities))])
    if call.input.responses:
        headers |= [check_header(RESPONSES_HEADER, _ascii(dict(call.input.responses)))]
    if call.input.state is not None:
        headers |= [check_header(STATE_HEADER, call.input.state)]
    return replace(request, headers={**headers, **request.headers})


def is_native(response: ResponseMapping, answer: Answer) -> bool:
    """Tell whether a response is an MCP result, from a backend that can return one."""
    return response.native and answer.media_type == RESULT_TYPE and not answer.problem


def _ascii(value: JsonObject) -> str:
    return json.dumps(value, separators=(",", ":"))


def native_result(
    tool: ToolEntry, answer: Answer, output_errors: OutputErrors, *, failed: bool
) -> ToolResult | InputRequired:
    """Return the MCP result in a backend's response.

    Args:
        tool: The tool that was called.
        answer: The response of its backend, of `RESULT_TYPE`.
        output_errors: Validates a value against the tool's output schema.
        failed: Whether the status means an error, which overrides the result's own flag.
    """
    try:
        result = NativeResult.model_validate(parse(tool.response, answer, unfolded=True))
    except NotJsonError as error:
        return not_as_promised(answer, str(error))
    except ValidationError as error:
        return not_as_promised(answer, f"its body is not an MCP result: {_explained(error)}")
    structured: Any = result.structured_content if result.has_structure else MISSING
    try:
        content = tuple(_dumped(block) for block in result.content)
        requests = {name: _dumped(one) for name, one in result.input_requests.items()}
        text = exact.dumps([structured] if structured is not MISSING else [])[1:-1].decode()
        exact.dumps([content, requests, result.meta])
    except (ValueError, RecursionError):
        return not_as_promised(answer, "its body is nested too deeply")
    if result.result_type == "input_required":
        return _input_required(answer, requests, result.request_state)
    if not content and text:
        content = (text_block(text),)
    failed = failed or result.is_error
    problem = "" if failed else _broken(tool, structured, content, output_errors)
    if problem:
        return not_as_promised(answer, problem)
    return ToolResult(content, is_error=failed, structured=structured, meta=result.meta)


def _broken(
    tool: ToolEntry, structured: Any, content: tuple[JsonObject, ...], output_errors: OutputErrors
) -> str:
    """Return what is wrong with a successful result; empty if it is valid."""
    if structured is MISSING:
        if tool.listed_output_schema is not None:
            return "its result has no structuredContent, which this tool's outputSchema requires"
        return "" if content else "its result has neither content nor structuredContent"
    problems = output_errors(structured)
    return (
        f"the result does not match this tool's outputSchema: {clean('; '.join(problems))}"
        if problems
        else ""
    )


def _input_required(
    answer: Answer, requests: dict[str, JsonObject], state: str | None
) -> ToolResult | InputRequired:
    if not requests and state is None:
        return not_as_promised(
            answer, "it requires input, but has no inputRequests or requestState"
        )
    return InputRequired(requests, state)


def _dumped(shape: Any) -> JsonObject:
    dumped: JsonObject = shape.model_dump(by_alias=True, exclude_unset=True, exclude_none=True)
    return dumped


def _explained(error: ValidationError) -> str:
    """Return the first error and its location, without the invalid value."""
    first = error.errors(include_url=False, include_input=False, include_context=False)[0]
    place = ".".join(map(str, first["loc"])) or "the whole"
    return clean(f"{place}: {first['msg']}")
