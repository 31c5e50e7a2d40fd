"""Compiles icons, which clients get as they are declared."""

from __future__ import annotations

from mcp_operator.api.catalog import JsonObject
from mcp_operator.api.v1alpha1.appearance import Icon


def compile_icons(icons: tuple[Icon, ...]) -> tuple[JsonObject, ...]:
    """Return icons as MCP has them (2025-11-25, basic, section Icons)."""
    return tuple(
        icon.model_dump(mode="json", by_alias=True, exclude_defaults=True) for icon in icons
    )
