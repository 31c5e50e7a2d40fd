"""The NetworkPolicies allow exactly the connections in docs/reference/network.md."""

from __future__ import annotations

import copy
import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.builders.cluster_facts import ClusterFacts, Destination
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.labels import Mode, child_labels
from mcp_operator.builders.networkpolicy import build_network_policy
from mcp_operator.core.meta import Object
from support.installations import OPERATORS, Build
from support.netpol import End, Network, Outside, Pod
from support.workloads import named, of_kind

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "network.md"

PORTS = (53, 80, 443, 5432, 6379, 6443, 8000, 8080, 8081, 10250)

Edge = tuple[str, str, int]

NAMES = {
    "pods of namespaces with the label `mcp-operator.dev/scrapes-metrics=true`": "prometheus",
    "operator": "operator",
    "API server": "API server",
    "gateway pods of all namespaces": "gateway",
    "gateway pods of the same namespace": "gateway",
    "pods of Direct-mode servers of all namespaces": "direct",
    "pods of Direct-mode servers of the same namespace": "direct",
    "`redis`": "redis",
}
"""The names of peers on the page, and their names in this test."""


def documented(heading: str) -> set[Edge]:
    """Return the edges of the table under a heading of the page."""
    section = PAGE.read_text(encoding="utf-8").split(f"\n## {heading}")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return {
        (NAMES[source.strip()], NAMES[target.strip()], int(port))
        for source, target, port, _ in rows[2:]
    }


def server_pod(namespace: str, mode: Mode) -> Pod:
    return Pod(namespace, child_labels("shop", mode), {"http": 8080, "management": 8081})


def ends(own: dict[str, End]) -> dict[str, End]:
    """Return all peers that could connect to each other, including given ones."""
    stranger = {"app": "stranger"}
    return own | {
        "API server": Outside("192.0.2.1"),
        "direct": server_pod("demo", "Direct"),
        "gateway": server_pod("demo", "Gateway"),
        "kube-dns": Pod("kube-system", {"k8s-app": "kube-dns"}),
        "pretender": Pod("elsewhere", {"app.kubernetes.io/name": "mcp-operator"}),
        "prometheus": Pod("monitoring", {"app": "prometheus"}, {"web": 9090}),
        "stranger elsewhere": Pod("elsewhere", stranger),
        "stranger in demo": Pod("demo", stranger),
    }


NAMESPACES: dict[str, dict[str, str]] = {
    "demo": {},
    "elsewhere": {},
    "ingress": {},
    "kube-system": {},
    "mcp-system": {},
    "monitoring": {"mcp-operator.dev/scrapes-metrics": "true"},
    "team-a": {},
}


def edges(network: Network, everybody: dict[str, End], subjects: set[str]) -> Iterator[Edge]:
    """Yield every allowed connection from or to one of the subjects."""
    for (source, one), (target, other) in itertools.permutations(everybody.items(), 2):
        for port in PORTS:
            if {source, target} & subjects and network.allows(one, other, port):
                yield source, target, port


def network(objects: list[Object]) -> Network:
    return Network(of_kind(objects, "NetworkPolicy"), NAMESPACES)


@pytest.mark.parametrize("name", OPERATORS)
def test_the_connections_of_the_operator_are_those_documented(build: Build, name: str) -> None:
    objects = build(name)
    pod = Pod.of_workload(named(objects, "Deployment", "mcp-operator"))
    found = set(edges(network(objects), ends({"operator": pod}), {"operator"}))
    assert found == documented("The operator, in `mcp-system`")


PLANTED: dict[str, Callable[[Object], object]] = {
    "an additional port": lambda spec: spec["egress"][0]["ports"].append({"port": 5432}),
    "a missing port": lambda spec: spec["egress"][0]["ports"].pop(),
    "any port": lambda spec: spec["egress"][1].pop("ports"),
    "any source": lambda spec: spec["ingress"][0].pop("from"),
    "any pod": lambda spec: spec["egress"][1]["to"][0].pop("podSelector"),
    "one direction only": lambda spec: spec["policyTypes"].remove("Egress"),
    "another pod": lambda spec: spec["podSelector"]["matchLabels"].update(app="other"),
}


@pytest.mark.parametrize(
    "fault", PLANTED.values(), ids=[name.replace(" ", "-") for name in PLANTED]
)
def test_a_fault_in_the_policy_is_detected(build: Build, fault: Callable[[Object], object]) -> None:
    objects = copy.deepcopy(build("base"))
    fault(named(objects, "NetworkPolicy", "mcp-operator")["spec"])
    alone = [obj for obj in objects if obj["metadata"]["name"] != "default-deny"]
    pod = Pod.of_workload(named(objects, "Deployment", "mcp-operator"))
    found = set(edges(network(alone), ends({"operator": pod}), {"operator"}))
    assert found != documented("The operator, in `mcp-system`")


@pytest.mark.parametrize("name", sorted(set(OPERATORS) - {"components/namespaced-rbac"}))
def test_other_pods_of_the_namespace_can_neither_connect_nor_be_reached(
    build: Build, name: str
) -> None:
    other_pod = Pod("mcp-system", {"app": "other_pod"})
    everybody = ends({"other_pod": other_pod})
    assert set(edges(network(build(name)), everybody, {"other_pod"})) == set()


def test_with_namespaced_rbac_gateways_in_the_same_namespace_can_be_reached(build: Build) -> None:
    policies = network(build("components/namespaced-rbac"))
    gateway = server_pod("team-a", "Gateway")
    assert policies.allows(Outside("192.0.2.1"), gateway, 8080)
    operator = Pod.of_workload(
        named(build("components/namespaced-rbac"), "Deployment", "mcp-operator")
    )
    assert policies.allows(operator, gateway, 8081)


def test_the_connections_of_a_gateway_with_a_full_policy_are_those_documented(build: Build) -> None:
    metadata = {"name": "shop", "namespace": "demo", "uid": "some"}
    proxies = [{"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": "ingress"}}}]
    spec = {"toolSelector": {}, "networkPolicy": {"mode": "Full", "ingressFrom": proxies}}
    server = MCPServer.model_validate({"metadata": metadata, "spec": spec})
    orders = Destination("elsewhere", (("app", "orders"),), ("8000",))
    context = BuildContext("mcp-operator:test", operator_namespace="mcp-system")
    policy = build_network_policy(server, context, ClusterFacts((orders,)))
    assert policy is not None
    operator = Pod.of_workload(named(build("base"), "Deployment", "mcp-operator"))
    everybody = ends(
        {
            "operator": operator,
            "orders": Pod("elsewhere", {"app": "orders"}),
            "proxy": Pod("ingress", {"app": "nginx"}),
        }
    )
    policies = Network([policy, *of_kind(build("base"), "NetworkPolicy")], NAMESPACES)
    found = set(edges(policies, everybody, {"gateway"}))
    everywhere = {edge for edge in found if edge[2] in {443, 6443} and edge[0] == "gateway"}
    assert {("gateway", "API server", 443), ("gateway", "API server", 6443)} <= everywhere
    assert {edge for edge in found - everywhere if edge[2] != 53} == {
        ("proxy", "gateway", 8080),
        ("operator", "gateway", 8081),
        ("prometheus", "gateway", 8081),
        ("gateway", "orders", 8000),
    }
    assert ("gateway", "kube-dns", 53) in found
    assert ("gateway", "API server", 53) not in found


def test_the_connections_of_redis_are_those_documented(build: Build) -> None:
    objects = build("components/redis")
    pod = Pod.of_workload(named(objects, "Deployment", "mcp-redis"))
    found = set(edges(network(objects), ends({"redis": pod}), {"redis"}))
    assert found == documented("Redis, where the component is used")


def test_policies_of_both_directions_select_the_pods_of_every_deployment(build: Build) -> None:
    for name in (*OPERATORS, "components/redis"):
        objects = build(name)
        for deployment in of_kind(objects, "Deployment"):
            pod = Pod.of_workload(deployment)
            assert network(objects).selecting("Ingress", pod), name
            assert network(objects).selecting("Egress", pod), name
