"""JSON answers: parsed, cut down to what a tool picks, checked, and given as text and as data."""

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
"""Values in an answer that is parsed only to be returned: the parser holds up everything for some
20 ms on as many. An answer with more is given as text, unless the tool asks for JSON."""

MAX_READ_VALUES: Final = 250_000
"""The same where a part is selected, or `errorWhen` looks into it: a list of 5 MB. It takes a tenth
of a second, without which large lists could not be made small."""

OutputErrors = Callable[[Any], list[str]]
"""Checks an unfolded value (see `exact`) against a tool's output schema."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")
"""What ends a line of events and of JSON; a string in JSON may hold all else that Unicode breaks
lines at, such as U+2028."""

_ACTED: Final = "the call was made, so do not repeat it for this"
"""Said where a backend did what it was asked to and only its answer is not as promised."""


class NotJsonError(OperatorError):
    """A body is not the JSON that is asked for; the sentence goes on after the status line."""


class NotFiniteBodyError(NotJsonError):
    """A body is JSON but for a NaN or an infinity."""

    def __init__(self) -> None:
        super().__init__("its body holds NaN or an infinity, which JSON does not allow")


class TooManyValuesError(NotJsonError):
    """A body holds more values than are parsed."""

    def __init__(self, most: int) -> None:
        super().__init__(f"its JSON holds more than {most} values")


def _wants_json(tool: ToolEntry) -> bool:
    """Tell whether a tool can do nothing with an answer that is not JSON."""
    response, schema = tool.response, tool.listed_output_schema
    return response.selects or response.structured == "Always" or schema is not None


def json_result(tool: ToolEntry, answer: Answer, output_errors: OutputErrors) -> ToolResult | None:
    """Map an answer as JSON; None where it is none and the tool asks for none.

    Args:
        tool: The tool that was called.
        answer: What its backend said, with a status that is not an error.
        output_errors: Checks a value against the tool's output schema.
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
    """Return what is returned of a JSON body, unfolded and as text: a string as it is.

    Raises:
        NotJsonError: The body is not JSON, or what is made of it has no JSON form.
        SelectionError: An expression finds nothing, fails, or costs too much.
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
    """Return the JSON value of a body; a list where there are several, or events.

    Args:
        response: What is made of it, which decides how much is parsed.
        answer: What the backend said.
        unfolded: Whether nothing computes with its numbers (see `exact`).

    Raises:
        NotJsonError: It is not JSON, or holds too many values.
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
    with suppress(ValueError, RecursionError):  # Docker and others send lines as application/json
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
    """Return what an event holds: JSON, or the text that is none, such as [DONE]."""
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
    """Say that the call was made and what is wrong with its answer, and show the answer.

    Marked as an error because a result without structured content breaks clients of a tool that
    lists an output schema.
    """
    lead = f"{status_line(answer)}: {_ACTED}. But {problem}."
    shown = clean(shown_text(answer)).strip()
    content = f"{lead} The answer: {shown}" if shown else lead
    return error_result(content)
