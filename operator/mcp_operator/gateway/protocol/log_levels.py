"""The lowest severity of log messages that each client wants."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final, cast, get_args

from mcp_operator.api.catalog import JsonObject
from mcp_operator.gateway.contract import LogLevel
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError

MAX_SESSIONS: Final = 10_000
"""Sessions whose level is stored. Beyond that, the oldest loses its level, and gets no messages."""

SEVERITY: Final = {level: rank for rank, level in enumerate(get_args(LogLevel))}


def level_of(params: JsonObject) -> LogLevel | None:
    """Return the level that a 2026-07-28 request asks for, or None."""
    meta = params.get("_meta")
    level = meta.get(spec.LOG_LEVEL_META) if isinstance(meta, dict) else None
    return cast("LogLevel", level) if isinstance(level, str) and level in SEVERITY else None


def checked_level(level: object, name: str = "level") -> LogLevel:
    """Validate a level that a client sent.

    Args:
        level: The value.
        name: Its location in `params`.

    Raises:
        RpcError: It is not a level.
    """
    if not isinstance(level, str) or level not in SEVERITY:
        raise RpcError(spec.INVALID_PARAMS, f"`params.{name}` must be one of {', '.join(SEVERITY)}")
    return cast("LogLevel", level)


class SessionLevels:
    """The levels that legacy sessions set with `logging/setLevel`, as far as this process knows."""

    def __init__(self) -> None:
        self._levels: OrderedDict[str, LogLevel] = OrderedDict()

    def set(self, session_id: str, level: LogLevel) -> None:
        """Store a session's level."""
        self._levels[session_id] = level
        if len(self._levels) > MAX_SESSIONS:
            self._levels.popitem(last=False)

    def of(self, session_id: str) -> LogLevel | None:
        """Return a session's level; None if it set none, and so gets no log messages."""
        return self._levels.get(session_id)

    def forget(self, session_id: str) -> None:
        """Forget a session that has ended."""
        self._levels.pop(session_id, None)
