from __future__ import annotations

from support.scrapes import BEGIN, Point, extended, scraped

PAGE = """\
# TYPE mcp_redis_up gauge
mcp_redis_up 1.0
# TYPE mcp_tool_calls_total counter
mcp_tool_calls_total{outcome="ok",tool="search"} 5.0
# TYPE mcp_certificate_expiry_timestamp_seconds gauge
mcp_certificate_expiry_timestamp_seconds 1700000600.0
# TYPE mcp_open_streams gauge
mcp_open_streams 3.0
"""

REDIS = 'mcp_redis_up{pod="a"}'
CALLS = 'mcp_tool_calls_total{outcome="ok", pod="a", tool="search"}'


def test_a_page_is_parsed_like_in_prometheus_with_only_the_metrics_that_alerts_use() -> None:
    assert scraped(PAGE, 1_700_000_000.0, pod="a") == {
        'up{pod="a"}': Point(1, grows=False),
        REDIS: Point(1, grows=False),
        CALLS: Point(5, grows=True),
        # In the time of promtool, which begins at 0, this is ten minutes after the fault.
        'mcp_certificate_expiry_timestamp_seconds{pod="a"}': Point(60 * BEGIN + 600, grows=False),
    }


def test_a_target_that_does_not_answer_is_down() -> None:
    assert scraped(None, 0.0, pod="a") == {'up{pod="a"}': Point(0, grows=False)}


CONDITION = """\
# TYPE condition gauge
condition{namespace="shop"} 1.0
"""


def test_a_label_that_the_target_also_has_is_kept_only_if_labels_are_honored() -> None:
    found = {
        honored: scraped(CONDITION, 0.0, wanted={"condition"}, honor_labels=honored, namespace="a")
        for honored in (True, False)
    }
    assert set(found[True]) == {'up{namespace="a"}', 'condition{namespace="shop"}'}
    exported = 'condition{exported_namespace="shop", namespace="a"}'
    assert set(found[False]) == {'up{namespace="a"}', exported}


def test_extended_gauges_keep_their_value_counters_grow_and_missing_series_are_stale() -> None:
    before = {REDIS: Point(1, grows=False), CALLS: Point(5, grows=True)}
    during = {REDIS: Point(0, grows=False), CALLS: Point(8, grows=True)}
    before["gone{}"], during["new{}"] = Point(2, grows=False), Point(7, grows=False)
    assert extended(before, before, during) == {
        REDIS: "1x9 0x100",
        CALLS: "5x9 5+3x100",
        "gone{}": "2x9 stale",
        "new{}": "_x9 7x100",
    }
