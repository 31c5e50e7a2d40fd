"""The status of an MCPServer in mode Direct, decided from observed facts."""

from __future__ import annotations

import pytest

from mcp_operator.api.conditions import Condition, ConditionType
from mcp_operator.api.reasons import Reason
from mcp_operator.controllers.confirmations import Confirmed
from mcp_operator.controllers.mcpserver_status import ObservedServer, server_conditions
from mcp_operator.core.meta import Object
from support.documented_reasons import declared
from support.observed_servers import ACCEPTED, DEGRADED, PROGRAMMED, READY, view
from support.server_bench import DIRECT


def decided(given: ObservedServer) -> dict[ConditionType, Condition]:
    return declared(server_conditions(given))


def test_programmed_is_unknown_for_an_image_that_does_not_report_its_catalog() -> None:
    conditions = decided(view(spec=DIRECT, confirmed=None))
    assert conditions[PROGRAMMED].status is None
    assert conditions[PROGRAMMED].reason is Reason.NOT_REPORTED
    assert "spec.direct.reportsCatalog" in conditions[PROGRAMMED].message
    assert conditions[READY].status
    assert conditions[READY].reason is Reason.NOT_REPORTED


def test_an_image_that_does_not_report_its_catalog_is_not_ready_without_available_pods() -> None:
    conditions = decided(view(spec=DIRECT, confirmed=None, deployment={"status": {}}))
    assert conditions[READY].status is False
    assert conditions[READY].reason is Reason.UNAVAILABLE


def test_an_image_that_reports_its_catalog_has_the_conditions_of_a_gateway() -> None:
    reporting = DIRECT | {"direct": {"reportsCatalog": True}}
    conditions = decided(view(spec=reporting))
    assert conditions[PROGRAMMED].reason is Reason.PROGRAMMED
    behind = Confirmed(1, {"pod-a": "serves catalog 4567"}, 9, {"pod-b": "has no session key"})
    conditions = decided(view(spec=reporting, confirmed=behind))
    assert conditions[READY].reason is Reason.PROPAGATING
    assert conditions[DEGRADED].reason is Reason.HEALTHY  # the image manages its own sessions


@pytest.mark.parametrize(
    ("redis", "reason"),
    [
        ({"serviceName": "cache"}, Reason.ACCEPTED),
        ({"address": "cache.data.svc"}, Reason.ACCEPTED),
        ({"address": "redis.example.com"}, Reason.EGRESS_INCOMPLETE),
    ],
)
def test_a_network_policy_of_a_direct_server_that_blocks_its_redis_is_reported(
    redis: Object, reason: Reason
) -> None:
    spec = DIRECT | {"redis": redis, "networkPolicy": {"mode": "Full"}}
    assert decided(view(spec=spec, confirmed=None))[ACCEPTED].reason is reason
