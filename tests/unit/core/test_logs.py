from __future__ import annotations

import asyncio
import io
import json
import logging
import warnings
from datetime import UTC, datetime
from typing import Any

import pytest

from mcp_operator.core import logs
from mcp_operator.core.errors import SettingsError

logger = logging.getLogger("mcp_operator.test")


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def fail() -> None:
    raise ValueError("first\nsecond\rthird")


def lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


def test_json_lines_have_the_bound_fields_and_those_of_the_call(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", "json")

    with logs.bind(kind="MCPServer", namespace="demo", name="shop", reconcile_id="7"):
        logger.info("Reconciled", extra={"result": "success"})
    logger.info("Idle")

    reconciled, idle = lines(capsys)
    assert list(reconciled)[:4] == ["timestamp", "level", "logger", "message"]
    assert datetime.fromisoformat(reconciled.pop("timestamp")).tzinfo == UTC
    assert reconciled == {
        "level": "INFO",
        "logger": "mcp_operator.test",
        "message": "Reconciled",
        "kind": "MCPServer",
        "namespace": "demo",
        "name": "shop",
        "reconcile_id": "7",
        "result": "success",
    }
    assert idle.keys() == {"timestamp", "level", "logger", "message"}


def test_the_innermost_value_of_a_field_takes_precedence(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", "json")

    with logs.bind(kind="outer", controller="a"), logs.bind(kind="inner"):
        logger.info("Bound")
        logger.info("Called", extra={"kind": "call"})

    bound, called = lines(capsys)
    assert (bound["kind"], bound["controller"]) == ("inner", "a")
    assert called["kind"] == "call"


async def test_bound_fields_stay_within_their_task(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")

    async def work(name: str) -> None:
        with logs.bind(name=name):
            await asyncio.sleep(0)
            logger.info(name)

    await asyncio.gather(work("a"), work("b"))

    assert [(line["message"], line["name"]) for line in lines(capsys)] == [("a", "a"), ("b", "b")]


def test_a_terminal_gets_plain_text_by_default(monkeypatch: pytest.MonkeyPatch) -> None:
    stream = Terminal()
    monkeypatch.setattr("sys.stderr", stream)
    logs.configure("info")

    with logs.bind(namespace="demo", note="two words"):
        logger.info("Reconciled", extra={"after": 1.5})

    text = stream.getvalue()
    assert text.endswith(
        ' INFO    test: Reconciled namespace=demo note="two words" after=1.5\n',
    )
    assert "\x1b" not in text


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_value_can_add_a_log_line(
    capsys: pytest.CaptureFixture[str], log_format: logs.LogFormat
) -> None:
    logs.configure("info", log_format)
    hostile = 'x\n12:00:00 ERROR  fake\r\x1b[31m\u2028\x85"k=v'

    with logs.bind(name=hostile):
        logger.info("Message %s", hostile, extra={"detail": hostile, "k\ney": "v"})

    text = capsys.readouterr().err
    assert len(text.splitlines()) == 1
    assert text.removesuffix("\n").isprintable()


def test_the_lines_of_a_traceback_in_text_begin_with_a_bar(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("info", "text")

    try:
        fail()
    except ValueError:
        logger.exception("Failed")

    first, *trace = capsys.readouterr().err.splitlines()
    assert first.endswith("Failed")
    assert trace[0] == "  | Traceback (most recent call last):"
    assert all(line.startswith("  | ") for line in trace)


def test_a_traceback_in_json_is_a_field(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure("info", "json")

    try:
        fail()
    except ValueError:
        logger.exception("Failed")

    (line,) = lines(capsys)
    assert "ValueError: first\nsecond" in line["exc_info"]


def test_lines_below_the_level_are_dropped_and_python_warnings_are_logged(
    capsys: pytest.CaptureFixture[str],
) -> None:
    logs.configure("warning", "json")

    logger.info("Unheard")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn("old", stacklevel=1)

    (line,) = lines(capsys)
    assert line["logger"] == "py.warnings"


def test_an_error_about_an_unknown_level_lists_the_levels() -> None:
    with pytest.raises(SettingsError, match="'loud' is not one of debug, info, warning, error"):
        logs.configure("loud")
