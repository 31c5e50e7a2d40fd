"""Who may connect to an MCPServer's pods, and what they may connect to."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, rule, validated
from mcp_operator.api.v1alpha1.common import (
    LabelRequirement,
    LabelValue,
    PodPortName,
    PortNumber,
    Selector,
)

_OCTET = r"(25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"
CIDR = (
    rf"^({_OCTET}(\.{_OCTET}){{3}}/(3[0-2]|[12]?[0-9])"
    r"|[0-9a-fA-F]{0,4}(:[0-9a-fA-F]{0,4}){2,7}/(12[0-8]|1[01][0-9]|[1-9]?[0-9]))$"
)
"""An IPv4 or IPv6 address range, such as 10.0.0.0/8 or fd00::/8."""

Cidr = Annotated[str, Field(pattern=CIDR, max_length=43)]


class IPBlock(ApiModel):
    """A range of addresses."""

    cidr: Cidr
    """The range, such as 10.0.0.0/8."""
    except_: Annotated[
        tuple[Cidr, ...], Field(default_factory=tuple, max_length=16, alias="except")
    ]
    """Ranges within it that are left out."""


class PeerRequirement(LabelRequirement):
    """One requirement on the labels of pods or namespaces."""

    values: tuple[LabelValue, ...] = Field(default_factory=tuple, max_length=8)
    """Values for In and NotIn; left out for Exists and DoesNotExist."""


class PeerSelector(Selector):
    """A label selector as in a NetworkPolicy; `{}` selects everything.

    It is shorter than others, since a server may have hundreds of them and the API server limits
    what the rules of one object may cost.
    """

    match_expressions: tuple[PeerRequirement, ...] = Field(default_factory=tuple, max_length=8)
    """Requirements that must all hold."""


class NetworkPeer(ApiModel):
    """Pods or addresses, as in a NetworkPolicy."""

    model_config = validated(
        rule(
            "has(self.ipBlock) != (has(self.podSelector) || has(self.namespaceSelector))",
            "set either ipBlock, or podSelector, namespaceSelector or both",
        )
    )

    ip_block: IPBlock | None = None
    """A range of addresses outside of the cluster."""
    pod_selector: PeerSelector | None = None
    """Pods with these labels; all pods of the namespaces when left out."""
    namespace_selector: PeerSelector | None = None
    """Namespaces with these labels; that of this object when left out."""


class NetworkPort(ApiModel):
    """A port, or a range of ports."""

    model_config = validated(
        rule(
            "!has(self.endPort) || (type(self.port) == int && self.port <= self.endPort)",
            "endPort is the last port of a range; set port to a number that is not larger",
            field_path=".endPort",
        )
    )

    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    """Protocol of the port."""
    port: PortNumber | PodPortName
    """Number of the port, or its name in the pods."""
    end_port: PortNumber | None = None
    """Last port of a range that begins with port."""


class EgressRule(ApiModel):
    """Connections that the pods may open."""

    to: tuple[NetworkPeer, ...] = Field(default_factory=tuple, max_length=8)
    """Where to; anywhere when left out."""
    ports: tuple[NetworkPort, ...] = Field(default_factory=tuple, max_length=16)
    """On which ports; on all of them when left out."""


class NetworkPolicy(ApiModel):
    """A NetworkPolicy around the pods, which takes a network plugin that enforces it.

    Policies add up: another one of your own can open what this one leaves closed.
    """

    mode: Literal["Disabled", "Ingress", "Full"] = "Disabled"
    """Ingress blocks all ports except MCP, from ingressFrom, and management, from the namespace
    of the operator and from namespaces with the label mcp-operator.dev/scrapes-metrics=true. Full
    also blocks all outgoing traffic except to DNS (port 53 of the cluster's pods and of
    169.254.0.0/16), to the API server (by its port, at any address, since no selector matches it),
    to the pods behind the Services of the tools and resources and of auth.jwt.jwksURI, to public
    addresses on the ports of their external URLs, and to extraEgress."""
    ingress_from: tuple[NetworkPeer, ...] = Field(default_factory=tuple, max_length=32)
    """Sources
    that can connect to the MCP port, such as the pods of your Ingress controller; all when left
    out."""
    extra_egress: tuple[EgressRule, ...] = Field(default_factory=tuple, max_length=16)
    """What else the pods may connect to in mode Full, such as a Service without a selector, or what
    your own image needs."""
