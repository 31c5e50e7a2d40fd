"""Prompts: one-pass rendering and completion.

Rendering processes the template once. A value that contains `{{name}}` is inserted as plain text,
so clients cannot use it to read another variable or another client's value.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from mcp_operator.api.catalog import JsonObject, PromptEntry, ResourceEntry
from mcp_operator.api.places import PROMPT_PLACE
from mcp_operator.api.prompts import PromptMessage, PromptVariable
from mcp_operator.core.errors import OperatorError

ASKED = "variables"
"""The key of the request that asks the user for variables."""

MAX_COMPLETIONS = 100
"""Values in one result: the limit of MCP's `completion/complete`."""


class PromptArgumentError(OperatorError):
    """Arguments of a prompt are missing or invalid; the message says which."""


@dataclass(frozen=True, slots=True)
class RenderedMessage:
    """One message: either its content, or the URI of a resource to embed."""

    role: Literal["user", "assistant"]
    content: JsonObject | None = None
    resource_uri: str = ""


def to_ask(prompt: PromptEntry, arguments: Mapping[str, Any]) -> tuple[PromptVariable, ...]:
    """Return the variables to ask the user for: those without a value from the client."""
    return tuple(
        variable
        for variable in prompt.variables
        if variable.elicit and arguments.get(variable.name) is None
    )


def form(prompt: PromptEntry, variables: Sequence[PromptVariable]) -> JsonObject:
    """Return the request that asks a user for variables (MCP's `ElicitRequest`, form mode)."""
    return {
        "method": "elicitation/create",
        "params": {
            "mode": "form",
            "message": f"{prompt.title or prompt.name} needs the following.",
            "requestedSchema": {
                "type": "object",
                "properties": {variable.name: _field(variable) for variable in variables},
                "required": [variable.name for variable in variables if variable.required],
            },
        },
    }


def _field(variable: PromptVariable) -> JsonObject:
    field: JsonObject = {"type": "string", "title": variable.title or variable.name}
    if variable.description:
        field["description"] = variable.description
    if variable.enum:
        field["enum"] = list(variable.enum)
    if variable.default is not None:
        field["default"] = variable.default
    return field


def filled_in(
    answer: Mapping[str, Any] | None, variables: Sequence[PromptVariable]
) -> dict[str, Any]:
    """Return the values that the user entered for the variables; empty without an answer."""
    content = (answer or {}).get("content", {})
    names = [variable.name for variable in variables]
    return {name: content[name] for name in names if name in content}


def render(prompt: PromptEntry, arguments: Mapping[str, Any]) -> tuple[RenderedMessage, ...]:
    """Fill in the messages of a prompt.

    Raises:
        PromptArgumentError: A required argument is missing, an argument is not a string, or its
            value is not among those that the variable allows.
    """
    values = {variable.name: _value(variable, arguments) for variable in prompt.variables}
    return tuple(
        RenderedMessage(
            role=message.role,
            content=_content(message, values),
            resource_uri=_fill(message.resource_uri or "", values),
        )
        for message in prompt.messages
    )


def _content(message: PromptMessage, values: Mapping[str, str]) -> JsonObject | None:
    """Return a message's content block; None for a resource, which must be read first."""
    if message.text is not None:
        return {"type": "text", "text": _fill(message.text, values)}
    for kind, media in (("image", message.image), ("audio", message.audio)):
        if media is not None:
            return {"type": kind, "mimeType": media.mime_type, "data": media.data}
    link = message.resource_link
    if link is None:
        return None
    said = {"title": link.title, "description": link.description, "mimeType": link.mime_type}
    return {
        "type": "resource_link",
        "uri": _fill(link.uri, values),
        "name": link.name,
        **{key: text for key, text in said.items() if text},
    }


def _fill(template: str, values: Mapping[str, str]) -> str:
    return PROMPT_PLACE.sub(lambda place: values.get(place[1], place[0]), template)


def _value(variable: PromptVariable, arguments: Mapping[str, Any]) -> str:
    value = arguments.get(variable.name, variable.default)
    if value is None:
        if variable.required:
            raise PromptArgumentError(f"the argument {variable.name!r} is required")
        return ""
    if not isinstance(value, str):
        raise PromptArgumentError(f"the argument {variable.name!r} must be a string")
    if variable.enum and value not in variable.enum:
        raise PromptArgumentError(
            f"the argument {variable.name!r} must be one of: {', '.join(variable.enum)}"
        )
    return value


def complete_prompt(prompt: PromptEntry, variable_name: str, typed: str) -> JsonObject:
    """Return MCP's `completion` object for a variable of a prompt.

    Raises:
        PromptArgumentError: The prompt has no such variable.
    """
    for variable in prompt.variables:
        if variable.name == variable_name:
            return _completion(variable.enum, typed)
    raise PromptArgumentError(f"the prompt {prompt.name!r} has no argument {variable_name!r}")


def complete_resource(entry: ResourceEntry, variable_name: str, typed: str) -> JsonObject:
    """Return MCP's `completion` object for a variable of a resource template.

    A resource with a fixed URI has no variables, so its completion is always empty.

    Raises:
        PromptArgumentError: The template has no such variable.
    """
    if not entry.uri_template:
        return _completion((), typed)
    for argument in entry.backend.arguments if entry.backend else ():
        if argument.name == variable_name:
            return _completion(argument.enum, typed)
    raise PromptArgumentError(f"the template {entry.uri_template!r} has no {variable_name!r}")


def _completion(allowed: Sequence[str], typed: str) -> JsonObject:
    """Filter by prefix without regard to case, and keep the author's order."""
    matching = [value for value in allowed if value.casefold().startswith(typed.casefold())]
    return {
        "values": matching[:MAX_COMPLETIONS],
        "total": len(matching),
        "hasMore": len(matching) > MAX_COMPLETIONS,
    }
