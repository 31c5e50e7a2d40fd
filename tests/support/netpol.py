"""Evaluates which connections NetworkPolicies allow, as the API documents it.

Both ends must allow a connection: the policies that select its source for egress, and those that
select its target for ingress. An end that no policy selects allows every connection.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from mcp_operator.core.meta import LabelSelector, Object

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True)
class Pod:
    """A pod: one end of a connection.

    Attributes:
        namespace: its namespace.
        labels: its labels.
        ports: its named ports.
    """

    namespace: str
    labels: Mapping[str, str]
    ports: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of_workload(cls, workload: Object) -> Pod:
        """Return a pod of a Deployment."""
        template = workload["spec"]["template"]
        ports = [port for one in template["spec"]["containers"] for port in one.get("ports", ())]
        return cls(
            workload["metadata"]["namespace"],
            template["metadata"]["labels"],
            {port["name"]: port["containerPort"] for port in ports},
        )


@dataclass(frozen=True)
class Outside:
    """An address that is not a pod's, such as the API server's."""

    address: str


End = Pod | Outside


class Network:
    """The policies of a cluster.

    Args:
        policies: NetworkPolicies.
        namespaces: the labels of each namespace; its name is added as the API server does.
    """

    def __init__(
        self, policies: Iterable[Object], namespaces: Mapping[str, Mapping[str, str]]
    ) -> None:
        self._policies = list(policies)
        self._namespaces = {
            name: {**labels, "kubernetes.io/metadata.name": name}
            for name, labels in namespaces.items()
        }

    def allows(self, source: End, target: End, port: int, protocol: str = "TCP") -> bool:
        """Return whether a connection from one end to a port of the other is allowed."""
        ports = target.ports if isinstance(target, Pod) else {}

        def end_allows(direction: Direction, own: End, other: End) -> bool:
            policies = self.selecting(direction, own)
            return not policies or any(
                self._admits(policy, rule, direction, other)
                and _on_port(rule, port, protocol, ports)
                for policy in policies
                for rule in policy["spec"].get(direction.lower()) or ()
            )

        return end_allows("Egress", source, target) and end_allows("Ingress", target, source)

    def selecting(self, direction: Direction, end: End) -> list[Object]:
        """Return the policies that select a pod for a direction; without any, all is allowed."""
        if isinstance(end, Outside):
            return []
        return [
            policy
            for policy in self._policies
            if policy["metadata"]["namespace"] == end.namespace
            and direction in policy["spec"]["policyTypes"]
            and _matches(policy["spec"]["podSelector"], end.labels)
        ]

    def _admits(self, policy: Object, rule: Object, direction: Direction, other: End) -> bool:
        peers = rule.get("from" if direction == "Ingress" else "to")
        return not peers or any(self._is(peer, policy, other) for peer in peers)

    def _is(self, peer: Object, policy: Object, end: End) -> bool:
        if "ipBlock" in peer:
            return isinstance(end, Outside) and _inside(peer["ipBlock"], end.address)
        if isinstance(end, Outside):
            return False
        if "namespaceSelector" in peer:
            where = _matches(peer["namespaceSelector"], self._namespaces[end.namespace])
        else:
            where = end.namespace == policy["metadata"]["namespace"]
        return where and _matches(peer.get("podSelector") or {}, end.labels)


def _matches(selector: Object, labels: Mapping[str, str]) -> bool:
    return LabelSelector.parse(selector).matches(labels)


def _inside(block: Object, address: str) -> bool:
    ip = ipaddress.ip_address(address)
    excluded = block.get("except") or ()
    return ip in ipaddress.ip_network(block["cidr"]) and not any(
        ip in ipaddress.ip_network(cidr) for cidr in excluded
    )


def _on_port(rule: Object, port: int, protocol: str, names: Mapping[str, int]) -> bool:
    """Return whether a rule applies to a port; a rule without ports applies to all."""
    if not rule.get("ports"):
        return True
    for entry in rule["ports"]:
        first = entry.get("port")
        number = names.get(first) if isinstance(first, str) else first
        last = entry.get("endPort", number)
        named = number is not None and number <= port <= last
        if entry.get("protocol", "TCP") == protocol and (first is None or named):
            return True
    return False
