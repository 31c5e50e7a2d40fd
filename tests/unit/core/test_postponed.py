"""Records that are put off are there for whoever looks, in their order, and do not pile up."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Gauge

from mcp_operator.core.postponed import MOST, Postponed


def test_who_looks_finds_what_was_recorded_in_its_order() -> None:
    registry = CollectorRegistry()
    postpone = Postponed(registry)
    gauge = Gauge("height", "A text.", registry=registry)
    for value in (1, 5, 3):
        postpone(gauge.set, value)
    assert registry.get_sample_value("height") == 3
    gauge.set(7)
    assert registry.get_sample_value("height") == 7, "recorded once, not at each look"


def test_without_anybody_who_looks_records_are_made_when_there_are_many() -> None:
    recorded: list[float] = []
    postpone = Postponed(CollectorRegistry())
    for value in range(MOST + 1):
        postpone(recorded.append, value)
    assert recorded == list(range(MOST))
