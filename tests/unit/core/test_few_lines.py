"""Many failing calls do not flood the log, and each suppressed line is counted."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from mcp_operator.core.few_lines import (
    BURST,
    BURST_EACH,
    MAX_KINDS,
    PER_SECOND,
    PER_SECOND_EACH,
    FewLines,
)

CALLS = "shop.calls"
AUDIT = "shop.calls.audit"


class Written(logging.Handler):
    """Records the lines that pass, at a time that the test sets."""

    def __init__(self) -> None:
        super().__init__()
        self.time = 1000.0
        self.records: list[logging.LogRecord] = []
        self.addFilter(FewLines(CALLS, besides=AUDIT, clock=lambda: self.time))

    def emit(self, record: logging.LogRecord) -> None:
        self.records.append(record)

    @property
    def suppressed(self) -> int:
        return sum(getattr(record, "suppressed", 0) for record in self.records)


@pytest.fixture
def written() -> Iterator[Written]:
    handler, shop = Written(), logging.getLogger("shop")
    shop.addHandler(handler)
    shop.propagate = False
    yield handler
    shop.removeHandler(handler)


def fail(entry: str = "", logger: str = CALLS, message: str = "A call failed") -> None:
    logging.getLogger(logger).warning(message, extra={"entry": entry} if entry else {})


def test_occasional_failures_are_all_logged(written: Written) -> None:
    for _ in range(50):
        fail("search")
        written.time += 1 / PER_SECOND_EACH
    assert len(written.records) == 50
    assert written.suppressed == 0


def test_a_flood_of_one_tool_is_limited_and_suppressed_lines_are_counted(written: Written) -> None:
    for _ in range(60 * 1000):
        fail("search")
        written.time += 0.001
    written.time += 1
    fail("search")

    assert len(written.records) <= BURST_EACH + 60 * PER_SECOND_EACH + 1
    assert len(written.records) + written.suppressed == 60 * 1000 + 1


def test_a_flood_of_many_tools_has_a_total_limit(written: Written) -> None:
    for number in range(60 * 1000):
        fail(f"tool-{number % 500}")
        written.time += 0.001
    assert BURST + 50 * PER_SECOND < len(written.records) <= BURST + 60 * PER_SECOND + 1


def test_a_tool_that_floods_the_log_does_not_hide_other_tools(written: Written) -> None:
    for _ in range(1000):
        fail("search")
    fail("order")
    assert written.records[-1].__dict__["entry"] == "order"


def test_other_messages_loggers_and_the_audit_log_have_limits_of_their_own(
    written: Written,
) -> None:
    for _ in range(1000):
        fail()
        fail(message="Another")
    assert len(written.records) == 2 * BURST
    written.records.clear()
    for _ in range(1000):
        fail(logger="shop")
        fail(logger=AUDIT)
    assert len(written.records) == 2000


def test_the_number_of_tracked_kinds_of_lines_is_bounded(written: Written) -> None:
    (bound,) = written.filters
    assert isinstance(bound, FewLines)
    for number in range(2 * MAX_KINDS):
        fail(f"tool-{number}")
    assert len(bound._buckets) == MAX_KINDS
