"""What an MCPServer says of the container of its pods."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, matching, rule, validated
from mcp_operator.api.v1alpha1.common import LABEL_KEY, ConfigMapKeyRef, SecretKeyRef

QUANTITY = (
    r"^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))"
    r"(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$"
)
"""apimachinery `resource.Quantity`, as controller-gen writes it."""

_SETTINGS = "MCP_OPERATOR_.*|KUBE.*|POD_.*"
_CODE = (
    "PYTHON.*|(PYDANTIC|AIOHTTP|YARL|MULTIDICT|FROZENLIST|PROPCACHE|UVLOOP|PROMETHEUS)_.*"
    "|(LD|GLIBC|MALLOC|GCONV|GETCONF)_.*|PATH|HOME|TMPDIR|TEMP|TMP|TZDIR|LOCPATH|NLSPATH"
)
_TRUST = "SSL.*|OPENSSL_.*|(REQUESTS|CURL)_CA_BUNDLE"
_CONNECTIONS = ".*_PROXY|NETRC|HOSTALIASES|LOCALDOMAIN|RES_OPTIONS|RESOLV_.*"
GATEWAY_VARIABLES = f"(?i)^({_SETTINGS}|{_CODE}|{_TRUST}|{_CONNECTIONS})$"
"""Environment variables that tell a gateway, its interpreter or its libraries what to be, run,
trust or connect to; in any case, as proxies are read in both. What an author may tell a gateway
has fields in the spec of its server. Those of OpenTelemetry are not among them: where traces go is
said by them everywhere, and an author may run an image that sends anything there."""

Argument = Annotated[str, Field(max_length=4096)]
Quantity = Annotated[int, Field(ge=0)] | Annotated[str, Field(pattern=QUANTITY, max_length=64)]
Quantities = Annotated[dict[str, Quantity], Field(max_length=16)]

Image = Annotated[
    str,
    matching(
        r"^[^\s]+$", "write an image without spaces, such as ghcr.io/me/app:1.0", max_length=1024
    ),
]


_ENV_FIELD = (
    r"^(metadata\.(name|namespace|uid)"
    rf"|metadata\.(labels|annotations)\['{LABEL_KEY.strip('^$')}'\]"
    r"|spec\.(nodeName|serviceAccountName)|status\.(hostIP|hostIPs|podIP|podIPs))$"
)
"""Kubernetes, pkg/apis/core/validation, `validEnvDownwardAPIFieldPathExpressions`."""


class FieldRef(ApiModel):
    """A field of the pod, as an environment variable."""

    api_version: Literal["v1"] = "v1"
    """Version of the API that fieldPath is written in."""
    field_path: Annotated[
        str,
        matching(
            _ENV_FIELD,
            "write a field that a variable can have, such as metadata.namespace, "
            "metadata.labels['app'] or status.podIP",
            max_length=384,
        ),
    ]
    """Path of the field, such as metadata.namespace."""


class EnvSource(ApiModel):
    """Where the value of an environment variable comes from."""

    model_config = validated(
        rule(
            "[has(self.secretKeyRef), has(self.configMapKeyRef), has(self.fieldRef)]"
            ".filter(given, given).size() == 1",
            "set exactly one of secretKeyRef, configMapKeyRef and fieldRef",
        )
    )

    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret."""
    config_map_key_ref: ConfigMapKeyRef | None = None
    """A key of a ConfigMap."""
    field_ref: FieldRef | None = None
    """A field of the pod."""


class EnvVar(ApiModel):
    """One environment variable of the container."""

    model_config = validated(
        rule(
            "!(has(self.value) && has(self.valueFrom))",
            "set only one of value and valueFrom",
        )
    )

    name: Annotated[
        str,
        matching(
            r"^[-._a-zA-Z][-._a-zA-Z0-9]*$",
            "use letters, digits, '_', '-' and '.', not beginning with a digit",
            max_length=253,
        ),
    ]
    """Name of the variable."""
    value: Annotated[str, Field(max_length=32768)] | None = None
    """The value itself; empty when neither value nor valueFrom is set."""
    value_from: EnvSource | None = None
    """A Secret, ConfigMap or pod field that holds the value."""


class ResourceRequirements(ApiModel):
    """Compute resources of the container."""

    limits: Quantities = Field(default_factory=dict)
    """Maximum that the container can use, such as cpu: 500m and memory: 256Mi."""
    requests: Quantities = Field(default_factory=dict)
    """What the scheduler reserves."""
