"""The constants of the MCP specification that the code of both eras uses.

Sources: the schema and pages of the revisions 2024-11-05, 2025-03-26, 2025-06-18, 2025-11-25
("legacy": an `initialize` handshake and sessions) and 2026-07-28 ("modern": requests are
independent of each other).
"""

from __future__ import annotations

import enum
from typing import Final


class Era(enum.StrEnum):
    """The two wire formats of MCP over Streamable HTTP."""

    MODERN = "modern"
    LEGACY = "legacy"


MODERN_VERSIONS: Final = ("2026-07-28",)
LEGACY_VERSIONS: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""Newest first: the first is offered to a client that asks for an unsupported version. The
transport of 2024-11-05 is not supported; its clients use Streamable HTTP, as with the official
SDKs."""

BATCHING_VERSION: Final = "2025-03-26"
"""The only revision whose servers must accept JSON-RPC batches; 2025-06-18 removed them."""

VERSION_HEADER: Final = "mcp-protocol-version"
METHOD_HEADER: Final = "mcp-method"
NAME_HEADER: Final = "mcp-name"
SESSION_HEADER: Final = "mcp-session-id"
PARAM_HEADER_PREFIX: Final = "mcp-param-"

VERSION_META: Final = "io.modelcontextprotocol/protocolVersion"
CAPABILITIES_META: Final = "io.modelcontextprotocol/clientCapabilities"
LOG_LEVEL_META: Final = "io.modelcontextprotocol/logLevel"
SERVER_INFO_META: Final = "io.modelcontextprotocol/serverInfo"
TASKS: Final = "io.modelcontextprotocol/tasks"
"""The extension for tasks (its specification of 2026-07-28)."""

SUBSCRIPTION_META: Final = "io.modelcontextprotocol/subscriptionId"

NAMED_BY: Final = {
    "tools/call": "name",
    "prompts/get": "name",
    "resources/read": "uri",
    "tasks/get": "taskId",
    "tasks/update": "taskId",
    "tasks/cancel": "taskId",
}
"""Method -> the parameter that `Mcp-Name` repeats (2026-07-28, basic/transports; tasks)."""

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
LEGACY_RESOURCE_NOT_FOUND: Final = -32002
"""`resources/read` of an unknown URI up to 2025-11-25; retired by 2026-07-28."""
HEADER_MISMATCH: Final = -32020
MISSING_CAPABILITY: Final = -32021
UNSUPPORTED_VERSION: Final = -32022

# The gateway's own codes are outside -32768..-32000, which JSON-RPC reserves, so that no revision
# of either specification can give them another meaning.
REFUSED: Final = -31000
"""The request was refused before it was parsed: Host, Origin, media type, session."""
OVERLOADED: Final = -31001
"""A limit of this server is reached, or it has no catalog yet; the same request can succeed after
`Retry-After`."""
CANCELLED: Final = -31002
"""The client cancelled this request."""

METHODS: Final = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tasks/cancel",
        "tasks/get",
        "tasks/update",
        "tools/call",
        "tools/list",
    }
)
"""Every request of either era that the gateway handles."""
