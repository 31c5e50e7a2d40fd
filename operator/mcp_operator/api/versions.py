"""The MCP revisions that a gateway speaks."""

from __future__ import annotations

from typing import Final

PROTOCOL_VERSIONS: Final = ("2026-07-28", "2025-11-25", "2025-06-18", "2025-03-26")
"""The newest first. From 2026-07-28 on every request stands alone; the others have sessions."""
