"""The MCP revisions that a gateway supports."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSIONS: Final = ("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
"""The newest first. Since 2026-07-28, requests are independent; older revisions have sessions."""
