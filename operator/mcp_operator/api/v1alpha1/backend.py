"""The HTTP side of tools and resources: which Service, what every request carries, credentials."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import ApiModel, matching, rule, validated
from mcp_operator.api.v1alpha1.common import (
    ConfigMapKeyRef,
    DataKey,
    DnsLabel,
    DnsSubdomain,
    HeaderName,
    HeaderValue,
    HttpPath,
    PortNumber,
    SecretKeyRef,
)


class ServiceTls(ApiModel):
    """How the gateway verifies the certificate of a backend reached over https."""

    ca_secret_ref: SecretKeyRef | None = None
    """PEM bundle of the authorities to trust instead of the system's, such as key ca.crt of a
    kubernetes.io/tls Secret."""
    server_name: DnsSubdomain | None = None
    """Name expected in the certificate; the Service's DNS name when left out."""
    insecure_skip_verify: bool = False
    """Accept any certificate. For experiments only."""


class ServiceRef(ApiModel):
    """A Service of the cluster, and where on it."""

    model_config = validated(
        rule(
            "!has(self.tls) || (has(self.scheme) && self.scheme == 'https')",
            "tls needs scheme: https",
            field_path=".tls",
        )
    )

    name: DnsLabel
    """Name of the Service."""
    namespace: DnsLabel | None = None
    """Namespace of the Service; that of this object when left out. Another namespace must consent
    with a ReferenceGrant or an annotation on the Service."""
    port: PortNumber
    """Port of the Service."""
    path: HttpPath = "/"
    """Absolute path of the endpoint; {name} stands for an argument."""
    scheme: Literal["http", "https"] = "http"
    """Protocol that the Service speaks."""
    tls: ServiceTls | None = None
    """Certificate verification; only with scheme https."""


class ValueSource(ApiModel):
    """Where a value comes from."""

    model_config = validated(
        rule(
            "has(self.secretKeyRef) != has(self.configMapKeyRef)",
            "set exactly one of secretKeyRef and configMapKeyRef",
        )
    )

    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret; the gateway reads it itself, it is never copied."""
    config_map_key_ref: ConfigMapKeyRef | None = None
    """A key of a ConfigMap."""


TargetName = Annotated[
    str,
    matching(
        r"^[!-:<>-~]+$",
        "use printable ASCII characters without spaces, ';' and '='",
        max_length=128,
    ),
]
"""The name of a query parameter, cookie or field of a form."""

QueryValue = Annotated[
    str,
    matching(r"^[^\x00-\x1f\x7f]*$", "write one line, without control characters", max_length=2048),
]


class RequestQuery(ApiModel):
    """A query parameter that the gateway adds to every request to the backend."""

    model_config = validated(
        rule(
            "has(self.value) != has(self.valueFrom)",
            "set exactly one of value and valueFrom",
        )
    )

    name: TargetName
    """Name of the parameter."""
    value: QueryValue | None = None
    """The value itself, not encoded. Put secrets into valueFrom."""
    value_from: ValueSource | None = None
    """A Secret or ConfigMap that holds the value."""


class RequestHeader(ApiModel):
    """A header that the gateway adds to every request to the backend."""

    model_config = validated(
        rule(
            "has(self.value) != has(self.valueFrom)",
            "set exactly one of value and valueFrom",
        )
    )

    name: HeaderName
    """Name of the header."""
    value: HeaderValue | None = None
    """The value itself; printable ASCII. Put secrets into valueFrom."""
    value_from: ValueSource | None = None
    """A Secret or ConfigMap that holds the value."""


class CredentialsSecret(ApiModel):
    """The Secret that holds credentials, and under which keys."""

    name: DnsSubdomain
    """Name of the Secret, in the same namespace."""
    key: DataKey = Field(default_factory=lambda: "token")
    """Key that holds the token, for Bearer and Header; token when left out."""
    username_key: DataKey = Field(default_factory=lambda: "username")
    """Key that holds the user name, for Basic; username when left out."""
    password_key: DataKey = Field(default_factory=lambda: "password")
    """Key that holds the password, for Basic; password when left out."""


class RequestCredentials(ApiModel):
    """What the gateway authenticates with to the backend."""

    model_config = validated(
        rule(
            "(self.type == 'Header') == has(self.header)",
            "header names the header of type: Header; set it for that type and no other",
            field_path=".header",
        ),
        rule(
            "self.type == 'Basic' ? !has(self.secretRef.key) "
            ": !has(self.secretRef.usernameKey) && !has(self.secretRef.passwordKey)",
            "Basic reads usernameKey and passwordKey, Bearer and Header read key; "
            "remove what the type does not read",
            field_path=".secretRef",
        ),
    )

    type: Literal["Bearer", "Basic", "Header"]
    """Bearer sends Authorization: Bearer TOKEN; Basic sends a user name and password; Header sends
    the token unchanged in a header of its own."""
    header: HeaderName | None = None
    """Header that carries the token; only for type Header."""
    secret_ref: CredentialsSecret
    """The Secret that holds the token, or the user name and password."""
