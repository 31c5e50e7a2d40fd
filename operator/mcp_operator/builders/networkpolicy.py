"""The NetworkPolicy around a server's pods."""

from __future__ import annotations

from typing import Final

from mcp_operator.api.base import ApiModel
from mcp_operator.api.v1alpha1 import MCPServer
from mcp_operator.api.v1alpha1.networkpolicy import NetworkPeer
from mcp_operator.builders.cluster_facts import ClusterFacts, Destination
from mcp_operator.builders.context import BuildContext, child
from mcp_operator.builders.deployment import MANAGEMENT_PORT
from mcp_operator.builders.labels import DOMAIN, selector_labels
from mcp_operator.builders.names import child_name
from mcp_operator.builders.resources import NETWORKPOLICIES
from mcp_operator.core.meta import Object

NAMESPACE_LABEL: Final = "kubernetes.io/metadata.name"
"""Every namespace has its name in this label, set by the API server (KEP-2161)."""

SCRAPERS: Final = {f"{DOMAIN}/scrapes-metrics": "true"}
"""Labels of the namespaces that metrics are scraped from, here as in the operator's own policy."""

DNS_PORT: Final = 53

LINK_LOCAL: Final = "169.254.0.0/16"
"""Where a node-local DNS cache answers: 169.254.20.10 by the NodeLocal DNSCache add-on's default,
169.254.169.254 on Google Cloud."""


_INTERNET: Final = [
    {
        "ipBlock": {
            "cidr": "0.0.0.0/0",
            "except": [
                "10.0.0.0/8",
                "100.64.0.0/10",
                LINK_LOCAL,
                "172.16.0.0/12",
                "192.168.0.0/16",
            ],
        }
    },
    {"ipBlock": {"cidr": "::/0", "except": ["fc00::/7", "fe80::/10"]}},
]
"""All addresses except the private and link-local ones (RFC 1918, 6598, 3927, 4193, 4291), which
Services and metadata services use."""


def build_network_policy(
    server: MCPServer, context: BuildContext, facts: ClusterFacts
) -> Object | None:
    """Return the NetworkPolicy, or None if the server does not ask for one."""
    mode = server.spec.network_policy.mode
    if mode == "Disabled":
        return None
    spec: Object = {
        "podSelector": {"matchLabels": selector_labels(server.name)},
        "policyTypes": ["Ingress"],
        "ingress": _ingress(server, context),
    }
    if mode == "Full":
        spec["policyTypes"].append("Egress")
        spec["egress"] = _egress(server, facts)
    return {**child(server, NETWORKPOLICIES, child_name(server.name)), "spec": spec}


def _ingress(server: MCPServer, context: BuildContext) -> list[Object]:
    """Allow clients on the MCP port, and the operator and Prometheus on the management port.

    The kubelet's probes need no rule: traffic from a pod's own node is always allowed.
    """
    clients: Object = {"ports": [_port(server.spec.port)]}
    if server.spec.network_policy.ingress_from:
        clients["from"] = [_peer(peer) for peer in server.spec.network_policy.ingress_from]
    if server.spec.effective_mode == "Direct" and not server.spec.direct.reports_catalog:
        return [clients]
    management: Object = {"ports": [_port(MANAGEMENT_PORT)]}
    if context.operator_namespace:
        scrapers: Object = {"namespaceSelector": {"matchLabels": dict(SCRAPERS)}}
        management["from"] = [_namespace(context.operator_namespace), scrapers]
    return [clients, management]


def _egress(server: MCPServer, facts: ClusterFacts) -> list[Object]:
    dns: Object = {
        "to": [{"namespaceSelector": {}}, {"ipBlock": {"cidr": LINK_LOCAL}}],
        "ports": [_port(DNS_PORT, "UDP"), _port(DNS_PORT)],
    }
    rules = [dns]
    if server.spec.effective_mode == "Gateway":
        # No selector matches an API server: it is not a pod, or runs in the host network.
        rules.append({"ports": [_port(port) for port in facts.api_server_ports]})
    rules += [_to(destination) for destination in facts.destinations]
    if facts.external_ports:
        rules.append(
            {"to": _INTERNET, "ports": [_port(port) for port in facts.external_ports]},
        )
    for extra in server.spec.network_policy.extra_egress:
        rule: Object = {}
        if extra.to:
            rule["to"] = [_peer(peer) for peer in extra.to]
        if extra.ports:
            rule["ports"] = [_written(port) | {"protocol": port.protocol} for port in extra.ports]
        rules.append(rule)
    return rules


def _to(destination: Destination) -> Object:
    pods = _namespace(destination.namespace)
    pods["podSelector"] = {"matchLabels": dict(destination.labels)}
    ports = [_port(int(port) if port.isdecimal() else port) for port in destination.ports]
    return {"to": [pods], "ports": ports}


def _namespace(name: str) -> Object:
    return {"namespaceSelector": {"matchLabels": {NAMESPACE_LABEL: name}}}


def _port(port: int | str, protocol: str = "TCP") -> Object:
    return {"port": port, "protocol": protocol}


def _peer(peer: NetworkPeer) -> Object:
    """Return a peer as JSON; an empty selector selects everything and must be kept."""
    written = {
        "podSelector": peer.pod_selector,
        "namespaceSelector": peer.namespace_selector,
        "ipBlock": peer.ip_block,
    }
    return {name: _written(value) for name, value in written.items() if value is not None}


def _written(model: ApiModel) -> Object:
    return model.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_defaults=True)
