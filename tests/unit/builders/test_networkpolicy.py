"""The NetworkPolicy, and the cluster facts that it is built from."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.catalog import Backend
from mcp_operator.builders.cluster_facts import (
    API_SERVER,
    ClusterFacts,
    Destination,
    called_by,
    gather_cluster_facts,
)
from mcp_operator.builders.context import BuildContext
from mcp_operator.builders.networkpolicy import build_network_policy
from mcp_operator.core.meta import Key, Object
from support.entries import catalog, resource, tool
from support.servers import server

IN_CLUSTER = BuildContext(gateway_image="gateway:1", operator_namespace="mcp-system")
ORDERS = Destination("shop", (("app", "orders"),), ("8000", "http"))


def policy(
    mode: str = "Full",
    facts: ClusterFacts = ClusterFacts(),  # noqa: B008  # immutable
    context: BuildContext = IN_CLUSTER,
    spec: dict[str, Any] | None = None,
    **fields: Any,
) -> dict[str, Any]:
    owner = server(networkPolicy={"mode": mode, **fields}, **(spec or {}))
    built = build_network_policy(owner, context, facts)
    assert built is not None
    found: dict[str, Any] = built["spec"]
    return found


def test_egress_to_external_hosts_is_limited_to_their_ports_and_public_addresses() -> None:
    found = policy(facts=ClusterFacts(external_ports=(443, 8443)))["egress"]
    [rule] = [one for one in found if "ipBlock" in str(one) and len(one["ports"]) == 2 and
              one["ports"][0]["port"] == 443 and "to" in one]  # fmt: skip
    assert [port["port"] for port in rule["ports"]] == [443, 8443]
    blocks = [to["ipBlock"] for to in rule["to"]]
    assert [block["cidr"] for block in blocks] == ["0.0.0.0/0", "::/0"]
    assert "10.0.0.0/8" in blocks[0]["except"]
    assert "169.254.0.0/16" in blocks[0]["except"]
    assert "0.0.0.0/0" not in str(policy()["egress"])


def test_the_operator_can_reach_a_direct_server_that_reports_its_catalog() -> None:
    own: dict[str, Any] = {"image": "own/server:1"}
    assert [rule["ports"][0]["port"] for rule in policy("Ingress", spec=own)["ingress"]] == [8080]
    own["direct"] = {"reportsCatalog": True}
    [_, management] = policy("Ingress", spec=own)["ingress"]
    assert management["ports"] == [{"port": 8081, "protocol": "TCP"}]
    assert namespace("mcp-system") in management["from"]


def namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}


def test_no_network_policy_is_built_by_default() -> None:
    assert build_network_policy(server(), IN_CLUSTER, ClusterFacts()) is None
    off = server(networkPolicy={"mode": "Disabled", "ingressFrom": [{"podSelector": {}}]})
    assert build_network_policy(off, IN_CLUSTER, ClusterFacts()) is None


def test_mode_ingress_opens_mcp_to_all_and_management_to_the_operator_and_prometheus() -> None:
    assert policy("Ingress", spec={"port": 9000}) == {
        "podSelector": {
            "matchLabels": {
                "app.kubernetes.io/name": "mcp-server",
                "app.kubernetes.io/instance": "shop",
            }
        },
        "policyTypes": ["Ingress"],
        "ingress": [
            {"ports": [{"port": 9000, "protocol": "TCP"}]},
            {
                "ports": [{"port": 8081, "protocol": "TCP"}],
                "from": [
                    namespace("mcp-system"),
                    {
                        "namespaceSelector": {
                            "matchLabels": {"mcp-operator.dev/scrapes-metrics": "true"}
                        }
                    },
                ],
            },
        ],
    }


def test_management_is_open_to_all_when_the_operator_runs_outside_of_the_cluster() -> None:
    rules = policy("Ingress", context=BuildContext(gateway_image="gateway:1"))["ingress"]

    assert rules[1] == {"ports": [{"port": 8081, "protocol": "TCP"}]}


def test_the_policy_of_a_direct_server_does_not_open_a_management_port() -> None:
    assert len(policy("Ingress", spec={"image": "own/server:1"})["ingress"]) == 1


def test_ingress_peers_are_copied_unchanged() -> None:
    peers = [
        {"podSelector": {"matchLabels": {"app": "proxy"}}, "namespaceSelector": {}},
        {
            "namespaceSelector": {
                "matchExpressions": [{"key": "a", "operator": "In", "values": ["x"]}]
            }
        },
        {"podSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}},
        {"ipBlock": {"cidr": "10.0.0.0/8", "except": ["10.1.0.0/16"]}},
        {"ipBlock": {"cidr": "fd00::/8"}},
    ]

    assert policy("Ingress", ingressFrom=peers)["ingress"][0]["from"] == peers


def test_mode_full_allows_egress_only_to_dns_and_the_api_server() -> None:
    found = policy()

    assert found["policyTypes"] == ["Ingress", "Egress"]
    assert found["egress"] == [
        {
            "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": "169.254.0.0/16"}}],
            "ports": [{"port": 53, "protocol": "UDP"}, {"port": 53, "protocol": "TCP"}],
        },
        {"ports": [{"port": 443, "protocol": "TCP"}, {"port": 6443, "protocol": "TCP"}]},
    ]


def test_a_direct_server_has_no_egress_to_the_api_server() -> None:
    assert len(policy(spec={"image": "own/server:1"})["egress"]) == 1


def test_mode_full_allows_egress_to_the_pods_of_called_services() -> None:
    *_, rule = policy(facts=ClusterFacts((ORDERS,)))["egress"]

    assert rule == {
        "to": [{**namespace("shop"), "podSelector": {"matchLabels": {"app": "orders"}}}],
        "ports": [{"port": 8000, "protocol": "TCP"}, {"port": "http", "protocol": "TCP"}],
    }


@pytest.mark.parametrize(
    "rule",
    [
        {
            "to": [{"ipBlock": {"cidr": "10.0.0.0/8"}}],
            "ports": [{"port": 1, "endPort": 9, "protocol": "TCP"}],
        },
        {"ports": [{"port": "metrics", "protocol": "UDP"}]},
        {"to": [{"podSelector": {}}]},
        {},
    ],
)
def test_extra_egress_rules_are_copied_unchanged(rule: dict[str, Any]) -> None:
    assert policy(extraEgress=[rule])["egress"][-1] == rule


def service(selector: dict[str, str] | None, *ports: dict[str, Any], **spec: Any) -> Object:
    return {"spec": {"selector": selector, "ports": list(ports), "clusterIP": "10.0.0.1", **spec}}


def surveyed(services: dict[Key, Object], *backends: tuple[str, int]) -> ClusterFacts:
    entries = [
        tool(f"t{number}", Backend(host=f"{name}.shop.svc", port=port))
        for number, (name, port) in enumerate(backends)
    ]
    return gather_cluster_facts(called_by(catalog(*entries)), services.get, has_gateway_api=True)


def test_a_service_is_resolved_to_its_target_ports() -> None:
    services = {
        Key("shop", "orders"): service(
            {"app": "orders"},
            {"port": 80, "targetPort": "http"},
            {"port": 81, "targetPort": 8000},
            {"port": 82},
            {"port": 83, "targetPort": 9},
        )
    }

    found = surveyed(services, ("orders", 80), ("orders", 81), ("orders", 82), ("orders", 80))

    assert found.destinations == (
        Destination("shop", (("app", "orders"),), ("8000", "82", "http")),
    )


def test_a_headless_service_is_resolved_to_its_own_port() -> None:
    headless = service({"app": "orders"}, {"port": 80, "targetPort": 8000}, clusterIP="None")

    found = surveyed({Key("shop", "orders"): headless}, ("orders", 80))

    assert [destination.ports for destination in found.destinations] == [("80",)]


def test_services_with_the_same_pods_are_one_destination() -> None:
    services = {
        Key("shop", name): service({"app": "orders"}, {"port": port})
        for name, port in (("orders", 80), ("reports", 81))
    }

    assert len(surveyed(services, ("orders", 80), ("reports", 81)).destinations) == 1


def test_a_service_without_a_selector_is_reported_and_has_no_destination() -> None:
    found = surveyed({Key("shop", "orders"): service(None, {"port": 80})}, ("orders", 80))

    assert (found.destinations, found.without_selector) == ((), (Key("shop", "orders"),))


def test_services_of_resources_are_destinations() -> None:
    backend = Backend(host="docs.shop.svc", port=80)
    entry = resource("docs", text=None, backend=backend)
    services = {Key("shop", "docs"): service({"app": "docs"}, {"port": 80})}

    found = gather_cluster_facts(
        called_by(catalog(entry, resource("plain"))), services.get, has_gateway_api=True
    )

    assert [destination.labels for destination in found.destinations] == [(("app", "docs"),)]


def test_the_ports_of_the_api_server_are_those_of_its_service() -> None:
    kubernetes = service(None, {"port": 443, "targetPort": 8443})

    assert surveyed({API_SERVER: kubernetes}).api_server_ports == (443, 8443)
    assert surveyed({}).api_server_ports == (443, 6443)
