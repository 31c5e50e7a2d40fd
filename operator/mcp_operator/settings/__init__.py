"""The settings of each command: immutable, validated at startup, set by flags or the environment.

A field of a settings class declares a setting: its name determines the flag (`--log-level`) and the
environment variable (`MCP_OPERATOR_LOG_LEVEL`), its docstring is the help text, and the `Setting`
in its type describes the accepted values. A flag overrides the environment, which overrides the
default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from mcp_operator.api.v1alpha1.protocol import ORIGIN_PATTERN
from mcp_operator.core.label_selectors import parse_selector
from mcp_operator.local.addresses import is_address
from mcp_operator.settings.loading import Setting, Settings, parts
from mcp_operator.version import VERSION

DNS_LABEL: Final = r"^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$"
"""An RFC 1123 label, such as the name of a namespace."""

SERVICE: Final = r"^(([a-z0-9-]+/)?[a-z0-9-]+|[a-z0-9-]+(\.[a-z0-9-]+)+)(:[0-9]{1,5})?$"
"""`[NAMESPACE/]SERVICE[:PORT]`, or the name of a host outside the cluster, which has dots."""


def _pairs(value: str | Sequence[str] | Mapping[str, str]) -> Mapping[str, str]:
    """Parse `SERVICE=HOST:PORT` parts into a mapping.

    Raises:
        ValueError: A part has another form.
    """
    if isinstance(value, Mapping):
        return value
    return dict(_pair(part) for part in parts(value))


def _pair(part: str) -> tuple[str, str]:
    service, _, address = part.partition("=")
    if not is_address(address):
        raise ValueError(f"{part!r} has no valid address")
    return service, address


def _selector(value: str) -> str:
    """Refuse what is not a label selector.

    Raises:
        ValueError: It is none.
    """
    if value:
        parse_selector(value)
    return value


Port = Annotated[
    int,
    Field(ge=0, le=65535),
    Setting("a port number from 0 to 65535 (0 for any free port)", "PORT"),
]
Namespace = Annotated[
    str, Field(pattern=DNS_LABEL), Setting("the name of a namespace, such as demo", "NAMESPACE")
]
Namespaces = Annotated[
    tuple[Annotated[str, Field(pattern=DNS_LABEL)], ...],
    BeforeValidator(parts),
    Setting("a list of namespaces, such as demo", "NAMESPACE", flag="--namespace", repeated=True),
]
NamespaceSelector = Annotated[
    str,
    AfterValidator(_selector),
    Setting("a label selector, such as team=shop or team in (shop, ops)", "SELECTOR"),
]
Name = Annotated[
    str,
    Field(pattern=r"^[a-z0-9][-.a-z0-9]*$", max_length=253),
    Setting("the name of an object, such as shop", "NAME"),
]
Kubeconfig = Annotated[Path | None, Setting("a path", "FILE")]
TlsDirectory = Annotated[Path | None, Setting("a path", "DIRECTORY")]
Seconds = Annotated[
    float,
    Field(gt=0, le=3600),
    Setting("a number of seconds, more than 0 and at most 3600", "SECONDS"),
]
Address = Annotated[
    str,
    Field(pattern=r"^[0-9A-Za-z.:_-]*$"),
    Setting("an IP address or host name, such as 127.0.0.1", "ADDRESS"),
]
Services = Annotated[
    Mapping[Annotated[str, Field(pattern=SERVICE)], str],
    BeforeValidator(_pairs),
    Setting(
        "[NAMESPACE/]SERVICE[:PORT]=HOST:PORT, such as orders=127.0.0.1:9000",
        "SERVICE=HOST:PORT",
        flag="--service",
        repeated=True,
    ),
]


Workers = Annotated[int, Field(ge=1, le=64), Setting("a whole number from 1 to 64", "NUMBER")]

EXTERNAL_HOST = r"^\*$|^(\*\.)?[a-z0-9]([-a-z0-9.]*[a-z0-9])?$"
"""A host outside of the cluster, `*.` before a domain for all below it, `*` for any host."""

ExternalHosts = Annotated[
    tuple[Annotated[str, Field(pattern=EXTERNAL_HOST, max_length=253)], ...],
    BeforeValidator(parts),
    Setting(
        "a list of host names, such as api.example.com or *.example.com, or * for any",
        "HOST",
        flag="--external-host",
        repeated=True,
    ),
]


AllowedOrigins = Annotated[
    tuple[Annotated[str, Field(pattern=ORIGIN_PATTERN, max_length=300)], ...],
    BeforeValidator(parts),
    Setting(
        "a list of origins in lower case, such as http://localhost:6274, or * for any",
        "ORIGIN",
        flag="--allow-origin",
        repeated=True,
    ),
]


_KEY_PATTERN = r"^[A-Za-z0-9*?][-A-Za-z0-9_./*?]*$"

KeyPatterns = Annotated[
    tuple[Annotated[str, Field(pattern=_KEY_PATTERN, max_length=317)], ...], BeforeValidator(parts)
]


class OperatorSettings(Settings):
    """The settings of `mcp-operator operator`, the control plane."""

    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Empty: the service account in a pod, the default file elsewhere."""
    namespaces: Namespaces = ()
    """A namespace to work in. The operator then needs no permission in others, and none for the
    cluster. Without it and a selector: all namespaces."""
    namespace_selector: NamespaceSelector = ""
    """The labels of the namespaces to work in, such as `team in (shop, ops),!legacy`. They may join
    and leave while the operator runs. It watches the whole cluster for that."""
    gateway_image: Annotated[
        str,
        Field(min_length=1, pattern=r"^\S+$"),
        Setting("an image reference, such as ghcr.io/me/app:1.0", "IMAGE"),
    ] = f"mcp-operator:{VERSION}"
    """The image of gateway pods: the operator's own image, under any name that nodes can pull."""
    gateway_image_pull_policy: Annotated[
        Literal["Always", "IfNotPresent", "Never"],
        Setting("one of Always, IfNotPresent, Never", "POLICY"),
    ] = "IfNotPresent"
    """The pull policy of that image."""
    bind_address: Address = ""
    """The address that both ports listen on. Empty: all IPv4 and IPv6 addresses."""
    metrics_port: Port = 8080
    """The port of `/metrics`."""
    health_port: Port = 8081
    """The port of `/livez`, `/readyz` and `/healthz`."""
    leader_elect: Annotated[bool, Setting("true or false")] = True
    """Whether replicas elect a leader with a Lease. Without it, run only one replica."""
    lease_namespace: Annotated[
        str,
        Field(pattern=rf"^$|{DNS_LABEL}"),
        Setting("the name of a namespace, such as mcp-operator-system", "NAMESPACE"),
    ] = ""
    """The namespace of the Lease. Empty: the operator's own in a pod, `default` elsewhere."""
    lease_name: Name = "mcp-operator"
    """The name of the Lease. Operators that manage different objects need different names."""
    lease_duration: Seconds = 15.0
    """How long the other replicas wait for a leader that does not renew the Lease."""
    renew_deadline: Seconds = 10.0
    """How long the leader continues without renewing the Lease. Shorter than the lease duration."""
    retry_period: Seconds = 2.0
    """The interval between renewals of the Lease; other replicas check it more often. Much shorter
    than the renew deadline."""
    identity: Annotated[
        str, Field(max_length=253), Setting("a text of at most 253 characters", "NAME")
    ] = ""
    """The name of this replica in the Lease. Empty: the host name and a random suffix."""
    external_hosts: ExternalHosts = ()
    """A host outside the cluster that MCPTools and MCPResources may call. None by default:
    otherwise anyone who may write these objects could send anything anywhere."""
    pod_template: Annotated[
        str, Setting("a pod template in YAML, with the fields of spec.podTemplate", "YAML")
    ] = ""
    """What the pods of all servers are given, such as labels, tolerations and Secrets for pulling:
    YAML with the fields of an MCPServer's spec.podTemplate, which decides over it."""
    passed_labels: Annotated[
        KeyPatterns,
        Setting(
            "a list of patterns of labels, such as cost-center or example.com/*",
            "PATTERN",
            flag="--pass-label",
            repeated=True,
        ),
    ] = ()
    """A label that the Deployment, the pods and the other children of an MCPServer get from it."""
    passed_annotations: Annotated[
        KeyPatterns,
        Setting(
            "a list of patterns of annotations, such as owner or example.com/*",
            "PATTERN",
            flag="--pass-annotation",
            repeated=True,
        ),
    ] = ()
    """An annotation that they get from it."""
    condition_metrics: Annotated[bool, Setting("true or false")] = True
    """Whether `/metrics` has the conditions of each object, up to 20,000 of them."""
    workers: Workers = 4
    """How many objects of one kind are reconciled concurrently, one less of the same namespace."""


class GatewaySettings(Settings):
    """The settings of `mcp-operator gateway`, the data plane in a cluster."""

    namespace: Namespace
    """The namespace of the MCPServer to serve."""
    server: Name
    """The name of the MCPServer to serve."""
    kubeconfig: Kubeconfig = None
    """The kubeconfig file. Empty: the service account in a pod, the default file elsewhere."""
    bind_address: Address = ""
    """The address that both ports listen on. Empty: all IPv4 and IPv6 addresses."""
    port: Port = 8080
    """The port of the MCP endpoint."""
    management_port: Port = 8081
    """The port of `/metrics`, `/livez`, `/readyz` and `/catalog`."""
    tls_directory: TlsDirectory = None
    """The directory with `tls.crt` and `tls.key` for HTTPS at the MCP endpoint; they are read again
    when they change. Empty: HTTP."""
    services: Services = Field(default_factory=dict)
    """The address to use for a Service, for a gateway outside of the cluster network."""
    workers: Workers = 1
    """How many processes serve. Each uses one core at most, and memory of its own. Linux only."""


class ServeSettings(Settings):
    """The settings of `mcp-operator serve`, the endpoint without a cluster."""

    paths: Annotated[
        tuple[Path, ...],
        Field(min_length=1),
        Setting("at least one path", "PATH", "", repeated=True),
    ]
    """YAML files and folders."""
    host: Address = "127.0.0.1"
    """The address that the ports listen on. Other machines cannot reach the default."""
    port: Port = 8080
    """The port of the MCP endpoint."""
    management_port: Port = 0
    """The port of `/metrics`, `/livez`, `/readyz` and `/catalog`. 0: any; it is logged."""
    tls_directory: TlsDirectory = None
    """The directory with `tls.crt` and `tls.key` for HTTPS at the MCP endpoint; they are read again
    when they change. Empty: HTTP."""
    server: Annotated[
        str,
        Field(pattern=r"^$|^([a-z0-9-]+/)?[a-z0-9][-.a-z0-9]*$"),
        Setting("the name of an MCPServer, as [NAMESPACE/]NAME", "[NAMESPACE/]NAME"),
    ] = ""
    """The MCPServer to serve. Required only if the paths contain more than one."""
    services: Services = Field(default_factory=dict)
    """The address to use for a Service, such as `orders=127.0.0.1:9000`."""
    external_hosts: ExternalHosts = ()
    """A host outside the cluster that tools and resources may call."""
    allowed_origins: AllowedOrigins = ()
    """The origin of a web page that may use the endpoint, besides those that the MCPServer allows;
    `*` for any. Pages of this machine may use the default address without being allowed."""
    demo_backend: Annotated[bool, Setting("true or false")] = False
    """Whether to also run the demo shop that `manifests/samples` calls. It listens on a free local
    port, and takes the place of the Service `shop-backend`."""
    workers: Workers = 1
    """How many processes serve. Each uses one core at most, and memory of its own. Linux only."""
