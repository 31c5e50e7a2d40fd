"""JSON responses: parsed, reduced to the selected part, validated, returned as text and data."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any, Final

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.catalog import ResponseMapping, ToolEntry
from mcp_operator.api.selection import jmes_path, json_path
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.weight import holds_more
from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import ToolResult, error_result
from mcp_operator.gateway.upstream.answer import Answer, clean, status_line
from mcp_operator.gateway.upstream.media import text_block
from mcp_operator.gateway.upstream.text import (
    EVENT_STREAM,
    JSON_LINE_TYPES,
    is_json,
    shown_text,
    text_of,
)

MAX_VALUES: Final = 50_000
"""Values in a response that is parsed only to be returned. The parser blocks all threads, for about
20 ms with this many. A response with more is returned as text, unless the tool requires JSON."""

MAX_READ_VALUES: Final = 250_000
"""The same limit if a part is selected, or `errorWhen` reads the body: a list of 5 MB. Parsing
takes a tenth of a second, but it is the only way to reduce large lists."""

OutputErrors = Callable[[Any], list[str]]
"""Validates an unfolded value (see `exact`) against a tool's output schema."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
"""Line endings of events and of JSON. JSON strings can contain other characters that Unicode treats
as line breaks, such as U+2028."""

_ACTED: Final = "the call was made, so do not repeat it because of this"
"""For errors about a response, although the backend did what it was asked to do."""


class NotJsonError(OperatorError):
    """A body is not the requested JSON; the message follows the status line."""


class NotFiniteBodyError(NotJsonError):
    """A body would be JSON if it had no NaN or infinity."""

    def __init__(self) -> None:
        super().__init__("its body has NaN or an infinity, which JSON does not allow")


class TooManyValuesError(NotJsonError):
    """A body contains more values than the limit."""

    def __init__(self, most: int) -> None:
        super().__init__(f"its JSON has more than {most} values")


def _wants_json(tool: ToolEntry) -> bool:
    """Tell whether a tool requires a JSON response."""
    response, schema = tool.response, tool.listed_output_schema
    return response.selects or response.structured == "Always" or schema is not None


def json_result(tool: ToolEntry, answer: Answer, output_errors: OutputErrors) -> ToolResult | None:
    """Map a response as JSON; None if it is not JSON, and the tool does not require JSON.

    Args:
        tool: The tool that was called.
        answer: The response of its backend, with a status that is not an error.
        output_errors: Validates a value against the tool's output schema.
    """
    wanted = _wants_json(tool)
    if answer.is_empty:
        return _nothing(answer) if tool.listed_output_schema is not None else None
    if not (wanted or is_json(answer.media_type)):
        return None
    try:
        value, text = picked(tool.response, answer)
    except (NotJsonError, SelectionError) as error:
        readable = isinstance(error, NotFiniteBodyError | TooManyValuesError) and not wanted
        return None if readable else not_as_promised(answer, str(error))
    content = (text_block(text),)
    if not _is_structured(tool, value):
        return ToolResult(content=content)
    problems = output_errors(value)
    if problems:
        broken = f"the result does not match this tool's outputSchema: {clean('; '.join(problems))}"
        return not_as_promised(answer, broken)
    return ToolResult(content=content, structured=value)


def picked(response: ResponseMapping, answer: Answer) -> tuple[Any, str]:
    """Return the selected part of a JSON body, unfolded and as text; strings are not quoted.

    Raises:
        NotJsonError: The body is not JSON, or the selected part has no JSON form.
        SelectionError: An expression finds nothing, fails, or exceeds its cost limit.
    """
    value = parse(response, answer, unfolded=not response.selects)
    if response.selects:
        value = _selected(response, value)
    try:
        value = exact.unfolded(value) if response.selects else value
        return value, value if isinstance(value, str) else exact.dumps(value).decode()
    except (ValueError, RecursionError) as error:
        raise NotJsonError("its JSON is nested too deeply, or has an infinite number") from error


def parse(response: ResponseMapping, answer: Answer, *, unfolded: bool = False) -> Any:
    """Return the JSON value of a body; for several values or events, a list.

    Args:
        response: The mapping of the response, which determines the limit.
        answer: The response of the backend.
        unfolded: Whether nothing computes with its numbers (see `exact`).

    Raises:
        NotJsonError: The body is not JSON, or contains too many values.
    """
    most = MAX_READ_VALUES if response.selects or response.error_when else MAX_VALUES
    if len(answer.body) > most and holds_more(answer.body, most):
        raise TooManyValuesError(most)
    text = text_of(answer, answer.media_type if is_json(answer.media_type) else "application/json")
    if text is not None and answer.media_type == EVENT_STREAM:
        return [_loaded(data, unfolded=unfolded) for data in _events(text)]
    if text is not None and answer.media_type not in JSON_LINE_TYPES:
        try:
            return exact.loads(text, unfolded=unfolded)
        except exact.NotFiniteError as error:
            raise NotFiniteBodyError from error
        except (ValueError, RecursionError):
            pass
    lines = _LINE_END.split((text or "").replace("\x1e", ""))
    with suppress(ValueError, RecursionError):  # Docker and others send JSON lines as one type
        if values := [exact.loads(line, unfolded=unfolded) for line in lines if line.strip()]:
            return values
    promise = "that its content type declares" if is_json(answer.media_type) else "asked for"
    raise NotJsonError(f"its body is not the JSON {promise}")


def _events(text: str) -> Iterator[str]:
    """Yield the data of each event (HTML standard, "Interpreting an event stream")."""
    for event in re.split(r"\r\n\r\n|\n\n|\r\r", text):
        lines = [line.partition(":") for line in _LINE_END.split(event)]
        data = [value.removeprefix(" ") for field, _, value in lines if field == "data"]
        if data:
            yield "\n".join(data)


def _loaded(data: str, *, unfolded: bool) -> Any:
    """Return the data of an event as JSON, or as text if it is not JSON, such as [DONE]."""
    try:
        return exact.loads(data, unfolded=unfolded)
    except (ValueError, RecursionError):
        return data


def _selected(response: ResponseMapping, value: Any) -> Any:
    if response.json_path:
        value = json_path(response.json_path).select(value)
    return jmes_path(response.jmes_path).select(value) if response.jmes_path else value


def _is_structured(tool: ToolEntry, value: Any) -> bool:
    match tool.response.structured:
        case "Always":
            return True
        case "Never":
            return False
        case "Auto":
            return isinstance(value, dict) or tool.output_schema is not None


def _nothing(answer: Answer) -> ToolResult:
    text = (
        f"{status_line(answer)} without content: the call succeeded and returned nothing, so do "
        "not repeat it. It is an error because this tool requires structured content."
    )
    return error_result(text)


def not_as_promised(answer: Answer, problem: str) -> ToolResult:
    """Return an error that says that the call was made, what is wrong, and what came back.

    It is marked as an error, because clients of a tool with an output schema fail on a result
    without structured content.
    """
    lead = f"{status_line(answer)}: {_ACTED}. But {problem}."
    shown = clean(shown_text(answer)).strip()
    content = f"{lead} The answer: {shown}" if shown else lead
    return error_result(content)
