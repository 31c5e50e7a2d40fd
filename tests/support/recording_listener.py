"""A listener that records what it receives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import LogLevel


@dataclass
class RecordingListener:
    """Records progress unchanged, and log messages with encoded data."""

    progresses: list[tuple[float, float | None, str]] = field(default_factory=list)
    logs: list[tuple[LogLevel, bytes, str]] = field(default_factory=list)

    def progress(self, value: float, total: float | None = None, message: str = "") -> None:
        self.progresses.append((value, total, message))

    def log(self, level: LogLevel, data: Any, logger: str = "") -> None:
        self.logs.append((level, exact.encode(data), logger))
