"""Maps a backend's response to MCP content, with pure functions.

Responses are untrusted: they are decoded strictly and labeled with their actual type. Errors are
shortened and cleaned before a model reads them. Results are never lost: if a successful response
does not match what the tool declares, it is shown together with the mismatch.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from mcp_operator.api.base import GROUP
from mcp_operator.api.budget import SelectionError
from mcp_operator.api.catalog import (
    Backend,
    JsonObject,
    ResourceEntry,
    ResponseMapping,
    ToolEntry,
)
from mcp_operator.api.selection import error_when
from mcp_operator.gateway.contract import Cause, ResourceUnavailable, ToolResult, error_result
from mcp_operator.gateway.upstream.answer import Answer, clean, status_line
from mcp_operator.gateway.upstream.media import media_blocks, resource, text_block
from mcp_operator.gateway.upstream.redirects import REDIRECTS, explain
from mcp_operator.gateway.upstream.structured import (
    NotJsonError,
    OutputErrors,
    json_result,
    parse,
    picked,
)
from mcp_operator.gateway.upstream.text import (
    as_type,
    holds_json,
    shown_text,
    text_of,
)

log = logging.getLogger(__name__)

CUT = f"{GROUP}/cut"
"""In `_meta` of a content: why reading an endless response was cut off."""

_INVALID_STATUS = 600

_CONDITIONS = frozenset({"if-none-match", "if-modified-since"})


def tool_result(tool: ToolEntry, answer: Answer, output_errors: OutputErrors) -> ToolResult:
    """Map a response by its status, then by its content type.

    Args:
        tool: The tool that was called.
        answer: The response of its backend.
        output_errors: Validates a value against the tool's output schema.
    """
    failure = failure_text(tool.response, answer)
    if answer.status == HTTPStatus.NOT_MODIFIED and not _asks_on_condition(tool.backend):
        failure = failure or f"{status_line(answer)}, but the request had no condition."
    if not failure:
        answer = as_type(answer, tool.response.mime_type)
        failure = _told_by_the_body(tool.name, tool.response, answer)
    if failure:
        result = error_result(failure, _cause(answer.status))
    else:
        mapped = json_result(tool, answer, output_errors)
        result = mapped or ToolResult(content=media_blocks(answer, tool.name))
    notes = tuple(_notes(tool.response, answer))
    return replace(result, content=result.content + notes) if notes else result


def _notes(response: ResponseMapping, answer: Answer) -> Iterator[JsonObject]:
    """Yield notes for the model in addition to the content: where it was cut, and its headers."""
    if answer.cut:
        yield text_block(f"The answer is incomplete: reading ended {answer.cut}.")
    sent = {name for name, _ in answer.headers}
    shown = [
        f"{name}: {value}"
        for name in response.headers
        if name.lower() in sent and (value := clean(answer.header(name)))
    ]
    if shown:
        yield text_block("\n".join(["Headers of the answer:", *shown]))


def resource_contents(
    entry: ResourceEntry, response: ResponseMapping, answer: Answer, uri: str
) -> tuple[JsonObject, ...]:
    """Map a response to the `contents` of `resources/read`.

    Args:
        entry: The resource that was read.
        response: How to map responses to its content.
        answer: The response of its backend.
        uri: The requested URI.

    Raises:
        ResourceUnavailable: The response is a redirect or an error, or has no such content.
    """
    failure = failure_text(response, answer)
    if answer.status == HTTPStatus.NOT_MODIFIED:
        failure = failure or f"{status_line(answer)}, which has no content to read."
    typed = answer if holds_json(answer.media_type) else as_type(answer, response.mime_type)
    failure = failure or _told_by_the_body(entry.name, response, typed)
    if failure:
        raise ResourceUnavailable(failure)
    if response.selects:
        content = _picked(response, typed, uri)  # `mime_type` is the type of the selected part
    else:
        content = resource(uri, answer, response.mime_type)
    return (content | ({"_meta": {CUT: answer.cut}} if answer.cut else {}),)


def _picked(response: ResponseMapping, answer: Answer, uri: str) -> JsonObject:
    try:
        value, text = picked(response, answer)
    except (NotJsonError, SelectionError) as error:
        raise ResourceUnavailable(f"{status_line(answer)}, but {error}.") from error
    own_type = "text/plain" if isinstance(value, str) else "application/json"
    return {"uri": uri, "mimeType": response.mime_type or own_type, "text": text}


def fixed_contents(
    uri: str, mime_type: str, *, text: str | None = None, blob: str | None = None
) -> tuple[JsonObject, ...]:
    """Return the contents of a resource whose content is in the catalog."""
    content: JsonObject = {"uri": uri, "mimeType": mime_type}
    return (content | ({"blob": blob} if text is None else {"text": text}),)


def failure_text(response: ResponseMapping, answer: Answer) -> str:
    """Return the error that the status means; empty for none."""
    if answer.status in REDIRECTS:
        return f"{status_line(answer)}, {answer.problem or explain(None, answer)}."
    if is_error_status(response.error_status, answer.status):
        text = clean(shown_text(answer) or answer.problem).strip()
        return f"{status_line(answer)}: {text}" if text else f"{status_line(answer)}."
    return f"{status_line(answer)}, but {answer.problem}." if answer.problem else ""


def _cause(status: int) -> Cause | None:
    """Return which side caused a failure, judging by the status."""
    if status < HTTPStatus.BAD_REQUEST:
        return None
    return "client_error" if status < HTTPStatus.INTERNAL_SERVER_ERROR else "backend_error"


def _told_by_the_body(name: str, response: ResponseMapping, answer: Answer) -> str:
    """Return the error that `errorWhen` finds; empty for none, or if evaluation fails."""
    if not response.error_when:
        return ""
    try:
        body: Any = parse(response, answer)
    except NotJsonError:
        body = text_of(answer)
    # CEL rejects half surrogates, which replace bytes of a header that are not UTF-8.
    headers = {
        name: answer.header(name).encode(errors="replace").decode() for name, _ in answer.headers
    }
    try:
        failed = error_when(response.error_when).holds(answer.status, headers, body)
    except SelectionError as error:
        log.warning(
            "Cannot evaluate errorWhen on an answer; counting it as a success",
            extra={"entry": name, "status": answer.status, "error": str(error)},
        )
        return ""
    text = clean(shown_text(answer)).strip()
    line = f"{status_line(answer)}, but the answer reports an error"
    return (f"{line}: {text}" if text else f"{line}.") if failed else ""


def _asks_on_condition(backend: Backend) -> bool:
    """Tell whether a request can be conditional, so that 304 is a valid response."""
    named = [argument.target for argument in backend.arguments if argument.location == "header"]
    named += [header.name for header in backend.headers] + list(backend.forward_headers)
    return any(name.lower() in _CONDITIONS for name in named)


@lru_cache(maxsize=256)
def is_error_status(spec: str, status: int) -> bool:
    """Tell whether a status is in a list such as `4xx,5xx,302`.

    A status that HTTP does not define counts as a server error (RFC 9110 section 15).
    """
    status_class = f"{status // 100}xx" if status < _INVALID_STATUS else "5xx"
    return str(status) in _statuses(spec) or status_class in _statuses(spec)


@lru_cache(maxsize=256)
def _statuses(spec: str) -> frozenset[str]:
    return frozenset(item.strip().lower() for item in spec.split(","))
