"""What clients declare that they can do for a server, and what a request of a server needs.

Sources: `ClientCapabilities` of the schemas of 2025-11-25 and 2026-07-28, and the pages on
elicitation, sampling and roots. Extensions and experimental capabilities are not looked at.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from typing import Any, Final

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.client_capabilities import ClientCapability
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError

ELICIT: Final = "elicitation/create"
SAMPLE: Final = "sampling/createMessage"
LIST_ROOTS: Final = "roots/list"

_CONTEXTS: Final = ("thisServer", "allServers")


class Capability(enum.Flag):
    """What a client can be asked for; the values go into session ids, and never change."""

    FORMS = 1
    """The user fills in a form."""
    URLS = 2
    """The user visits a web page."""
    SAMPLING = 4
    """The client's model writes something."""
    SAMPLING_TOOLS = 8
    """It may use tools for that."""
    SAMPLING_CONTEXT = 16
    """It may be told of MCP servers for that."""
    ROOTS = 32
    """The client tells which folders it works in."""


NOTHING: Final = Capability(0)
EVERYTHING: Final = ~NOTHING

_PARTS: Final = (
    (Capability.FORMS, "elicitation", "form"),
    (Capability.URLS, "elicitation", "url"),
    (Capability.SAMPLING, "sampling", ""),
    (Capability.SAMPLING_TOOLS, "sampling", "tools"),
    (Capability.SAMPLING_CONTEXT, "sampling", "context"),
    (Capability.ROOTS, "roots", ""),
)

_NAMED: Final[Mapping[ClientCapability, Capability]] = {
    "Elicitation": Capability.FORMS,
    "ElicitationURL": Capability.URLS,
    "Sampling": Capability.SAMPLING,
    "SamplingTools": Capability.SAMPLING | Capability.SAMPLING_TOOLS,
    "Roots": Capability.ROOTS,
}


def declared(capabilities: object) -> Capability:
    """Return what a client declares; nothing where that has another form than MCP's.

    An `elicitation` that names no mode stands for forms (client/elicitation, Capabilities).
    """
    found = NOTHING
    if not isinstance(capabilities, dict):
        return found
    for flag, name, part in _PARTS:
        has = capabilities.get(name)
        if isinstance(has, dict) and (not part or isinstance(has.get(part), dict)):
            found |= flag
    elicitation = capabilities.get("elicitation")
    if isinstance(elicitation, dict) and not {"form", "url"} & elicitation.keys():
        found |= Capability.FORMS
    return found


def written(flags: Capability) -> JsonObject:
    """Return capabilities as the `ClientCapabilities` that declare them."""
    result: JsonObject = {}
    for flag, name, part in _PARTS:
        if flag in flags:
            has = result.setdefault(name, {})
            if part:
                has[part] = {}
    return result


def named(names: Iterable[ClientCapability]) -> Capability:
    """Return the capabilities that a tool requires."""
    flags = NOTHING
    for name in names:
        flags |= _NAMED[name]
    return flags


def needed(requests: Mapping[str, JsonObject]) -> Capability:
    """Return what a client must be able to do for requests that it serves (see `Questions`)."""
    flags = NOTHING
    for request in requests.values():
        params = request.get("params") or {}
        match request["method"]:
            case "elicitation/create":
                flags |= Capability.URLS if params.get("mode") == "url" else Capability.FORMS
            case "sampling/createMessage":
                flags |= _sampling(params)
            case _:
                flags |= Capability.ROOTS
    return flags


def _sampling(params: Mapping[str, Any]) -> Capability:
    flags = Capability.SAMPLING
    if "tools" in params or "toolChoice" in params:
        flags |= Capability.SAMPLING_TOOLS
    if params.get("includeContext") in _CONTEXTS:
        flags |= Capability.SAMPLING_CONTEXT
    return flags


def lacks(missing: Capability) -> str:
    """Say that a client cannot do something; goes on after what needs it."""
    parts = (f"{name}.{part}" if part else name for flag, name, part in _PARTS if flag in missing)
    return f"needs a client that declares the capabilities: {', '.join(parts)}"


def refusal(subject: str, missing: Capability) -> RpcError:
    """Return the error of 2026-07-28 for a client that does not declare what something needs.

    Source: basic/index, `MissingRequiredClientCapabilityError`.
    """
    return RpcError(
        spec.MISSING_CAPABILITY,
        f"{subject} {lacks(missing)}",
        data={"requiredCapabilities": written(missing)},
        status=400,
    )
