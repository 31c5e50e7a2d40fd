"""The HTTP side of tools and resources: which Service, what every request carries, credentials."""

from __future__ import annotations

from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, matching, rule, validated
from mcp_operator.api.v1alpha1.common import (
    HEADER_FIELD,
    RESERVED_HEADERS,
    ConfigMapKeyRef,
    DataKey,
    DnsLabel,
    DnsSubdomain,
    HeaderName,
    HeaderValue,
    HttpPath,
    PortName,
    PortNumber,
    SecretKeyRef,
    Uri,
)


def _url(path: str) -> Any:
    return matching(
        r"^https?://[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:[1-9][0-9]{0,4})?"
        rf"(/[A-Za-z0-9._~!$&'()*+,;=:@%/{path}-]*)?$",
        "write a URL such as https://api.example.com/v1: its host in lower case, no user, query or "
        "fragment",
        rule(
            "!self.matches('/[.][.]?(/|$)')",
            "a URL must not contain the segments . or ..; write the path it leads to",
        ),
        max_length=512,
    )


HttpUrl = Annotated[str, _url("")]
"""The URL of an HTTP endpoint."""

BaseUrl = Annotated[str, _url("{}")]
"""The same, with `{name}` where an argument goes."""

Scope = Annotated[
    str,
    matching(
        r"^[!#-\[\]-~]+$",
        "a scope has printable ASCII characters, without spaces, quotes and backslashes",
        max_length=256,
    ),
]
"""RFC 6749 section 3.3, `scope-token`."""

TokenPrefix = Annotated[
    str,
    matching(r"^[ -~]+$", "a prefix is printable ASCII, such as 'Token '", max_length=64),
]


class CertificateRef(ApiModel):
    """A Secret of type kubernetes.io/tls in the same namespace."""

    name: DnsSubdomain
    """Name of the Secret; its keys are tls.crt and tls.key."""


class ServiceTls(ApiModel):
    """How the gateway verifies the certificate of a backend reached over https."""

    ca_secret_ref: SecretKeyRef | None = None
    """PEM bundle of the authorities to trust instead of the system's, such as key ca.crt of a
    kubernetes.io/tls Secret."""
    server_name: DnsSubdomain | None = None
    """Name expected in the certificate. When left out: service.host, else the DNS name of the
    Service, such as orders.shop.svc, or the host of the URL."""
    client_certificate_secret_ref: CertificateRef | None = None
    """Certificate and key that the gateway shows to the backend, of a kubernetes.io/tls Secret."""
    insecure_skip_verify: bool = False
    """Accept any certificate. For tests only."""


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
    port: PortNumber | PortName
    """Port of the Service, by number or by name."""
    path: HttpPath = "/"
    """Absolute path of the endpoint; {name} stands for an argument."""
    scheme: Literal["http", "https"] = "http"
    """Protocol that the Service speaks."""
    host: DnsSubdomain | None = None
    """Host of the requests, in the Host header and in TLS, if the Service has several virtual
    hosts; the connection still goes to the Service."""
    tls: ServiceTls | None = None
    """Certificate verification; only with scheme https."""


class External(ApiModel):
    """An API outside of the cluster."""

    model_config = validated(
        rule(
            "!has(self.tls) || self.url.startsWith('https://')",
            "tls needs a url that begins with https://",
            field_path=".tls",
        )
    )

    url: BaseUrl
    """Base URL of the API, such as https://api.example.com/v1, of a host that the installation
    allows. The path of a tool is appended; {name} in it stands for an argument."""
    tls: ServiceTls | None = None
    """Certificate verification; only with https."""

    @property
    def path(self) -> str:
        """The path of the URL, which begins with a slash."""
        return urlsplit(self.url).path or "/"


class ValueSource(ApiModel):
    """Where a value comes from."""

    model_config = validated(
        rule(
            "has(self.secretKeyRef) != has(self.configMapKeyRef)",
            "set exactly one of secretKeyRef and configMapKeyRef",
        )
    )

    secret_key_ref: SecretKeyRef | None = None
    """A key of a Secret; the gateway reads it; it is never copied."""
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
    """Key that holds the token, for Bearer, Header, Query and Cookie; token when left out."""
    username_key: DataKey = Field(default_factory=lambda: "username")
    """Key that holds the user name, for Basic; username when left out."""
    password_key: DataKey = Field(default_factory=lambda: "password")
    """Key that holds the password, for Basic; password when left out."""
    client_id_key: DataKey = Field(default_factory=lambda: "client_id", alias="clientIDKey")
    """Key that holds the client's identifier, for OAuth2; client_id when left out."""
    client_secret_key: DataKey = Field(default_factory=lambda: "client_secret")
    """Key that holds the client's secret, for OAuth2; client_secret when left out."""


class OAuth2Client(ApiModel):
    """How to get an access token: the client credentials grant of OAuth 2 (RFC 6749 section 4.4).

    The gateway keeps a token until shortly before it expires, and gets a new one where the backend
    answers 401.
    """

    model_config = validated(
        rule(
            "!has(self.tls) || self.tokenURL.startsWith('https://')",
            "tls needs a tokenURL that begins with https://",
            field_path=".tls",
        )
    )

    token_url: HttpUrl = Field(alias="tokenURL")
    """The token endpoint: of a Service of the cluster, such as
    https://keycloak.identity.svc/realms/shop/token, or of a host that the installation allows."""
    scopes: tuple[Scope, ...] = Field(
        default_factory=tuple, max_length=32, json_schema_extra=LIST_SET
    )
    """The scopes to ask for."""
    audience: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """The parameter audience, which some servers need to know what the token is for."""
    resource: Uri | None = None
    """The parameter resource (RFC 8707): URI of what the token is for."""
    client_authentication: Literal["Basic", "Post"] = Field(default_factory=lambda: "Basic")
    """Whether the client's identifier and secret are sent by HTTP Basic authentication, or in the
    form; Basic when left out."""
    tls: ServiceTls | None = None
    """Verification of the token endpoint's certificate; only with https."""


class RequestCredentials(ApiModel):
    """Credentials that the gateway sends to the backend."""

    model_config = validated(
        rule(
            "self.type == 'Header' ? has(self.header) != has(self.name) : !has(self.header)",
            "type: Header requires exactly one of header and name; header is not allowed with "
            "other types",
            field_path=".header",
        ),
        rule(
            "self.type in ['Query', 'Cookie'] ? has(self.name) "
            ": self.type == 'Header' || !has(self.name)",
            "name is required with types Query and Cookie, allowed with type Header, and not "
            "allowed with other types",
            field_path=".name",
        ),
        rule(
            f"!has(self.name) || self.type == 'Query' || self.name.matches(r\"{HEADER_FIELD}\")",
            "write the name of a header or cookie: letters, digits and a few signs such as - and _",
            field_path=".name",
        ),
        rule(
            "!has(self.name) || self.type != 'Header' "
            f"|| !self.name.matches('^(?i:{RESERVED_HEADERS})$')",
            "Host, Content-Length and the connection headers are set by the gateway; name another "
            "header",
            field_path=".name",
        ),
        rule(
            "!has(self.prefix) || !(self.type in ['Basic', 'OAuth2'])",
            "prefix is for tokens that are sent unchanged; remove it for Basic and OAuth2",
            field_path=".prefix",
        ),
        rule(
            "(self.type == 'OAuth2') == has(self.oauth2)",
            "oauth2 is required with type: OAuth2, and not allowed with other types",
            field_path=".oauth2",
        ),
        rule(
            "(self.type in ['Basic', 'OAuth2'] ? !has(self.secretRef.key) : true) "
            "&& (self.type != 'Basic' ? !has(self.secretRef.usernameKey) "
            "&& !has(self.secretRef.passwordKey) : true) "
            "&& (self.type != 'OAuth2' ? !has(self.secretRef.clientIDKey) "
            "&& !has(self.secretRef.clientSecretKey) : true)",
            "Basic reads usernameKey and passwordKey, OAuth2 reads clientIDKey and "
            "clientSecretKey, and other types read key; remove what the type does not read",
            field_path=".secretRef",
        ),
    )

    type: Literal["Bearer", "Basic", "Header", "Query", "Cookie", "OAuth2"]
    """Bearer sends Authorization: Bearer TOKEN; Basic sends a user name and password; Header, Query
    and Cookie send the token in the header, query parameter or cookie of that name; OAuth2 gets a
    token with the client's credentials and sends it as Bearer does."""
    header: HeaderName | None = None
    """Header that carries the token, for type Header; name does the same."""
    name: TargetName | None = None
    """Name of the header, query parameter or cookie, for the types Header, Query and Cookie."""
    prefix: TokenPrefix | None = None
    """Text before the token, such as "Token " or "ApiKey ", including the space; for type
    Bearer, it replaces "Bearer "."""
    secret_ref: CredentialsSecret
    """The Secret that holds the token, the user name and password, or the client's credentials."""
    oauth2: OAuth2Client | None = None
    """Where the token comes from, for type OAuth2."""
