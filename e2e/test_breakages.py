"""Staged faults: the documented alert fires, its runbook shows the cause, and the log has the line.

Prometheus does not run: promtool evaluates the rules with the scraped values, extended in time.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from e2e.harness.drill import GATEWAYS, Drill
from e2e.harness.installs import OPERATOR, OPERATOR_PODS, Install
from e2e.harness.kubectl import Object
from e2e.harness.shop import GATEWAY_PODS, Shop
from e2e.harness.waiting import eventually
from support.certificates import Authority
from support.promtool import promtool
from support.provision import UnavailableError

LABELS = {"app.kubernetes.io/part-of": "shop"}

TOOL = "search-products"


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


def test_a_backend_without_pods(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    with scaled(drill, "deployment/shop-backend"):
        eventually(lambda: drill.shop.call(TOOL).get("isError"), "calls to fail")
        begun = drill.scrape()
        for _ in range(3):
            assert drill.shop.call(TOOL)["isError"]
        drill.fires(
            "MCPToolFailing",
            "MCPCallErrorBudgetBurnFast",
            "MCPCallErrorBudgetBurnSlow",
            before=before,
            begun=begun,
        )
        drill.logged(kubectl, GATEWAYS, "A call to a backend failed", f'"entry": "{TOOL}"')
        drill.runbook(
            "MCPToolFailing", r'"outcome": "unreachable"', SERVER="shop", TOOL=TOOL, NAME=TOOL
        )
    eventually(lambda: not drill.shop.call(TOOL).get("isError"), "calls to work again")


def test_a_tool_whose_service_does_not_exist(drill: Drill) -> None:
    before = drill.scrape()
    with applied(drill, tool("lost", service="nowhere")):
        drill.condition("mcpserver", "shop", "Degraded", "True")
        eventually(lambda: "nowhere" in rejected(drill), "the status to name the tool")
        drill.fires("MCPServerDegraded", before=before)
        drill.runbook("MCPServerDegraded", "MCPTool lost .ServiceNotFound", NAME="shop")
        events = drill.shop.kubectl("get", "events", "--field-selector=reason=ServiceNotFound")
        assert "nowhere does not exist" in events
    drill.condition("mcpserver", "shop", "Degraded", "False")


def test_a_server_whose_pods_fit_on_no_node(drill: Drill) -> None:
    before = drill.scrape()
    spec = {"podTemplate": {"spec": {"nodeSelector": {"no": "node"}}}}
    with applied(drill, server("stuck", **spec)):
        drill.condition("mcpserver", "stuck", "Ready", "False")
        drill.fires("MCPServerNotReady", "MCPServerCatalogNotConfirmed", before=before)
        for alert in ("MCPServerNotReady", "MCPServerCatalogNotConfirmed"):
            drill.runbook(alert, "cannot be scheduled", NAME="stuck")


def test_a_redis_without_pods(drill: Drill) -> None:
    before = drill.scrape()
    limits = {"shared": {"requests": 600, "per": "Minute"}}
    service = {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "gone"}}
    service["spec"] = {"ports": [{"port": 6379}], "selector": {"app": "gone"}}
    limited = server("limited", redis={"serviceName": "gone"}, rateLimits=limits)
    with applied(drill, service, limited):
        drill.condition("mcpserver", "limited", "Degraded", "True")
        drill.fires("MCPGatewayRedisDown", before=before)
        drill.runbook("MCPGatewayRedisDown", "Redis is unavailable", NAME="limited")
        drill.logged(drill.shop.kubectl, GATEWAYS, "Redis is unavailable")


def test_a_certificate_that_expires_within_a_week(drill: Drill, tmp_path: Path) -> None:
    before = drill.scrape()
    files = Authority(tmp_path, "ca").issue("secure", hosts=("secure",))
    data = {
        key: base64.b64encode(file.read_bytes()).decode()
        for key, file in zip(("tls.crt", "tls.key"), files, strict=True)
    }
    secret = {"apiVersion": "v1", "kind": "Secret", "type": "kubernetes.io/tls", "data": data}
    secret["metadata"] = {"name": "soon"}
    with applied(drill, secret, server("secure", tls={"secretName": "soon"})):
        drill.condition("mcpserver", "secure", "Ready", "True")
        drill.fires("MCPGatewayCertificateExpiring", before=before)
        drill.runbook("MCPGatewayCertificateExpiring", "notAfter=", NAME="secure")


def test_tools_that_lost_their_label(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    tools = ("mcptool/orders", "mcptool/product-picture")
    kubectl("label", *tools, "app.kubernetes.io/part-of-")
    try:
        eventually(lambda: drill.shop.tools() == [TOOL], "the tools to leave the list")
        drill.fires("MCPGatewayToolsLost", before=before)
        drill.runbook("MCPGatewayToolsLost", r"orders .* 0 +False", NAME="shop")
    finally:
        kubectl("label", *tools, "app.kubernetes.io/part-of=shop")
    eventually(lambda: len(drill.shop.tools()) == 5, "the tools to be back")


def test_an_operator_that_is_gone_and_a_catalog_that_somebody_broke(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    with scaled(drill, OPERATOR, within_system=True):
        eventually(lambda: not drill.system.find("pods", OPERATOR_PODS), "no operator to be left")
        kubectl.patch("configmap", "mcp-server-shop-config", {"data": {"index.json": "{"}})
        drill.logged(kubectl, GATEWAY_PODS, "The catalog cannot be loaded")
        drill.fires("MCPOperatorDown", "MCPGatewayCatalogStale", before=before)
        (pod,) = kubectl.find("pods", GATEWAY_PODS)
        name = pod["metadata"]["name"]
        drill.runbook(
            "MCPGatewayCatalogStale", "The catalog cannot be loaded", POD=name, NAME="shop"
        )
        drill.runbook("MCPOperatorDown", "Scaled down replica set mcp-operator")
        assert TOOL in drill.shop.tools()
    drill.system.rollout(OPERATOR)


def test_an_operator_that_may_not_write(drill: Drill) -> None:
    kubectl = drill.shop.kubectl
    before = drill.scrape()
    with without(drill, "clusterrole", "deployments"):
        begun = drill.scrape()
        kubectl.patch("mcpserver", "shop", {"spec": {"replicas": 2}})
        drill.logged(drill.system, OPERATOR_PODS, "forbidden")
        drill.fires(
            "MCPOperatorForbidden", "MCPOperatorReconcileErrors", before=before, begun=begun
        )
        drill.runbook("MCPOperatorForbidden", "forbidden|Forbidden")
        drill.runbook("MCPOperatorReconcileErrors", '"level": "ERROR"')
    kubectl.patch("mcpserver", "shop", {"spec": {"replicas": 1}})


def test_operators_that_may_not_renew_the_lease(drill: Drill) -> None:
    before = drill.scrape()
    with without(drill, "role", "leases"):
        eventually(lambda: is_led(drill) is False, "no operator to lead")
        drill.fires("MCPOperatorWithoutLeader", before=before)
        drill.runbook("MCPOperatorWithoutLeader", "(?i)lease.*forbidden|forbidden.*lease")


def is_led(drill: Drill) -> bool | None:
    """Tell whether an operator reports that it leads; None if none reports anything."""
    scrape = drill.scrape()
    told = [p.value for name, p in scrape.items() if name.startswith("leader_election_master")]
    return any(told) if told else None


def tool(name: str, service: str) -> Object:
    spec = {
        "name": name,
        "description": "Stands for one that is wrong.",
        "method": "GET",
        "service": {"name": service, "port": 80, "path": "/"},
    }
    metadata = {"name": name, "labels": LABELS}
    return {
        "apiVersion": "mcp-operator.dev/v1alpha1",
        "kind": "MCPTool",
        "metadata": metadata,
        "spec": spec,
    }


def server(name: str, **spec: object) -> Object:
    return {
        "apiVersion": "mcp-operator.dev/v1alpha1",
        "kind": "MCPServer",
        "metadata": {"name": name},
        "spec": {"toolSelector": {"matchLabels": LABELS}, **spec},
    }


def rejected(drill: Drill) -> str:
    return str(drill.shop.server()["status"].get("rejected")) + str(
        drill.shop.condition("Degraded")["message"]
    )


@contextmanager
def applied(drill: Drill, *objects: Object) -> Iterator[None]:
    """Apply objects, and delete them afterwards."""
    drill.shop.kubectl.apply(list(objects))
    try:
        yield
    finally:
        for obj in reversed(objects):
            drill.shop.kubectl("delete", obj["kind"], obj["metadata"]["name"], "--wait=false")


@contextmanager
def scaled(drill: Drill, target: str, *, within_system: bool = False) -> Iterator[None]:
    """Scale a Deployment to no pods, and back afterwards."""
    kubectl = drill.system if within_system else drill.shop.kubectl
    replicas = kubectl("get", target, "--output=jsonpath={.spec.replicas}")
    kubectl("scale", target, "--replicas=0")
    try:
        yield
    finally:
        kubectl("scale", target, f"--replicas={replicas}")


@contextmanager
def without(drill: Drill, kind: str, resource: str) -> Iterator[None]:
    """Remove the operator's permission on a resource, and restore it afterwards."""
    name = "mcp-operator" if kind == "clusterrole" else "mcp-operator-lease"
    role = drill.system.get(kind, name)
    kept = [rule for rule in role["rules"] if resource not in rule.get("resources", ())]
    assert len(kept) < len(role["rules"])
    drill.system.patch(kind, name, {"rules": kept})
    try:
        yield
    finally:
        drill.system.patch(kind, name, {"rules": role["rules"]})
