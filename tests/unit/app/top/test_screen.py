from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.app.inspection.settings import Order
from mcp_operator.app.inspection.top.command import frame
from mcp_operator.app.inspection.top.figures import Counts, PodReading, Reading
from mcp_operator.app.inspection.top.screen import duration, ordered, rows, screen
from mcp_operator.core.meta import Key, Object


def server(name: str, namespace: str = "demo", **status: Any) -> Object:
    condition = {"type": "Ready", "status": "True", "reason": "Ready"}
    given = {"readyReplicas": 1, "replicas": 2, "toolCount": 3, "conditions": [condition]}
    return {"metadata": {"name": name, "namespace": namespace}, "status": given | status}


def pod(at: float, calls: float, errors: float = 0, seconds: float = 0.25) -> dict[str, PodReading]:
    buckets = {seconds / 2: 0.0, seconds: calls, float("inf"): calls}
    return {"uid": PodReading(at, {"search": Counts(calls, errors, buckets)})}


BUSY, IDLE, SLOW = Key("demo", "busy"), Key("demo", "idle"), Key("demo", "slow")
SERVERS = [server("idle", toolCount=9), server("busy", syncedReplicas=1), server("slow")]
BEFORE = Reading(SERVERS, {BUSY: pod(0, 0), SLOW: pod(0, 0)})
AFTER = Reading(SERVERS, {BUSY: pod(2, 20), SLOW: pod(2, 2, errors=2, seconds=4)})


def shown(before: Reading = BEFORE, after: Reading = AFTER, namespace: str = "demo") -> list[str]:
    return list(screen(before, after, namespace=namespace, order="calls"))


def test_servers_and_their_tools_are_shown() -> None:
    assert shown() == [
        "namespace demo: 3 servers, 15 tools, 11.0 calls/s, 1.0 errors/s",
        "",
        "SERVER   READY   SYNCED   TOOLS   CALLS/S   ERRORS/S   P50     P95     STATE",
        "busy     1/2     1/1      3       10.0      0.0        188ms   244ms   Ready",
        "slow     1/2     0/1      3       1.0       1.0        3.0s    3.9s    Ready",
        "idle     1/2     0/1      9       -         -          -       -       Ready",
        "",
        "TOOL     SERVER   CALLS/S   ERRORS/S   P50     P95",
        "search   busy     10.0      0.0        188ms   244ms",
        "search   slow     1.0       1.0        3.0s    3.9s",
    ]


def test_without_a_second_reading_no_rates_are_shown() -> None:
    lines = shown(AFTER, AFTER)
    assert lines[0] == "namespace demo: 3 servers, 15 tools"
    assert not any(line.startswith("TOOL ") for line in lines)


def test_the_view_of_all_namespaces_shows_the_namespace_of_each_server() -> None:
    lines = shown(namespace="")
    assert lines[0].startswith("all namespaces: 3 servers")
    assert any(line.startswith("demo/busy ") for line in lines)


@pytest.mark.parametrize(
    ("order", "names"),
    [
        ("calls", ["busy", "slow", "idle"]),
        ("errors", ["slow", "busy", "idle"]),
        ("latency", ["slow", "busy", "idle"]),
        ("name", ["busy", "idle", "slow"]),
        ("tools", ["idle", "busy", "slow"]),
    ],
)
def test_rows_are_sorted_in_the_given_order(order: Order, names: list[str]) -> None:
    servers, _ = rows(BEFORE, AFTER)
    assert [row.name for row in ordered(servers, order)] == names


def test_the_state_of_a_server_that_is_not_ready_has_the_reason() -> None:
    conditions = [
        {"type": "Ready", "status": "False", "reason": "PodsNotReady"},
        {"type": "Degraded", "status": "True", "reason": "RedisUnavailable"},
    ]
    for given, state in (
        (
            server("red", conditions=conditions),
            "not ready: PodsNotReady, degraded: RedisUnavailable",
        ),
        ({"metadata": {"name": "red", "namespace": "demo"}}, "not seen by an operator"),
    ):
        assert shown(Reading(), Reading([given]))[-1].endswith(state)


def test_a_server_in_mode_direct_has_no_synced_count() -> None:
    line = shown(Reading(), Reading([server("blue", mode="Direct")]))[-1]
    assert line.split()[:4] == ["blue", "1/2", "-", "3"]


def test_read_errors_are_shown_without_control_characters() -> None:
    assert shown(after=Reading(notes=["no\x1b[2J right"]))[1] == "! no [2J right"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "-"),
        (0.0004, "0.4ms"),
        (0.0125, "12ms"),
        (0.25, "250ms"),
        (1.26, "1.3s"),
        (60, "60.0s"),
    ],
)
def test_a_latency_is_formatted_in_short_form(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


def test_a_frame_fits_the_terminal() -> None:
    drawn = frame(["a" * 100, "b", "c", "d"], 10, 3)
    assert drawn == "\x1b[H" + "a" * 10 + "\x1b[K\r\nb\x1b[K\r\n… 2 more l\x1b[K\x1b[J"
