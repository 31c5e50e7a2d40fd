"""A backend's answer to MCP content, as pure functions.

What a backend sends is untrusted: it is decoded strictly, labelled with what it is, and where it
is an error, shortened and cleaned before a model reads it.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from typing import Any, NoReturn
from urllib.parse import quote

from mcp_operator.api.catalog import JsonObject, ResponseMapping, ToolEntry
from mcp_operator.gateway.contract import ResourceUnavailable, ToolResult
from mcp_operator.gateway.upstream.jsonpath import JsonPath, JsonPathError

MAX_ERROR_TEXT = 1000
"""Characters of a backend's error that reach a model: enough to act on."""

REDIRECTS = range(300, 400)
"""Never followed and never content: the target was not chosen by the tool's author."""

_INVISIBLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff"
    "\U000e0000-\U000e007f]"
)
"""Control, zero-width, bidirectional and tag characters: they hide text from human reviewers."""

_TEXT_TYPES = frozenset(
    {
        "application/javascript",
        "application/sql",
        "application/toml",
        "application/x-www-form-urlencoded",
        "application/x-yaml",
        "application/xml",
        "application/yaml",
    }
)


@dataclass(frozen=True, slots=True)
class Answer:
    """What a backend answered: `content_type` as sent, empty where there was none."""

    status: int
    content_type: str
    body: bytes

    @property
    def media_type(self) -> str:
        """The type without parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()


class _NotJsonError(ValueError):
    """A body that was to be JSON is not."""


def error_result(text: str) -> ToolResult:
    """Return the result that tells a model what went wrong."""
    return ToolResult(content=({"type": "text", "text": text},), is_error=True)


def tool_result(
    tool: ToolEntry, answer: Answer, output_errors: Callable[[Any], list[str]]
) -> ToolResult:
    """Map an answer by its status, then by its content type.

    Args:
        tool: The tool that was called.
        answer: What its backend said.
        output_errors: Checks a value against the tool's output schema.
    """
    if answer.status in REDIRECTS:
        return error_result(f"{_status_line(answer)}: redirects are not followed.")
    if is_error_status(tool.response.error_status, answer.status):
        return error_result(_error_text(answer))
    if _is_json(answer):
        return _json_result(tool, answer, output_errors)
    if tool.output_schema is not None and tool.response.structured != "Never":
        return error_result(
            f"{_status_line(answer)} with {answer.media_type or 'no content type'}, but this tool"
            " promises JSON (outputSchema)."
        )
    return ToolResult(content=(_block(tool, answer),))


def resource_contents(answer: Answer, uri: str, mime_type: str) -> tuple[JsonObject, ...]:
    """Map an answer to the `contents` of `resources/read`.

    Args:
        answer: What the backend said.
        uri: The URI that was asked for.
        mime_type: The type to claim where the backend names none.

    Raises:
        ResourceUnavailable: The status is a redirect or an error.
    """
    if answer.status in REDIRECTS:
        raise ResourceUnavailable(f"{_status_line(answer)}: redirects are not followed.")
    if is_error_status(ResponseMapping().error_status, answer.status):
        raise ResourceUnavailable(_error_text(answer))
    return (_resource(uri, answer, answer.media_type or mime_type),)


def fixed_contents(
    uri: str, mime_type: str, *, text: str | None = None, blob: str | None = None
) -> tuple[JsonObject, ...]:
    """Return the contents of a resource whose content is in the catalog."""
    content: JsonObject = {"uri": uri, "mimeType": mime_type}
    return (content | ({"blob": blob} if text is None else {"text": text}),)


def is_error_status(spec: str, status: int) -> bool:
    """Tell whether a status is in a list such as `4xx,5xx,302`."""
    return str(status) in _statuses(spec) or f"{status // 100}xx" in _statuses(spec)


@lru_cache(maxsize=256)
def _statuses(spec: str) -> frozenset[str]:
    return frozenset(item.strip().lower() for item in spec.split(","))


@lru_cache(maxsize=4096)
def _compiled(path: str) -> JsonPath:
    return JsonPath(path)


def _json_result(
    tool: ToolEntry, answer: Answer, output_errors: Callable[[Any], list[str]]
) -> ToolResult:
    try:
        value = _parse(answer.body)
        if tool.response.json_path:
            value = _compiled(tool.response.json_path).select(value)
    except (_NotJsonError, JsonPathError) as error:
        return error_result(f"{_status_line(answer)}, but {error}.")
    text = value if isinstance(value, str) else _compact(value)
    content: tuple[JsonObject, ...] = ({"type": "text", "text": text},)
    if not _is_structured(tool, value):
        return ToolResult(content=content)
    problems = output_errors(value)
    if problems:
        return error_result(
            f"{_status_line(answer)}, but the result breaks this tool's outputSchema:"
            f" {clean('; '.join(problems))}"
        )
    return ToolResult(content=content, structured=value)


def _is_structured(tool: ToolEntry, value: Any) -> bool:
    match tool.response.structured:
        case "Always":
            return True
        case "Never":
            return False
        case "Auto":
            return isinstance(value, dict) or tool.output_schema is not None


def _block(tool: ToolEntry, answer: Answer) -> JsonObject:
    kind = answer.media_type.partition("/")[0]
    if kind in {"image", "audio"}:
        return {"type": kind, "data": _base64(answer.body), "mimeType": answer.media_type}
    if not answer.body:
        return {"type": "text", "text": f"{_status_line(answer)} without content."}
    text = _as_text(answer)
    if text is not None:
        return {"type": "text", "text": text}
    uri = f"tool://{quote(tool.name, safe='')}/result"
    resource = _resource(uri, answer, answer.media_type or "application/octet-stream")
    return {"type": "resource", "resource": resource}


def _resource(uri: str, answer: Answer, mime_type: str) -> JsonObject:
    text = _as_text(answer)
    content: JsonObject = {"uri": uri} | ({"mimeType": mime_type} if mime_type else {})
    return content | ({"blob": _base64(answer.body)} if text is None else {"text": text})


def _is_json(answer: Answer) -> bool:
    media_type = answer.media_type
    return media_type in {"application/json", "text/json"} or media_type.endswith("+json")


def _as_text(answer: Answer) -> str | None:
    """Decode what says that it is text, and what says nothing and is UTF-8; else None."""
    media_type = answer.media_type
    is_text = (
        media_type.startswith("text/")
        or media_type in _TEXT_TYPES
        or media_type.endswith(("+xml", "+yaml"))
        or _is_json(answer)
    )
    if media_type and not is_text:
        return None
    try:
        return answer.body.decode(_charset(answer.content_type))
    except (UnicodeDecodeError, LookupError):
        return answer.body.decode(errors="replace") if is_text else None


def _charset(content_type: str) -> str:
    match = re.search(r";\s*charset\s*=\s*\"?([A-Za-z0-9_-]{1,40})", content_type, re.IGNORECASE)
    charset = match[1].lower() if match else "utf-8"
    # Python's codecs of the name "base64" or "idna" are not character sets.
    return charset if charset.startswith(("utf", "iso-8859", "windows-", "us-ascii")) else "utf-8"


def _error_text(answer: Answer) -> str:
    text = clean(_as_text(answer) or "").strip()
    return f"{_status_line(answer)}: {text}" if text else f"{_status_line(answer)}."


def _status_line(answer: Answer) -> str:
    try:
        phrase = f" {HTTPStatus(answer.status).phrase}"
    except ValueError:
        phrase = ""
    return f"The backend answered {answer.status}{phrase}"


def clean(text: str) -> str:
    """Shorten a foreign text and drop the characters that hide or forge text."""
    shown = _INVISIBLE.sub("", text[: 2 * MAX_ERROR_TEXT])
    cut = len(shown) > MAX_ERROR_TEXT or len(text) > 2 * MAX_ERROR_TEXT
    return shown[:MAX_ERROR_TEXT] + "…" if cut else shown


def _parse(body: bytes) -> Any:
    try:
        value = json.loads(body, parse_constant=_refuse_constant)
        if b"\\u" in body:
            _compact(value).encode()  # an escaped half surrogate has no UTF-8 form
    except (ValueError, RecursionError) as error:
        raise _NotJsonError("its body is not the JSON that its content type promises") from error
    return value


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")  # RFC 8259 section 6


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _base64(body: bytes) -> str:
    return base64.b64encode(body).decode("ascii")
