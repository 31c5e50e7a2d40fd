"""How the endpoint of an MCPServer is reached: Service, Ingress, HTTPRoute."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, matching, rule, validated
from mcp_operator.api.v1alpha1.common import DnsLabel, DnsSubdomain, PortNumber

Annotations = Annotated[dict[str, Annotated[str, Field(max_length=65536)]], Field(max_length=64)]

HostName = Annotated[
    str,
    matching(
        r"^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$",
        "write a lower-case host name, such as mcp.example.com or *.example.com",
        max_length=253,
    ),
]
PathPrefix = Annotated[
    str,
    matching(
        r"^/[A-Za-z0-9/._~-]*$",
        "write an absolute path of letters, digits, '-', '_', '.' and '~', such as /mcp",
        rule(
            r"!self.matches('(^|/)[.][.]?(/|$)|//')",
            "a path must not contain // or the segments . or ..; proxies would rewrite it",
        ),
        max_length=256,
    ),
]


class ServiceSettings(ApiModel):
    """The Service in front of the pods."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """How the Service is exposed."""
    port: PortNumber = 8080
    """Port of the Service."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the Service, for load balancers and the like."""


class TLS(ApiModel):
    """HTTPS at the gateway itself."""

    secret_name: DnsSubdomain
    """kubernetes.io/tls Secret with certificate and key, such as cert-manager keeps. Pods start
    once it exists, and take a new certificate without a restart."""


class Ingress(ApiModel):
    """An Ingress in front of the endpoint."""

    model_config = validated(
        rule(
            "!has(self.tlsSecretName) || has(self.host)",
            "tlsSecretName needs host: the name in the certificate",
            field_path=".tlsSecretName",
        )
    )

    host: HostName | None = None
    """Host name; every host when left out."""
    tls_secret_name: DnsSubdomain | None = None
    """kubernetes.io/tls Secret with the host's certificate."""
    path_prefix: PathPrefix = "/mcp"
    """Path of the endpoint; the gateway answers there as well as at /mcp."""
    class_name: DnsSubdomain | None = None
    """IngressClass; the cluster's default when left out."""
    annotations: Annotations = Field(default_factory=dict)
    """Annotations of the Ingress, for its controller."""
    path_type: Literal["Prefix", "Exact", "ImplementationSpecific"] = "Prefix"
    """How the Ingress controller compares paths."""


class ParentRef(ApiModel):
    """A Gateway that the route attaches to."""

    name: DnsSubdomain
    """Name of the Gateway."""
    namespace: DnsLabel | None = None
    """Namespace of the Gateway; that of this object when left out. The listener there must allow
    routes from here."""
    section_name: DnsSubdomain | None = None
    """Name of the listener; every listener that accepts the route when left out."""
    port: PortNumber | None = None
    """Port of the listener; any when left out."""


class HTTPRoute(ApiModel):
    """An HTTPRoute of the Gateway API in front of the endpoint.

    Where the Gateway API is not installed, the condition ResolvedRefs says so.
    """

    parent_refs: tuple[ParentRef, ...] = Field(min_length=1, max_length=32)
    """Gateways that the route attaches to."""
    hostnames: tuple[HostName, ...] = Field(
        default_factory=tuple, max_length=16, json_schema_extra=LIST_SET
    )
    """Host names; those of the listener when left out."""
    path_prefix: PathPrefix = "/mcp"
    """Path of the endpoint; the gateway answers there as well as at /mcp."""
