"""Where the guides of the documentation are on the web, for messages that refer to them."""

from __future__ import annotations

from typing import Final

_FOLDER: Final = "https://github.com/mcp-operator/mcp-operator/blob/main/docs/how-to"

CONNECT: Final = f"{_FOLDER}/connect-a-client.md"
"""How to add the URL of an endpoint to an MCP client."""

INSPECT: Final = f"{_FOLDER}/inspect-a-server.md"
"""How to install the extra `inspect`, and to use its commands."""

TRACES: Final = f"{_FOLDER}/trace-calls.md"
"""How to install the extra `otel`, and to turn on traces."""
