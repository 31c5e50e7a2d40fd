"""MCPServer: one MCP endpoint."""

from __future__ import annotations

import re
from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, list_map, rule, validated
from mcp_operator.api.v1alpha1.allowednamespaces import AllowedNamespaces
from mcp_operator.api.v1alpha1.appearance import Icons, ServerUrl
from mcp_operator.api.v1alpha1.authentication import Authentication
from mcp_operator.api.v1alpha1.caching import ServerCache
from mcp_operator.api.v1alpha1.common import Kind, PortNumber, Selector, Title
from mcp_operator.api.v1alpha1.container import (
    GATEWAY_VARIABLES,
    Argument,
    EnvVar,
    Image,
    ResourceRequirements,
)
from mcp_operator.api.v1alpha1.direct import Direct
from mcp_operator.api.v1alpha1.exposure import TLS, HTTPRoute, Ingress, ServiceSettings
from mcp_operator.api.v1alpha1.limits import RateLimits
from mcp_operator.api.v1alpha1.networkpolicy import NetworkPolicy
from mcp_operator.api.v1alpha1.podtemplate import PodTemplate
from mcp_operator.api.v1alpha1.protocol import Protocol
from mcp_operator.api.v1alpha1.redis import Redis
from mcp_operator.api.v1alpha1.scaling import MAX_REPLICAS, Autoscaling, PodDisruptionBudget
from mcp_operator.api.v1alpha1.serverconfig import Naming, ServerConfig

_IS_GATEWAY = (
    "self.mode == 'Gateway' || "
    "(self.mode == 'Auto' && !has(self.image) && !has(self.command) && !has(self.args))"
)
"""`effective_mode` as a CEL expression."""

_ONLY_DIRECT = " || ".join(
    " && ".join(
        f"has(self.podTemplate.{'.'.join(path[:depth])})" for depth in range(1, len(path) + 1)
    )
    for path in (
        ("containers",),
        ("initContainers",),
        ("spec", "terminationGracePeriodSeconds"),
        ("container", "envFrom"),
        ("container", "lifecycle"),
        ("container", "livenessProbe"),
        ("container", "readinessProbe"),
        ("container", "startupProbe"),
        ("container", "securityContext", "readOnlyRootFilesystem"),
    )
)
"""Whether the pod template says what only a server of one's own is given, as a CEL expression."""


class MCPServerSpec(ApiModel):
    """What the endpoint serves, and how it runs."""

    model_config = validated(
        rule(
            "(!has(self.title) && !has(self.version) && !has(self.websiteURL) && !has(self.icons)) "
            "|| self.mode == 'Gateway' || (self.mode == 'Auto' && !has(self.image) "
            "&& !has(self.command) && !has(self.args))",
            "in mode Direct, your own server declares its title, version, websiteURL and icons; "
            "remove them here",
            field_path=".mode",
        ),
        rule(
            "self.mode != 'Gateway' || (!has(self.command) && !has(self.args))",
            "mode: Gateway runs the operator's own gateway; remove command and args, "
            "or use mode: Direct",
            field_path=".mode",
        ),
        rule(
            f"!has(self.auth) || self.auth.type == 'None' || ({_IS_GATEWAY})",
            "in mode Direct, your own server authenticates its clients; remove auth",
            field_path=".auth",
        ),
        rule(
            f"!has(self.audit) || self.audit == 'Off' || ({_IS_GATEWAY})",
            "in mode Direct, your own server logs its calls; remove audit",
            field_path=".audit",
        ),
        rule(
            f"!has(self.rateLimits) || ({_IS_GATEWAY})",
            "in mode Direct, your own server limits its clients; remove rateLimits",
            field_path=".rateLimits",
        ),
        rule(
            f"!has(self.cache) || ({_IS_GATEWAY})",
            "in mode Direct, your own server caches answers; remove cache",
            field_path=".cache",
        ),
        rule(
            "!has(self.cache) || self.cache.storage != 'Redis' || has(self.redis)",
            "storage: Redis needs a Redis; set redis, or use storage: Memory",
            field_path=".cache",
        ),
        rule(
            f"!has(self.redis) || ({_IS_GATEWAY}) || !(has(self.redis.db) "
            "|| has(self.redis.keyPrefix) || has(self.redis.usernameSecretRef) "
            "|| has(self.redis.passwordSecretRef) || has(self.redis.tls) "
            "|| has(self.redis.sentinel) || has(self.redis.failureMode))",
            "in mode Direct, your own server gets only the address of Redis; pass the rest with "
            "env, and keep only serviceName or address, and port",
            field_path=".redis",
        ),
        rule(
            f"!has(self.tls) || ({_IS_GATEWAY})",
            "in mode Direct, your own server decides on HTTP or HTTPS; remove tls",
            field_path=".tls",
        ),
        rule(
            f"!has(self.protocol) || ({_IS_GATEWAY})",
            "in mode Direct, your own server decides on web pages and sessions; remove protocol",
            field_path=".protocol",
        ),
        rule(
            f"!has(self.direct) || !({_IS_GATEWAY})",
            "a gateway always reloads and reports its catalog; remove direct, or use mode: Direct",
            field_path=".direct",
        ),
        rule(
            f"!has(self.podTemplate) || !({_IS_GATEWAY}) || !({_ONLY_DIRECT})",
            "a gateway has its own probes, hooks and environment, and no other containers; "
            "remove containers, initContainers, terminationGracePeriodSeconds, and every field of "
            "container except volumeMounts, runAsUser and runAsGroup, or use mode: Direct",
            field_path=".podTemplate",
        ),
        rule(
            "has(self.image) || self.mode == 'Gateway' "
            "|| (self.mode == 'Auto' && !has(self.command) && !has(self.args))",
            "mode: Direct, command and args are for your own MCP server; set image to its image",
            field_path=".image",
        ),
        rule(
            "self.port != 8081 || self.mode == 'Direct' "
            "|| (self.mode == 'Auto' && has(self.image))",
            "port 8081 is for the probes and metrics of the gateway; choose another",
            field_path=".port",
        ),
        rule(
            "!(has(self.autoscaling) && has(self.replicas))",
            "autoscaling decides on the number of pods; remove replicas, or autoscaling",
            field_path=".replicas",
        ),
        rule(
            "!has(self.autoscaling) || !has(self.resources) "
            "|| [has(self.resources.requests) && 'cpu' in self.resources.requests, "
            "has(self.resources.limits) && 'cpu' in self.resources.limits].exists(cpu, cpu) "
            "|| (!has(self.resources.requests) && !has(self.resources.limits))",
            "autoscaling measures CPU against its request; set resources.requests.cpu",
            field_path=".resources",
        ),
        rule(
            "!has(self.env) || self.env.all(one, !(one.name.startsWith('KUBERNETES_') "
            "|| one.name == 'MCP_CONFIG_DIR' "
            "|| (has(self.redis) && one.name in ['REDIS_HOST', 'REDIS_PORT'])))",
            "KUBERNETES_*, MCP_CONFIG_DIR and, with redis, REDIS_HOST and REDIS_PORT are set by "
            "the operator; choose other names",
            field_path=".env",
        ),
        rule(
            f"!has(self.env) || !({_IS_GATEWAY}) "
            f"|| !self.env.exists(one, one.name.matches(r'{GATEWAY_VARIABLES}'))",
            "the gateway does not take its settings, proxies, certificates or libraries from env; "
            "remove variables such as MCP_OPERATOR_*, PYTHON*, LD_*, SSL_*, PATH and *_PROXY, or "
            "use mode: Direct",
            field_path=".env",
        ),
    )

    mode: Literal["Auto", "Gateway", "Direct"] = "Auto"
    """Gateway runs the operator's gateway, which proxies to Services. Direct runs your own MCP
    server image with the catalog mounted at MCP_CONFIG_DIR as tools.json, prompts.json and
    resources.json: names, schemas, endpoints, no Secret; catalog.json has their digests. Auto is
    Direct when image, command or args is set."""
    direct: Direct = Field(default_factory=Direct)
    """What your own server does with the catalog, in mode Direct."""
    title: Title | None = None
    """Name of the server that clients show to people; its metadata.name when left out."""
    version: Annotated[str, Field(min_length=1, max_length=128)] | None = None
    """Version of the server that clients see; the version of the gateway when left out."""
    website_url: Annotated[ServerUrl | None, Field(alias="websiteURL")] = None
    """Page about the server that clients may link to."""
    icons: Icons = Field(default_factory=tuple)
    """Pictures that clients may show for the server."""
    # Not persisted: `kubectl scale` writes it, and a later autoscaler must find it absent.
    replicas: Annotated[int, Field(ge=0, le=MAX_REPLICAS)] | None = None
    """Number of pods. When
    left out there is one at first, and the operator does not change it again, so that an autoscaler
    of your own can. Must be left out with autoscaling. kubectl scale sets it; kubectl autoscale
    reads it, and needs it to be set."""
    autoscaling: Autoscaling | None = None
    """Adjusts the number of pods to their load; none when left out."""
    pod_disruption_budget: PodDisruptionBudget = Field(default_factory=PodDisruptionBudget)
    """What evictions must leave of the pods. From two replicas on, evictions take one pod at a time
    when this is left out. Without replicas and autoscaling there is no budget."""
    image: Image | None = None
    """Container image; the operator's own gateway when left out. With mode: Gateway, another build
    of the gateway, which runs with the permissions of one: to read this server's own ConfigMaps and
    the Secrets that its tools name."""
    command: tuple[Argument, ...] = Field(default_factory=tuple, max_length=64)
    """Entrypoint of your image; its own when left out."""
    args: tuple[Argument, ...] = Field(default_factory=tuple, max_length=256)
    """Arguments of the entrypoint."""
    env: tuple[EnvVar, ...] = Field(
        default_factory=tuple, max_length=256, json_schema_extra=list_map("name")
    )
    """Environment of the container. It cannot change the settings, code, trust or connections of a
    gateway."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is pulled. When left out, the installation decides for a gateway, with
    IfNotPresent by default, and Kubernetes decides by the tag for your own server."""
    port: PortNumber = 8080
    """Port that the container listens on."""
    redis: Redis | None = None
    """Redis that the pods share: gateways keep limits, tasks, sessions and, with cache.storage,
    answers in it. In mode Direct, your own server decides how to use it. Without a Redis, each pod
    has its own."""
    tls: TLS | None = None
    """HTTPS at the gateway, instead of HTTP; none when left out."""
    ingress: Ingress | None = None
    """Ingress in front of the endpoint; none when left out."""
    http_route: HTTPRoute | None = None
    """HTTPRoute of the Gateway API in front of the endpoint; none when left out."""
    network_policy: NetworkPolicy = Field(default_factory=NetworkPolicy)
    """NetworkPolicy around the pods; none when left out."""
    tool_selector: Selector
    """MCPTools of this namespace, and of those in allowedNamespaces, that are served."""
    prompt_selector: Selector | None = None
    """Which MCPPrompts are served; toolSelector decides when left out."""
    resource_selector: Selector | None = None
    """Which MCPResources are served; toolSelector decides when left out."""
    allowed_namespaces: AllowedNamespaces = Field(default_factory=AllowedNamespaces)
    """Namespaces from which the selectors may pick; only the server's own when left out."""
    auth: Authentication = Field(default_factory=Authentication)
    """Clients that the gateway serves; every client that can connect when left out."""
    rate_limits: RateLimits | None = None
    """Rate limits of the gateway; none when left out."""
    cache: ServerCache | None = None
    """How long clients can cache lists and resources, and where the gateway caches answers of tools
    and resources with a cache; clients cache nothing when left out."""
    audit: Literal["Off", "Failures", "All"] = Field(default_factory=lambda: "Off")
    """Which calls the gateway logs: one line says who called which tool, prompt or resource, how it
    ended, its duration and sizes, never arguments or results. Failures also logs clients that were
    refused; Off when left out."""
    protocol: Protocol = Field(default_factory=Protocol)
    """Which web pages may use the endpoint, under which names it is served, and for how long its
    sessions last."""
    naming: Naming = Field(default_factory=Naming)
    """Names of what is served."""
    config: ServerConfig = Field(default_factory=ServerConfig)
    """Limits and behavior of the gateway."""
    service: ServiceSettings = Field(default_factory=ServiceSettings)
    """The Service in front of the pods."""
    pod_template: PodTemplate = Field(default_factory=PodTemplate)
    """What the pods are given beside what the operator gives them: labels, placement, Secrets for
    pulling, volumes. The installation may have defaults for all servers; a value here, also a list
    as a whole, takes the place of theirs, and maps are merged."""
    resources: ResourceRequirements | None = None
    """Compute resources of the container. When left out, a gateway requests 50m of CPU and 128Mi of
    memory, with a limit of 1Gi; a server of your own has the same requests and no limit."""

    @property
    def effective_mode(self) -> Literal["Gateway", "Direct"]:
        """The mode, with Auto decided."""
        if self.mode != "Auto":
            return self.mode
        return "Direct" if self.image or self.command or self.args else "Gateway"

    @property
    def reserved_variables(self) -> tuple[str, ...]:
        """What env may not set; admission refuses it, but may not have seen an older object."""
        return tuple(variable.name for variable in self.env if self._is_reserved(variable.name))

    def _is_reserved(self, variable: str) -> bool:
        if variable.startswith("KUBERNETES_") or variable == "MCP_CONFIG_DIR":
            return True
        if self.redis and variable in {"REDIS_HOST", "REDIS_PORT"}:
            return True
        return self.effective_mode == "Gateway" and bool(re.search(GATEWAY_VARIABLES, variable))

    @property
    def fixed_replicas(self) -> int | None:
        """The number of pods; None where an autoscaler decides on it, the operator's or another."""
        return None if self.autoscaling else self.replicas

    @property
    def max_replicas(self) -> int:
        """The largest number of pods that is known of; others may scale to more."""
        if self.autoscaling:
            return self.autoscaling.max_replicas
        return 1 if self.replicas is None else self.replicas

    @property
    def selectors(self) -> tuple[Selector, Selector, Selector]:
        """The selectors of tools, prompts and resources, with defaults applied."""
        return (
            self.tool_selector,
            self.prompt_selector or self.tool_selector,
            self.resource_selector or self.tool_selector,
        )


class MCPServer(Kind):
    """One MCP endpoint, serving the tools, prompts and resources that its selectors match."""

    spec: MCPServerSpec
