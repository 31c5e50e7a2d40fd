"""Staged faults: the documented alert fires, its runbook shows the cause, and the log has the line.

Prometheus does not run: promtool evaluates the rules with the scraped values, extended in time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from e2e.harness.drill import Drill
from e2e.harness.faults import (
    applied,
    broken_backend,
    closed_port,
    lost_webhook,
    scaled,
    server,
    service,
    tool,
    without,
)
from e2e.harness.installs import OPERATOR, OPERATOR_PODS, Install
from e2e.harness.shop import GATEWAY_PODS, Shop
from e2e.harness.waiting import eventually
from support.certificates import Authority
from support.promtool import promtool
from support.provision import UnavailableError
from support.scrapes import rules

TOOL = "search-products"

NOT_STAGED: Final = {
    "MCPOperatorReconcileTimeouts": "needs an API server that is silent for two minutes",
    "MCPOperatorEventLoopLag": "needs a pod with too little CPU for its work",
    "MCPGatewayEventLoopLag": "needs a pod with too little CPU for its clients",
}
"""Alerts whose faults depend on the machine. tests/manifests/test_alerts.py has series for them."""


@pytest.fixture
def drill(operator: Install, samples: Shop) -> Drill:
    """Start each test with an operator that leads, and a server that is not Degraded."""
    operator.wait_leading()
    try:
        opened = Drill(operator, samples, promtool())
    except UnavailableError as error:
        pytest.skip(str(error))
    opened.condition("mcpserver", "shop", "Ready", "True")
    opened.condition("mcpserver", "shop", "Degraded", "False")
    eventually(lambda: is_led(opened), "the metrics to say who leads")
    eventually(opened.is_quiet, "no alert to fire")
    return opened


@pytest.fixture(scope="module")
def broken(samples: Shop) -> Iterator[str]:
    """A Service whose pod accepts requests, and fails them or does not respond."""
    with applied(samples.kubectl, *broken_backend(samples.image)):
        samples.kubectl.wait("pod/broken", "condition=Ready")
        yield "broken"


def test_every_alert_is_staged_or_listed_as_not_staged() -> None:
    source = Path(__file__).read_text(encoding="utf-8").partition("@pytest.fixture")[2]
    staged = {rule["alert"] for rule in rules() if f'"{rule["alert"]}"' in source}
    assert len(staged) > 10
    assert staged == {rule["alert"] for rule in rules()} - NOT_STAGED.keys()


def test_a_backend_without_pods_is_reported(drill: Drill) -> None:
    before = drill.scrape()
    with scaled(drill.shop.kubectl, "deployment/shop-backend"):
        eventually(lambda: drill.shop.call(TOOL).get("isError"), "calls to fail")
        begun = drill.scrape()
        for _ in range(3):
            assert drill.shop.call(TOOL)["isError"]
        failing = ("MCPToolFailing", "MCPCallErrorBudgetBurnFast", "MCPCallErrorBudgetBurnSlow")
        drill.fires(*failing, before=before, begun=begun)
        for alert in failing:
            outcome = '"outcome": "unreachable"'
            drill.diagnosed(alert, outcome, outcome, f'"entry": "{TOOL}"', SERVER="shop", TOOL=TOOL)
    eventually(lambda: not drill.shop.call(TOOL).get("isError"), "calls to work again")


def test_a_backend_that_accepts_and_does_not_respond_is_reported(drill: Drill, broken: str) -> None:
    before = drill.scrape()
    slow = ("MCPToolFailing", "MCPCallLatencyBudgetBurn")
    with applied(drill.shop.kubectl, tool("silent", broken, "/silent", timeout="11s")):
        eventually(lambda: "silent" in drill.shop.tools(), "the tool to be listed")
        begun = drill.scrape()
        assert drill.shop.call("silent")["isError"]
        drill.fires(*slow, before=before, begun=begun)
        for alert in slow:
            outcome = '"outcome": "timeout"'
            drill.diagnosed(alert, outcome, outcome, '"silent"', SERVER="shop", TOOL="silent")


def test_a_backend_that_fails_is_reported(drill: Drill, broken: str) -> None:
    before = drill.scrape()
    with applied(drill.shop.kubectl, tool("failing", broken)):
        eventually(lambda: "failing" in drill.shop.tools(), "the tool to be listed")
        begun = drill.scrape()
        assert drill.shop.call("failing")["isError"]
        drill.fires("MCPToolFailing", before=before, begun=begun)
        status, names = '"status": 500', {"SERVER": "shop", "TOOL": "failing"}
        drill.diagnosed("MCPToolFailing", status, status, '"failing"', **names)


def test_a_tool_whose_service_does_not_exist_is_reported(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    with applied(kubectl, tool("lost", "nowhere")):
        drill.condition("mcpserver", "shop", "Degraded", "True")
        eventually(lambda: "nowhere" in rejected(drill), "the status to name the tool")
        drill.fires("MCPServerDegraded", before=before)
        cause = ('"name": "lost"', "nowhere does not exist")
        drill.diagnosed("MCPServerDegraded", "MCPTool lost .ServiceNotFound", *cause, NAME="shop")
        events = kubectl("get", "events", "--field-selector=reason=ServiceNotFound")
        assert "nowhere does not exist" in events
    drill.condition("mcpserver", "shop", "Degraded", "False")


def test_a_tool_whose_name_is_taken_is_reported(drill: Drill) -> None:
    before = drill.scrape()
    with applied(drill.shop.kubectl, tool("twin", "shop-backend", name=TOOL)):
        drill.condition("mcpserver", "shop", "Degraded", "True")
        drill.fires("MCPServerDegraded", before=before)
        cause = ('"name": "twin"', '"reason": "DuplicateName"')
        drill.diagnosed("MCPServerDegraded", "MCPTool twin .DuplicateName", *cause, NAME="shop")
        assert not drill.shop.call(TOOL).get("isError")
    drill.condition("mcpserver", "shop", "Degraded", "False")


def test_a_server_whose_pods_cannot_be_scheduled_is_reported(drill: Drill) -> None:
    before = drill.scrape()
    spec = {"podTemplate": {"spec": {"nodeSelector": {"no": "node"}}}}
    with applied(drill.shop.kubectl, server("stuck", **spec)):
        drill.condition("mcpserver", "stuck", "Ready", "False")
        drill.fires("MCPServerNotReady", "MCPServerCatalogNotConfirmed", before=before)
        cause = "cannot be scheduled"
        drill.diagnosed("MCPServerNotReady", cause, '"name": "stuck"', cause, NAME="stuck")
        drill.runbook("MCPServerCatalogNotConfirmed", cause, NAME="stuck")


def test_a_server_whose_pods_the_operator_cannot_reach_is_reported(drill: Drill) -> None:
    before = drill.scrape()
    with applied(drill.shop.kubectl, closed_port("closed"), server("closed")):
        drill.condition("mcpserver", "closed", "Programmed", "False")
        cause = "did not answer in time"
        drill.diagnosed(
            "MCPServerCatalogNotConfirmed", cause, "mcp-server-closed-", cause, NAME="closed"
        )
        drill.fires("MCPServerCatalogNotConfirmed", before=before)


def test_a_redis_without_pods_is_reported(drill: Drill) -> None:
    before = drill.scrape()
    limits = {"shared": {"requests": 600, "per": "Minute"}}
    limited = server("limited", redis={"serviceName": "gone"}, rateLimits=limits)
    with applied(drill.shop.kubectl, service("gone", port=6379, target=6379), limited):
        drill.condition("mcpserver", "limited", "Degraded", "True")
        drill.fires("MCPGatewayRedisDown", before=before)
        drill.diagnosed("MCPGatewayRedisDown", "gone.*refused", "gone", "refused", NAME="limited")


def test_a_certificate_that_expires_within_a_week_is_reported(drill: Drill, tmp_path: Path) -> None:
    before = drill.scrape()
    files = Authority(tmp_path, "ca").issue("secure", hosts=("secure",))
    data = {
        key: base64.b64encode(file.read_bytes()).decode()
        for key, file in zip(("tls.crt", "tls.key"), files, strict=True)
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data}
    secret["metadata"] = {"name": "soon"}
    with applied(drill.shop.kubectl, secret, server("secure", tls={"secretName": "soon"})):
        drill.condition("mcpserver", "secure", "Ready", "True")
        drill.fires("MCPGatewayCertificateExpiring", before=before)
        drill.diagnosed("MCPGatewayCertificateExpiring", "notAfter=", "tls.crt", NAME="secure")


def test_tools_that_lost_their_label_are_reported(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    tools = ("mcptool/orders", "mcptool/product-picture")
    kubectl("label", *tools, "app.kubernetes.io/part-of-")
    try:
        eventually(lambda: drill.shop.tools() == [TOOL], "the tools to leave the list")
        drill.fires("MCPGatewayToolsLost", before=before)
        drill.diagnosed("MCPGatewayToolsLost", r"orders .* 0 +False", "cancel-order", NAME="shop")
    finally:
        kubectl("label", *tools, "app.kubernetes.io/part-of=shop")
    eventually(lambda: len(drill.shop.tools()) == 5, "the tools to be back")


def test_an_operator_without_pods_and_a_broken_catalog_are_reported(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    with scaled(drill.system, OPERATOR):
        eventually(lambda: not drill.system.find("pods", OPERATOR_PODS), "no operator to be left")
        kubectl.patch("configmap", "mcp-server-shop-config", {"data": {"index.json": "{"}})
        (pod,) = kubectl.find("pods", GATEWAY_PODS)
        names = {"POD": pod["metadata"]["name"], "NAME": "shop"}
        cause = "The catalog cannot be loaded"
        drill.diagnosed("MCPGatewayCatalogStale", cause, "mcp-server-shop-config", **names)
        drill.fires("MCPOperatorDown", "MCPGatewayCatalogStale", before=before)
        drill.runbook("MCPOperatorDown", "Scaled down replica set mcp-operator")
        assert TOOL in drill.shop.tools()
    drill.system.rollout(OPERATOR)


def test_an_operator_that_cannot_start_is_reported(drill: Drill) -> None:
    before = drill.scrape()
    variable = "MCP_OPERATOR_LOG_LEVEL"
    with scaled(drill.system, OPERATOR):
        eventually(lambda: not drill.system.find("pods", OPERATOR_PODS), "no operator to be left")
        drill.system("set", "env", OPERATOR, f"{variable}=loud")
        try:
            drill.system("scale", OPERATOR, "--replicas=1")
            cause = "Back-off restarting failed container"
            drill.diagnosed("MCPOperatorDown", cause, "'loud' is not one of")
            drill.fires("MCPOperatorDown", before=before)
        finally:
            drill.system("set", "env", OPERATOR, f"{variable}-")
    drill.system.rollout(OPERATOR)


def test_an_operator_without_permission_to_write_is_reported(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    alerts = ("MCPOperatorForbidden", "MCPOperatorReconcileErrors")
    with without(drill.system, "clusterrole", "mcp-operator", "deployments"):
        begun = drill.scrape()
        kubectl.patch("mcpserver", "shop", {"spec": {"replicas": 2}})
        for alert in alerts:
            cause = 'deployments.*forbidden.*"name": "shop"'
            drill.diagnosed(alert, cause, '"name": "shop"', "deployments", "forbidden")
        drill.fires(*alerts, before=before, begun=begun)
    kubectl.patch("mcpserver", "shop", {"spec": {"replicas": 1}})


def test_a_webhook_that_does_not_answer_is_reported(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    with applied(kubectl, lost_webhook(kubectl.namespace)):
        kubectl.patch("mcpserver", "shop", {"spec": {"replicas": 2}})
        cause = "failed calling webhook .*lost.example.com"
        words = ('"name": "shop"', "failed calling webhook")
        drill.diagnosed("MCPOperatorReconcileErrors", cause, *words)
        drill.fires("MCPOperatorReconcileErrors", before=before)
    kubectl.patch("mcpserver", "shop", {"spec": {"replicas": 1}})


def test_operators_without_permission_to_renew_the_lease_are_reported(drill: Drill) -> None:
    before = drill.scrape()
    with without(drill.system, "role", "mcp-operator-lease", "leases"):
        eventually(lambda: is_led(drill) is False, "no operator to lead")
        drill.fires("MCPOperatorWithoutLeader", before=before)
        cause = "(?i)lease.*forbidden|forbidden.*lease"
        drill.diagnosed("MCPOperatorWithoutLeader", cause, "leases", "forbidden")


def is_led(drill: Drill) -> bool | None:
    """Tell whether an operator reports that it leads; None if none reports anything."""
    scrape = drill.scrape()
    told = [p.value for name, p in scrape.items() if name.startswith("leader_election_master")]
    return any(told) if told else None


def rejected(drill: Drill) -> str:
    return str(drill.shop.server()["status"].get("rejected")) + str(
        drill.shop.condition("Degraded")["message"]
    )
