"""Forwards events of a backend's stream to the client during the call.

If a backend can return MCP results, its event stream can contain events of three names. `progress`
and `log` are forwarded at once and are not part of the result. `result` is the complete result.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field

from mcp_operator.gateway import exact
from mcp_operator.gateway.contract import Listener, LogLevel
from mcp_operator.gateway.upstream.answer import clean

PROGRESS: Final = "progress"
LOG: Final = "log"
RESULT: Final = "result"

MAX_LOGS: Final = 1000
"""Log messages of one call; clients that need more should read the logs at their source."""

MAX_LOG: Final = 64 * 1024
"""Bytes of one log message."""

_LINE_END: Final = re.compile(r"\r\n|\n|\r")

_Amount = Annotated[int | float, Field(ge=-1e15, le=1e15)]
"""The range that all JSON parsers represent exactly."""


class _Progress(BaseModel):
    model_config = ConfigDict(strict=True)

    progress: _Amount
    total: _Amount | None = None
    message: str = ""


class _Log(BaseModel):
    model_config = ConfigDict(strict=True)

    level: LogLevel = "info"
    data: Any
    logger: Annotated[str, Field(max_length=128)] = ""


class Telling:
    """Forwards events to a listener. Events that do not have the documented form are dropped."""

    def __init__(self, listener: Listener) -> None:
        """Set up; nothing is redacted until `redacted` is set."""
        self._listener = listener
        self._logs = 0
        self.redacted: Callable[[bytes], bytes] = bytes

    def tell(self, name: str, data: str) -> None:
        """Forward an event with the name `PROGRESS` or `LOG`."""
        data = self.redacted(data.encode(errors="replace")).decode()
        try:
            if name == PROGRESS:
                said = _Progress.model_validate_json(data)
                self._listener.progress(said.progress, said.total, clean(said.message))
            elif self._logs < MAX_LOGS and len(data) <= MAX_LOG:
                self._logs += 1
                log = _Log.model_validate(exact.loads(data, unfolded=True))
                exact.dumps(log.data)  # raises if it is nested too deeply
                self._listener.log(log.level, log.data, log.logger)
        except (ValueError, RecursionError):
            return


def parsed(event: bytes) -> tuple[str, str]:
    """Return the name and the data of an event (HTML standard, "Interpreting an event stream").

    Args:
        event: The lines of the event.
    """
    name, data = "", []
    for line in _LINE_END.split(event.decode(errors="replace").removeprefix("\ufeff")):
        field, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if field == "event":
            name = value
        elif field == "data":
            data.append(value)
    return name, "\n".join(data)
