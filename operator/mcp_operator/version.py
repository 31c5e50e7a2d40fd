"""The version of the installed distribution, as written in pyproject.toml."""

from __future__ import annotations

from importlib.metadata import version
from typing import Final

VERSION: Final = version("mcp-operator")
