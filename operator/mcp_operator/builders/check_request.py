"""Finds contradictions in the request of a tool, or of a resource's operation."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from mcp_operator.api.catalog import Argument
from mcp_operator.api.nesting import MAX_DEPTH, place_beyond
from mcp_operator.api.places import (
    CLIENT_CREDENTIALS,
    NOT_FOR_ARGUMENTS,
    OF_THE_GATEWAY,
    has_fields,
    is_form,
    is_multipart,
    media_type,
)
from mcp_operator.api.reasons import Reason
from mcp_operator.api.v1alpha1.request import RequestFields
from mcp_operator.builders.compiled import InvalidError


@dataclass(frozen=True, slots=True)
class Words:
    """The terms of an object's schema, for messages to its author.

    Attributes:
        request: The prefix of the paths of the request's fields.
        arguments: The list that says where arguments go.
        argument: The word for one of them.
        schema: The field that declares them.
    """

    request: str
    arguments: str
    argument: str
    schema: str


IN_TOOL: Final = Words("request.", "request.arguments", "argument", "inputSchema")
IN_RESOURCE: Final = Words("", "parameters", "parameter", "parameters")


def check_request(request: RequestFields, arguments: Sequence[Argument], words: Words) -> None:
    """Reject a request that cannot be sent as it is declared.

    Args:
        request: The declared fields of the request.
        arguments: All arguments and where they go.
        words: The terms for messages.

    Raises:
        InvalidError: The request has a contradiction; the message names the first, and the fix.
    """
    for sentence in _faults(request, arguments, words):
        raise InvalidError(Reason.INVALID, sentence)


def _faults(request: RequestFields, arguments: Sequence[Argument], words: Words) -> Iterator[str]:
    yield from _double_faults(arguments, words)
    yield from _header_faults(request, arguments, words)
    yield from _body_faults(request, arguments, words)
    taken = {one.name for one in request.query}
    for one in arguments:
        if one.location == "query" and one.target in taken:
            yield (
                f"{words.request}query sets {one.target}, and so does the {words.argument} "
                f"{one.name!r}: map it elsewhere with {words.arguments}, or remove one of them"
            )


def _double_faults(arguments: Sequence[Argument], words: Words) -> Iterator[str]:
    """Find arguments that go to the same place, which can hold only one of them."""
    taken: dict[tuple[str, str], str] = {}
    for one in arguments:
        target = one.target.lower() if one.location == "header" else one.target
        other = taken.setdefault((one.location, target), one.name)
        if other != one.name and one.location != "path":  # compile_http checks paths
            yield (
                f"{words.arguments} sends both {other!r} and {one.name!r} as {one.target} in: "
                f"{one.location}: give one of them another name with as"
            )


def _header_faults(
    request: RequestFields, arguments: Sequence[Argument], words: Words
) -> Iterator[str]:
    for one in arguments:
        if one.location == "header" and one.target.lower() in NOT_FOR_ARGUMENTS:
            yield (
                f"{words.arguments} maps {one.name!r} to the header {one.target}, which no "
                f"{words.argument} can set: use {words.request}credentials or "
                f"{words.request}headers"
            )
    for fixed in request.headers:
        if fixed.name.lower() == "content-type" and _lacks_boundary(request, fixed.value or ""):
            yield (
                f"{words.request}headers sets {fixed.name} without the boundary of the multipart "
                f"body: remove the header, and set {words.request}contentType"
            )
    for header in request.forward_headers:
        if header.lower() in OF_THE_GATEWAY:
            yield (
                f"{words.request}forwardHeaders names {header}, which the gateway itself sets: "
                "remove it"
            )
        if header.lower() in CLIENT_CREDENTIALS and not request.allow_credential_forwarding:
            yield (
                f"{words.request}forwardHeaders names {header}, which the backend could use to act "
                f"as the client: use {words.request}credentials, or set "
                f"{words.request}allowCredentialForwarding: true"
            )


def _lacks_boundary(request: RequestFields, content_type: str) -> bool:
    is_parts = media_type(content_type).startswith("multipart/")
    return is_multipart(request.content_type) or (is_parts and "boundary=" not in content_type)


def _body_faults(
    request: RequestFields, arguments: Sequence[Argument], words: Words
) -> Iterator[str]:
    kind, body = request.content_type, request.body
    fields = [argument for argument in arguments if argument.location == "body"]
    named = ", ".join(argument.name for argument in fields)
    if body is not None and body.from_ is not None:
        if [argument.name for argument in fields] != [body.from_]:
            yield (
                f"{words.request}body.from makes {body.from_!r} the whole body, but the body gets "
                f"{named or 'nothing'}: declare {body.from_!r} in {words.schema}, and map the "
                f"others elsewhere with {words.arguments}"
            )
        if is_multipart(kind):
            yield (
                f"{words.request}body.from makes one {words.argument} the whole body, but a body "
                f"of type {kind} has a part for each {words.argument}: remove it"
            )
    elif len(fields) > 1 and not has_fields(kind):
        yield (
            f"{words.request}contentType is {kind}, so the body is one {words.argument}, but gets "
            f"{named}: map the others elsewhere with {words.arguments}"
        )
    constants = body.constants if body is not None else {}
    if constants and not has_fields(kind):
        yield f"{words.request}body.constants sets fields, which {kind} does not have: remove it"
    if place_beyond(constants) is not None:
        yield f"{words.request}body.constants is nested deeper than {MAX_DEPTH} levels: reduce it"
    for argument in fields:
        if argument.target in constants:
            yield (
                f"{words.request}body.constants sets {argument.target}, and so does the "
                f"{words.argument} {argument.name!r}: map it elsewhere with {words.arguments}, or "
                "remove one of them"
            )
        yield from _part_faults(argument, kind, words)


def _part_faults(argument: Argument, kind: str, words: Words) -> Iterator[str]:
    exploded = argument.explode is not None or argument.allow_reserved
    if (argument.style or exploded) and not (is_form(kind) or is_multipart(kind)):
        yield (
            f"{words.arguments} gives {argument.name!r} a style, explode or allowReserved, which "
            f"has no effect in a body of type {kind}: remove it"
        )
    if is_multipart(kind) and argument.style is None and exploded:
        yield (
            f"{words.arguments} gives {argument.name!r} explode or allowReserved without style, "
            "which has no effect in a multipart body: set style"
        )
    file_name = argument.file_name or argument.file_name_from
    if (argument.content_type or file_name) and not is_multipart(kind):
        yield (
            f"{words.arguments} gives {argument.name!r} a contentType, fileName or fileNameFrom, "
            f"which only parts have: set {words.request}contentType to multipart/form-data"
        )
    if argument.file_name_from == argument.name:
        yield (
            f"{words.arguments} sets fileNameFrom of {argument.name!r} to itself: set it to the "
            f"{words.argument} that has the file name"
        )
