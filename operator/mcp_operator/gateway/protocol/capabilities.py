"""The capabilities that clients declare, and those that requests from the server need.

Sources: `ClientCapabilities` in the schemas of 2025-11-25 and 2026-07-28, and the pages on
elicitation, sampling and roots. Extensions and experimental capabilities are ignored.
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
    """What a client can be asked for. The values are part of session ids and must never change."""

    FORMS = 1
    """The user fills in a form."""
    URLS = 2
    """The user visits a web page."""
    SAMPLING = 4
    """The client's model generates a message."""
    SAMPLING_TOOLS = 8
    """The model can use tools while sampling."""
    SAMPLING_CONTEXT = 16
    """Sampling can include context from MCP servers."""
    ROOTS = 32
    """The client lists the folders that it works in."""


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
    """Return what a client declares; values of an unknown form count as not declared.

    An `elicitation` that names no mode means forms (client/elicitation, Capabilities).
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
    """Return the `ClientCapabilities` object that declares these capabilities."""
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
    """Return the capabilities that these requests need; `Questions` has checked them."""
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
    """Return the end of an error message that names the missing capabilities."""
    parts = (f"{name}.{part}" if part else name for flag, name, part in _PARTS if flag in missing)
    return f"needs a client that declares the capabilities: {', '.join(parts)}"


def refusal(subject: str, missing: Capability) -> RpcError:
    """Return the error of 2026-07-28 for a client that does not declare a needed capability.

    Source: basic/index, `MissingRequiredClientCapabilityError`.
    """
    return RpcError(
        spec.MISSING_CAPABILITY,
        f"{subject} {lacks(missing)}",
        data={"requiredCapabilities": written(missing)},
        status=400,
    )
