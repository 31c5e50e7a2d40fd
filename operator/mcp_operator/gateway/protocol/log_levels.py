"""How severe a log message must be for a client to be sent it."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, cast, get_args

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import LogLevel
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError

MAX_SESSIONS: Final = 10_000
"""Sessions whose level is remembered; beyond that, the one that set it first is sent nothing."""

SEVERITY: Final = {level: rank for rank, level in enumerate(get_args(LogLevel))}


def level_of(params: JsonObject) -> LogLevel | None:
    """Return the level that a 2026-07-28 request asks for; None where it asks for none."""
    meta = params.get("_meta")
    level = meta.get(spec.LOG_LEVEL_META) if isinstance(meta, dict) else None
    return cast("LogLevel", level) if isinstance(level, str) and level in SEVERITY else None


def checked_level(level: object, name: str = "level") -> LogLevel:
    """Return what a client wrote as a level.

    Args:
        level: What it wrote.
        name: Where in `params`.

    Raises:
        RpcError: It is not a level.
    """
    if not isinstance(level, str) or level not in SEVERITY:
        raise RpcError(spec.INVALID_PARAMS, f"`params.{name}` must be one of {', '.join(SEVERITY)}")
    return cast("LogLevel", level)


class SessionLevels:
    """What legacy sessions have set with `logging/setLevel`, as far as this process was told."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, LogLevel] = OrderedDict()

    def set(self, session_id: str, level: LogLevel) -> None:
        """Remember a session's level."""
        self._levels[session_id] = level
        if len(self._levels) > MAX_SESSIONS:
            self._levels.popitem(last=False)

    def of(self, session_id: str) -> LogLevel | None:
        """Return a session's level; None where it set none, and is sent no log messages."""
        return self._levels.get(session_id)

    def forget(self, session_id: str) -> None:
        """Forget a session that has ended."""
        self._levels.pop(session_id, None)
