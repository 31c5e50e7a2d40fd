"""Builds the body of a request from arguments."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any

from urllib3.fields import RequestField
from urllib3.filepost import encode_multipart_formdata

from mcp_operator.api.catalog import Argument, Backend, JsonObject
from mcp_operator.api.places import is_form, is_json, is_multipart, is_xml, media_type
from mcp_operator.gateway.upstream import charsets
from mcp_operator.gateway.upstream.styles import (
    MappingError,
    Placed,
    all_pairs,
    json_text,
    plain_text,
    quoted,
)
from mcp_operator.gateway.upstream.text import JSON_LINE_TYPES

BINARY = "application/octet-stream"

MAX_FILE_NAME = 255
"""Characters of a file name; file systems allow as many bytes."""

_DATA_URL = re.compile(r"^\s*data:[^,]{0,200};base64,", re.IGNORECASE)
"""The prefix of base64 in a data URL (RFC 2397), which models use for files."""

_NO_FILE_NAME = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029/\\\"]")
"""Characters that would end the name in its header, or lead to another folder."""


@dataclass(frozen=True, slots=True)
class Body:
    """The bytes of a body and their media type."""

    data: bytes
    content_type: str


def build_body(backend: Backend, placed: Placed, arguments: JsonObject) -> Body | None:
    """Return the body, or None for a request without a body.

    A backend with body fields always gets a body, `{}` if all are omitted. A backend without body
    arguments gets none.

    Args:
        backend: The backend to call.
        placed: The arguments for the body.
        arguments: All arguments, because some of them are file names.

    Raises:
        MappingError: The body's type cannot represent an argument.
    """
    declared = any(argument.location == "body" for argument in backend.arguments)
    if not (declared or placed or backend.rest == "body" or backend.constants):
        return None
    content_type = backend.content_type
    if backend.body_from:
        return _whole(placed, content_type)
    if is_json(content_type):
        fields = {argument.target: value for argument, value in placed}
        return Body(json_text({**backend.constants, **fields}).encode(), content_type)
    every = [*_constants(backend), *placed]
    if is_form(content_type):
        return Body(_form(every), content_type)
    if is_multipart(content_type):
        return _multipart(every, arguments, content_type)
    if len(placed) > 1:
        raise MappingError("a body of this content type is made of exactly one argument")
    return _whole(placed, content_type)


def _constants(backend: Backend) -> Iterator[tuple[Argument, Any]]:
    """Yield the author's constant fields; nested ones are written as `a[b]`."""
    for name, value in backend.constants.items():
        style = "deepObject" if isinstance(value, dict | list) else "form"
        argument = Argument.model_validate(
            {"name": name, "in": "body", "target": name, "style": style}
        )
        yield argument, value


def _whole(placed: Placed, content_type: str) -> Body | None:
    """Build a body from one argument; null means no body, except in JSON."""
    if not placed or (placed[0][1] is None and not is_json(content_type)):
        return None
    return Body(_content(*placed[0], content_type), content_type)


def _content(argument: Argument, value: Any, content_type: str) -> bytes:
    if is_json(content_type):
        return json_text(value).encode()
    if is_form(content_type) and isinstance(value, dict):
        return _form([(_field(argument, key), part) for key, part in value.items()])
    if is_form(content_type) and not isinstance(value, str):
        raise MappingError(f"the argument {argument.name!r} is a form; use an object")
    if is_xml(content_type) and not isinstance(value, str):
        raise MappingError(f"the argument {argument.name!r} is XML; use a string")
    if media_type(content_type) in JSON_LINE_TYPES and isinstance(value, list):
        return b"".join(json_text(one).encode() + b"\n" for one in value)
    return _bytes(argument, value, content_type)


def _field(argument: Argument, name: str) -> Argument:
    return argument.model_copy(update={"target": name})


def _bytes(argument: Argument, value: Any, content_type: str) -> bytes:
    if not argument.base64:
        return _encoded(argument, plain_text(value), content_type)
    try:
        if not isinstance(value, str):
            raise MappingError(f"the argument {argument.name!r} must be a string in base64")
        text = _DATA_URL.sub("", value, count=1)
        plain = "".join(text.split()).translate({ord("-"): "+", ord("_"): "/"})
        return base64.b64decode(plain + "=" * (-len(plain) % 4), validate=True)
    except (binascii.Error, ValueError) as error:
        raise MappingError(f"the argument {argument.name!r} is not base64") from error


def _encoded(argument: Argument, text: str, content_type: str) -> bytes:
    """Encode a text in the charset of its media type; UTF-8 if it declares none."""
    text.encode()  # raises for half a surrogate pair, for which there is a specific error
    charset = charsets.declared(content_type) or "utf-8"
    try:
        return text.encode(charset)
    except UnicodeError as error:
        raise MappingError(
            f"the argument {argument.name!r} contains a character that "
            f"{charsets.named(content_type)} cannot encode"
        ) from error


def _form(placed: Placed) -> bytes:
    return "&".join(f"{quoted(name)}={text}" for name, text in all_pairs(placed)).encode()


def _multipart(placed: Placed, arguments: JsonObject, content_type: str) -> Body:
    """Write one part per value. The boundary is a hash of the parts, so they cannot contain it."""
    plain = [argument.target for argument, _ in placed if argument.style is None]
    all_pairs([one for one in placed if one[0].style], plain, str)
    parts = [
        part
        for argument, value in placed
        for part in _parts(argument, value, arguments.get(argument.file_name_from))
    ]
    seed = hashlib.sha256()
    for part in parts:
        data = part.data if isinstance(part.data, bytes) else str(part.data).encode()
        seed.update(part.render_headers().encode() + data + b"\0")
    boundary = seed.hexdigest()[:48]
    data, _ = encode_multipart_formdata(parts, boundary=boundary)
    bare = content_type.partition(";")[0].strip()
    return Body(data, f"{bare}; boundary={boundary}")


def _parts(argument: Argument, value: Any, file_names: Any) -> Iterator[RequestField]:
    if value is None:
        return
    if argument.style is not None:
        name_of = partial(_file_name, argument, file_names)
        for index, (name, text) in enumerate(all_pairs([(argument, value)], (), str)):
            yield _part(name, text.encode(), argument.content_type, name_of(index))
        return
    for index, item in enumerate(value if isinstance(value, list) else [value]):
        if item is None:
            continue
        kind, file_name = argument.content_type, _file_name(argument, file_names, index)
        if argument.base64:
            kind, file_name = kind or BINARY, file_name or argument.target
        elif isinstance(item, dict | list):
            kind = kind or "application/json"
        yield _part(argument.target, _bytes(argument, item, kind), kind, file_name)


def _file_name(argument: Argument, given: Any, index: int) -> str:
    """Return the file name of a part: from the call, or otherwise from the author.

    It must be valid in a header and safe as a file name, because a server can use it as one.
    """
    if isinstance(given, list):
        given = given[index] if index < len(given) else None
    if given is None or given == "":
        return argument.file_name
    if (
        not isinstance(given, str)
        or len(given) > MAX_FILE_NAME
        or _NO_FILE_NAME.search(given)
        or given.strip() in {"", ".", ".."}
    ):
        raise MappingError(
            f"the argument {argument.file_name_from!r} is a file name: use at most "
            f"{MAX_FILE_NAME} characters, without slashes, quotes and control characters"
        )
    return given.strip()


def _part(name: str, data: bytes, content_type: str, file_name: str) -> RequestField:
    part = RequestField(name, data, filename=file_name or None)
    part.make_multipart(content_type=content_type or None)
    return part
