"""Logging: JSON lines for machines, plain text for a terminal.

Messages are constant, and fields carry the variable data. Fields come from `extra=` or from `bind`,
which adds them to every record that is logged inside its block, in any module. Use `bind` for the
field `name`, which the standard library rejects in `extra=`.

No value can forge a log line: both formats escape control characters.
"""

from __future__ import annotations

import json
import logging
import re
import sys
import traceback
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import Context, ContextVar, copy_context
from types import MappingProxyType
from typing import Any, Final, Literal

from pythonjsonlogger.core import RESERVED_ATTRS, LogData, merge_record_extra
from pythonjsonlogger.json import JsonFormatter

from mcp_operator.core.errors import SettingsError

LogFormat = Literal["auto", "json", "text"]
"""`auto` is `text` on a terminal and `json` elsewhere."""

LEVELS: Final = ("debug", "info", "warning", "error")

_PLAIN_VALUE: Final = re.compile(r"[\w./:@%+,-]+")
_NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})
_bound: ContextVar[Mapping[str, Any]] = ContextVar("log_fields", default=_NO_FIELDS)


@contextmanager
def bind(**fields: Any) -> Iterator[None]:
    """Add `fields` to every record logged inside the block and by the tasks it starts."""
    token = _bound.set({**_bound.get(), **fields})
    try:
        yield
    finally:
        _bound.reset(token)


def unbound() -> Context:
    """Return this context without bound fields, for a task that outlives the block of `bind`."""
    context = copy_context()
    context.run(_bound.set, _NO_FIELDS)
    return context


class JsonLineFormatter(JsonFormatter):
    """One JSON object per line: timestamp, level, logger, message, then the fields."""

    def __init__(self) -> None:
        super().__init__(
            ["levelname", "name", "message"],
            rename_fields={"levelname": "level", "name": "logger"},
            timestamp=True,
        )

    def process_log_record(self, log_data: LogData) -> LogData:
        """Put the timestamp first, and add the bound fields that the call does not override."""
        bound = {key: value for key, value in _bound.get().items() if key not in log_data}
        return {"timestamp": None, **log_data, **bound}


class TextFormatter(logging.Formatter):
    """One plain line per record: time, level, logger, message, `key=value` fields.

    A traceback follows on separate lines. Only these lines start with a bar.
    """

    default_time_format = "%H:%M:%S"
    default_msec_format = "%s.%03d"

    def format(self, record: logging.LogRecord) -> str:
        """Format a record."""
        fields = {**_bound.get(), **merge_record_extra(record, {}, reserved=RESERVED_ATTRS)}
        line = " ".join(
            [
                self.formatTime(record),
                f"{record.levelname:<7}",
                f"{record.name.removeprefix('mcp_operator.')}:",
                _printable(record.getMessage()),
                *(f"{_printable(key)}={_value(value)}" for key, value in fields.items()),
            ]
        )
        if record.exc_info:
            trace = self.formatException(record.exc_info)
            line += "".join(f"\n  | {_printable(part)}" for part in trace.splitlines())
        return line


def configure(
    level: str, log_format: LogFormat = "auto", bound: logging.Filter | None = None
) -> None:
    """Send all logs to standard error, replacing any earlier configuration.

    Args:
        level: The least severe lines that are written.
        log_format: Text for people or JSON for machines.
        bound: A filter that limits how many lines are written; None for no limit.

    Raises:
        SettingsError: The level is not one of `LEVELS`.
    """
    if level not in LEVELS:
        raise SettingsError(f"log level {level!r} is not one of {', '.join(LEVELS)}")
    text = log_format == "text" or (log_format == "auto" and sys.stderr.isatty())
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(TextFormatter() if text else JsonLineFormatter())
    if bound is not None:
        handler.addFilter(bound)
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    logging.captureWarnings(capture=True)


def failure(error: BaseException | None) -> dict[str, str]:
    """Return fields that say where something unexpected happened, without the error's own text.

    That text could quote the data being processed: a client's request or a backend's response.
    """
    trace = traceback.format_tb(error.__traceback__) if error is not None else []
    return {"error": type(error).__name__, "trace": "".join(trace)}


def _printable(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


def _value(value: Any) -> str:
    text = str(value)
    return text if _PLAIN_VALUE.fullmatch(text) else json.dumps(text)
