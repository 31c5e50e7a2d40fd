"""What an MCPServer, or the installation for all of them, says of the pods.

It is an allow-list. What would give a pod more than the `restricted` Pod Security Standard does has
no field: host namespaces, hostPath, added capabilities, root.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, list_map, rule, rules, validated
from mcp_operator.api.v1alpha1.common import (
    LABEL_KEY,
    DnsLabel,
    DnsSubdomain,
    LabelValue,
    PodPortName,
)
from mcp_operator.api.v1alpha1.container import (
    Argument,
    EnvVar,
    Image,
    ResourceRequirements,
)
from mcp_operator.api.v1alpha1.placement import Affinity, Labels, Spread, Text, Toleration
from mcp_operator.api.v1alpha1.probes import HealthProbe, Lifecycle, Probe
from mcp_operator.api.v1alpha1.volumes import Mounts, SecretName, Volume

RESERVED_KEYS = (
    r"^([a-z0-9.-]*[.])?mcp-operator[.]dev/"
    r"|^app[.]kubernetes[.]io/(name|instance|component|managed-by)$"
    r"|^deployment[.]kubernetes[.]io/"
    r"|^([a-z0-9-]+[.])*security[.](alpha|beta)[.]kubernetes[.]io/"
)
"""Labels and annotations by which the operator finds its objects and Services find their pods, that
the controller of Deployments writes itself, or that loosen AppArmor and seccomp, as fields do."""

_KEYS = (
    rule(
        f'self.all(key, key.matches(r"{LABEL_KEY}"))',
        "every key must be a label key, such as app or example.com/team",
    ),
    rule(
        f'!self.exists(key, key.matches(r"{RESERVED_KEYS}"))',
        "the operator sets the keys of mcp-operator.dev, and app.kubernetes.io/name, instance, "
        "component and managed-by; Kubernetes sets those of deployment.kubernetes.io and "
        "security.beta.kubernetes.io; choose other keys",
    ),
)

UserId = Annotated[int, Field(ge=1, le=2**31 - 1, json_schema_extra={"format": "int64"})]
"""A user or group other than root, as the `restricted` Pod Security Standard has it."""


class PodMetadata(ApiModel):
    """Labels and annotations of the Deployment and its pods."""

    labels: Annotated[
        dict[str, LabelValue], Field(max_length=64, json_schema_extra=rules(*_KEYS))
    ] = Field(default_factory=dict)
    """Labels beside the operator's own."""
    annotations: Annotated[
        dict[str, Annotated[str, Field(max_length=16384)]],
        Field(max_length=64, json_schema_extra=rules(*_KEYS)),
    ] = Field(default_factory=dict)
    """Annotations beside the operator's own."""


class SecurityIds(ApiModel):
    """Who a container runs as."""

    run_as_user: UserId | None = None
    """User; the image's own when left out."""
    run_as_group: UserId | None = None
    """Group; the image's own when left out."""


class PodSecurity(SecurityIds):
    """Who the containers run as, and who owns the files of their volumes."""

    fs_group: UserId | None = None
    """Group that owns the files of volumes."""
    fs_group_change_policy: Literal["OnRootMismatch", "Always"] | None = None
    """When the owner of files is changed; Always when left out."""
    supplemental_groups: Annotated[tuple[UserId, ...], Field(max_length=16)] | None = None
    """Further groups of the processes."""


class ContainerSecurity(SecurityIds):
    """Who the container runs as, and whether it may write to its image."""

    read_only_root_filesystem: bool | None = None
    """Whether the image cannot be written; true in a gateway, false elsewhere when left out."""


class DnsOption(ApiModel):
    """An option of the resolver."""

    name: Text
    """Name of the option, such as ndots."""
    value: Text | None = None
    """Its value."""


class DnsConfig(ApiModel):
    """How names are resolved."""

    nameservers: Annotated[tuple[Text, ...], Field(max_length=3)] | None = None
    """Addresses of name servers."""
    searches: Annotated[tuple[Text, ...], Field(max_length=32)] | None = None
    """Search domains for host names."""
    options: Annotated[tuple[DnsOption, ...], Field(max_length=16)] | None = None
    """Options of the resolver."""


class HostAlias(ApiModel):
    """Names of an address."""

    ip: Annotated[str, Field(max_length=45)]
    """The address."""
    hostnames: Annotated[tuple[DnsSubdomain, ...], Field(min_length=1, max_length=16)]
    """Its names."""


class PodSettings(ApiModel):
    """Scheduling and settings of the pods."""

    model_config = validated(
        rule(
            "!has(self.dnsPolicy) || self.dnsPolicy != 'None' || "
            "has(self.dnsConfig) && has(self.dnsConfig.nameservers) && "
            "size(self.dnsConfig.nameservers) > 0",
            "dnsPolicy: None needs at least one entry of dnsConfig.nameservers",
            field_path=".dnsPolicy",
        )
    )

    node_selector: Labels | None = None
    """Labels that a node must have."""
    tolerations: Annotated[tuple[Toleration, ...], Field(max_length=32)] | None = None
    """Taints that the pods tolerate."""
    affinity: Affinity | None = None
    """Nodes and pods that the pods are scheduled close to, or away from."""
    topology_spread_constraints: Annotated[
        tuple[Spread, ...] | None,
        Field(max_length=8, json_schema_extra=list_map("topologyKey", "whenUnsatisfiable")),
    ] = None
    """How the pods are spread; over nodes and zones, if possible, when left out."""
    service_account_name: DnsSubdomain | None = None
    """ServiceAccount of the pods, which must have the label mcp-operator.dev/usable: "true"; the
    operator creates one when left out."""
    priority_class_name: DnsSubdomain | None = None
    """PriorityClass of the pods."""
    runtime_class_name: DnsSubdomain | None = None
    """RuntimeClass of the pods."""
    image_pull_secrets: Annotated[
        tuple[SecretName, ...] | None, Field(max_length=16, json_schema_extra=list_map("name"))
    ] = None
    """Secrets for pulling the images."""
    security_context: PodSecurity | None = None
    """Who the containers run as; `{}` for whomever the image and the cluster say."""
    dns_policy: Literal["ClusterFirst", "Default", "None"] | None = None
    """Where names are resolved; ClusterFirst when left out."""
    dns_config: DnsConfig | None = None
    """How names are resolved."""
    host_aliases: Annotated[
        tuple[HostAlias, ...] | None, Field(max_length=16, json_schema_extra=list_map("ip"))
    ] = None
    """Entries of /etc/hosts."""
    volumes: Annotated[
        tuple[Volume, ...] | None, Field(max_length=32, json_schema_extra=list_map("name"))
    ] = None
    """Volumes for volumeMounts to name."""
    termination_grace_period_seconds: (
        Annotated[int, Field(ge=1, le=3600, json_schema_extra={"format": "int64"})] | None
    ) = None
    """Termination grace period of the pods, in mode Direct; for a gateway, use
    config.drainTimeout."""


class EnvFrom(ApiModel):
    """A ConfigMap or Secret whose keys become environment variables."""

    model_config = validated(
        rule(
            "has(self.configMapRef) != has(self.secretRef)",
            "set exactly one of configMapRef and secretRef",
        )
    )

    prefix: Annotated[str, Field(max_length=128)] | None = None
    """Text before each name."""
    config_map_ref: SecretName | None = None
    """The ConfigMap."""
    secret_ref: SecretName | None = None
    """The Secret."""


EnvFroms = Annotated[tuple[EnvFrom, ...], Field(max_length=16)]


class ContainerSettings(ApiModel):
    """What the main container of the pods is given."""

    volume_mounts: Annotated[Mounts | None, Field(json_schema_extra=list_map("mountPath"))] = None
    """Where it finds volumes."""
    security_context: ContainerSecurity | None = None
    """User and group of the processes, if they differ from those of the pod."""
    env_from: EnvFroms | None = None
    """ConfigMaps and Secrets whose keys become environment variables, in mode Direct."""
    lifecycle: Lifecycle | None = None
    """Actions after the container started and before it stops, in mode Direct. When left out, it
    stops 5 seconds later, so that proxies no longer send requests."""
    liveness_probe: HealthProbe | None = None
    """When it is restarted, in mode Direct; never when left out."""
    readiness_probe: Probe | None = None
    """When it gets requests, in mode Direct; when its port accepts connections when left out."""
    startup_probe: HealthProbe | None = None
    """When it has started, in mode Direct; at once when left out."""


class ContainerPort(ApiModel):
    """A port that a container listens on."""

    container_port: Annotated[int, Field(ge=1, le=65535)]
    """Number of the port."""
    name: PodPortName | None = None
    """Name of the port."""
    protocol: Literal["TCP", "UDP", "SCTP"] = "TCP"
    """Protocol of the port."""


_ANOTHER_NAME = rule(
    "!(self.name in ['server', 'gateway'])",
    "server and gateway are the names of the main container; choose another",
    field_path=".name",
)


class ExtraContainer(ApiModel):
    """A container beside your own."""

    model_config = validated(_ANOTHER_NAME)

    name: DnsLabel
    """Name of the container."""
    image: Image
    """Container image."""
    image_pull_policy: Literal["Always", "IfNotPresent", "Never"] | None = None
    """When the image is pulled; Kubernetes decides by its tag when left out."""
    command: Annotated[tuple[Argument, ...], Field(max_length=64)] | None = None
    """Entrypoint; the image's own when left out."""
    args: Annotated[tuple[Argument, ...], Field(max_length=256)] | None = None
    """Arguments of the entrypoint."""
    env: Annotated[
        tuple[EnvVar, ...] | None, Field(max_length=64, json_schema_extra=list_map("name"))
    ] = None
    """Environment variables."""
    env_from: EnvFroms | None = None
    """ConfigMaps and Secrets whose keys become environment variables."""
    ports: Annotated[tuple[ContainerPort, ...], Field(max_length=16)] | None = None
    """Ports that it listens on."""
    resources: ResourceRequirements | None = None
    """Compute resources."""
    volume_mounts: Annotated[Mounts | None, Field(json_schema_extra=list_map("mountPath"))] = None
    """Where it finds volumes."""
    security_context: ContainerSecurity | None = None
    """User and group of the processes, and whether the root filesystem is writable."""
    lifecycle: Lifecycle | None = None
    """Actions after the container started and before it stops."""
    liveness_probe: HealthProbe | None = None
    """When it is restarted."""
    readiness_probe: Probe | None = None
    """When the pod gets requests."""
    startup_probe: HealthProbe | None = None
    """When it has started."""


class InitContainer(ExtraContainer):
    """A container that runs before the others, or beside them from before they start."""

    model_config = validated(
        _ANOTHER_NAME,
        rule(
            "has(self.restartPolicy) || ![has(self.lifecycle), has(self.livenessProbe), "
            "has(self.readinessProbe), has(self.startupProbe)].exists(given, given)",
            "only a sidecar has probes and a lifecycle; set restartPolicy: Always",
        ),
    )

    restart_policy: Literal["Always"] | None = None
    """Always for a sidecar: it keeps running, and
    the other containers start once it has started."""


class PodTemplate(ApiModel):
    """What the pods are given beside what the operator gives them."""

    metadata: PodMetadata = Field(default_factory=PodMetadata)
    """Labels and annotations of the Deployment and its pods."""
    spec: PodSettings = Field(default_factory=PodSettings)
    """Scheduling and settings of the pods."""
    container: ContainerSettings = Field(default_factory=ContainerSettings)
    """Settings of the main container."""
    containers: Annotated[
        tuple[ExtraContainer, ...], Field(max_length=8, json_schema_extra=list_map("name"))
    ] = Field(default_factory=tuple)
    """Containers beside your own, in mode Direct."""
    init_containers: Annotated[
        tuple[InitContainer, ...], Field(max_length=8, json_schema_extra=list_map("name"))
    ] = Field(default_factory=tuple)
    """Containers that run before your own, in mode Direct."""
