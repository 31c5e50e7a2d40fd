"""Whom an MCPServer serves: clients with an API key, or with a token of an identity provider."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from mcp_operator.api.base import LIST_SET, ApiModel, list_map, matching, rule, validated
from mcp_operator.api.v1alpha1.backend import HttpUrl, Scope, ServiceTls
from mcp_operator.api.v1alpha1.common import ConfigMapKeyRef, DnsLabel, DnsSubdomain, HeaderName

TAKEN_HEADERS = "accept|content-type|cookie|origin|mcp-.*"
"""Headers that MCP, browsers or this gateway read for something else."""

PlainUrl = Annotated[
    str,
    matching(
        r"^https?://[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[1-9][0-9]{0,4})?"
        r"(/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?$",
        "write a URL such as https://login.example.com/realms/shop, without user, query or "
        "fragment",
        max_length=512,
    ),
]

Audience = Annotated[
    str,
    matching(r"^[!-~]+$", "an audience is printable ASCII without spaces", max_length=512),
]

ClaimName = Annotated[
    str,
    matching(r"^[!-~]+$", "the name of a claim is printable ASCII without spaces", max_length=128),
]

Scopes = Annotated[
    tuple[Scope, ...],
    Field(default_factory=tuple, max_length=32, json_schema_extra=LIST_SET),
]


class KeysSecret(ApiModel):
    """A Secret in the same namespace that holds API keys."""

    name: DnsSubdomain
    """Name of the Secret. Each key of its data names a client, the value is the API key of that
    client: at least 16 characters, better 32 random ones."""


class ApiKeyAuth(ApiModel):
    """Clients that send an API key."""

    model_config = validated(
        rule(
            f"!has(self.header) || !self.header.matches('^(?i:{TAKEN_HEADERS})$')",
            "this header already has a meaning; name another one, such as X-API-Key",
            field_path=".header",
        ),
        rule(
            "has(self.secretRef) != has(self.secretRefs)",
            "set exactly one of secretRef and secretRefs",
        ),
    )

    header: HeaderName = Field(default_factory=lambda: "Authorization")
    """Header that carries the key. In Authorization, the default, it follows the word Bearer; in
    any other, such as X-API-Key, it stands alone."""
    secret_ref: KeysSecret | None = None
    """The Secret that holds the keys. A change applies within a minute."""
    secret_refs: tuple[KeysSecret, ...] = Field(
        default_factory=tuple, min_length=1, max_length=16, json_schema_extra=list_map("name")
    )
    """Secrets that hold the keys together, such as one for each team. The name of a client is
    then SECRET/KEY, also in rules and logs, so that names of different Secrets cannot collide. If
    one of them cannot be read, clients of the others are served."""

    @property
    def secrets(self) -> tuple[str, ...]:
        """Names of the Secrets, of which there is at least one."""
        refs = (self.secret_ref,) if self.secret_ref else self.secret_refs
        return tuple(ref.name for ref in refs)


class JwtAuth(ApiModel):
    """Clients that send an access token of an OAuth 2 identity provider: a signed JWT."""

    model_config = validated(
        rule(
            "has(self.jwksURI) != has(self.jwksConfigMapRef)",
            "set exactly one of jwksURI and jwksConfigMapRef",
        ),
        rule(
            "!has(self.tls) || (has(self.jwksURI) && self.jwksURI.startsWith('https://'))",
            "tls needs a jwksURI that begins with https://",
            field_path=".tls",
        ),
        rule(
            "!has(self.jwksURI) || self.jwksURI.startsWith('https://') "
            "|| self.jwksURI.matches('^http://[a-z0-9-]+[.][a-z0-9-]+[.]svc(:[0-9]+)?(/|$)')",
            "over http, an attacker could change the keys and forge tokens; use https, or a "
            "Service of the cluster",
            field_path=".jwksURI",
        ),
    )

    issuer: PlainUrl
    """URL of the identity provider, exactly as its tokens have it in the claim iss."""
    audiences: tuple[Audience, ...] = Field(min_length=1, max_length=16, json_schema_extra=LIST_SET)
    """Accepted values of the claim aud; a token needs one of them. A token for
    another server is refused, as MCP requires."""
    jwks_uri: Annotated[HttpUrl | None, Field(alias="jwksURI")] = None
    """Where the provider publishes its public keys (jwks_uri of its metadata): a Service of the
    cluster, such as http://keycloak.identity.svc:8080/realms/shop/protocol/openid-connect/certs, or
    a host that the installation allows."""
    jwks_config_map_ref: ConfigMapKeyRef | None = None
    """A ConfigMap that holds the public keys, as a JWK set, in place of jwksURI."""
    tls: ServiceTls | None = None
    """Verification of the certificate of jwksURI; only with https."""
    user_claim: ClaimName = Field(default_factory=lambda: "sub")
    """Claim that names the client in logs and rules; sub when left out."""
    required_scopes: Scopes
    """Scopes that every token must have."""
    scopes_supported: Scopes
    """Scopes that clients may ask the provider for; requiredScopes when left out."""
    authorization_servers: tuple[PlainUrl, ...] = Field(
        default_factory=tuple, max_length=8, json_schema_extra=LIST_SET
    )
    """Where clients get a token, as RFC 9728 metadata tells them; issuer when left out."""
    resource: PlainUrl | None = None
    """URL of this server as clients reach it, for the RFC 9728 metadata. When left out: the URL of
    the Ingress if it has a host, otherwise the URL of the request."""


Pattern = Annotated[
    str,
    matching(
        r"^[!-~]+$",
        "a pattern is printable ASCII without spaces; * stands for any characters",
        max_length=256,
    ),
]

Patterns = Annotated[
    tuple[Pattern, ...],
    Field(default_factory=tuple, min_length=1, max_length=64, json_schema_extra=LIST_SET),
]


class ClaimRequirement(ApiModel):
    """A claim that a token must have."""

    name: ClaimName
    """Name of the claim, such as groups; realm_access.roles is one within another."""
    values: tuple[Annotated[str, Field(min_length=1, max_length=256)], ...] = Field(
        min_length=1, max_length=64, json_schema_extra=LIST_SET
    )
    """Values of which the claim, or the list that it is, must have one."""


class AccessRule(ApiModel):
    """What some clients are served: everything that a pattern matches."""

    model_config = validated(
        rule(
            "has(self.principals) || has(self.anyScope) || has(self.claims) || has(self.when)",
            "set the clients of the rule, with principals, anyScope, claims or when; "
            "principals: ['*'] is every client",
        ),
        rule(
            "has(self.tools) || has(self.prompts) || has(self.resources)",
            "set what the rule allows, with tools, prompts or resources; '*' is all of them",
        ),
    )

    name: DnsLabel
    """Name of the rule, for those who read it."""
    tools: Patterns
    """Names of tools; * stands for any characters, as in orders-*."""
    prompts: Patterns
    """Names of prompts."""
    resources: Patterns
    """URIs of resources and URI templates, as resources/list and resources/templates/list show
    them."""
    principals: Patterns
    """Names of clients: the name of the API key, or what userClaim names."""
    any_scope: Annotated[
        tuple[Scope, ...],
        Field(default_factory=tuple, min_length=1, max_length=32, json_schema_extra=LIST_SET),
    ]
    """Scopes of which the token must have one; only with type: JWT."""
    claims: Annotated[
        tuple[ClaimRequirement, ...],
        Field(
            default_factory=tuple, min_length=1, max_length=16, json_schema_extra=list_map("name")
        ),
    ]
    """Claims that the token must have, all of them; only with type: JWT."""
    when: Annotated[str, Field(min_length=1, max_length=1024)] | None = None
    """CEL condition on principal (the name of the client), scopes (a list) and claims (a map, as in
    the token), such as claims.department == 'sales' && 'orders:write' in scopes. Where it cannot be
    decided, as a claim is missing, it does not hold. Macros are exists, all and filter, none within
    another."""


class Authentication(ApiModel):
    """Whom the gateway serves, and what."""

    model_config = validated(
        rule(
            "(self.type == 'APIKey') == has(self.apiKey)",
            "apiKey is required with type: APIKey, and not allowed with other types",
            field_path=".apiKey",
        ),
        rule(
            "(self.type == 'JWT') == has(self.jwt)",
            "jwt is required with type: JWT, and not allowed with other types",
            field_path=".jwt",
        ),
        rule(
            "!has(self.rules) || self.type != 'None'",
            "rules need authenticated clients; set type: APIKey or type: JWT",
            field_path=".rules",
        ),
        rule(
            "!has(self.rules) || self.type != 'APIKey' "
            "|| self.rules.all(one, !has(one.anyScope) && !has(one.claims))",
            "an API key has neither scopes nor claims; use principals, or type: JWT",
            field_path=".rules",
        ),
    )

    type: Literal["None", "APIKey", "JWT"] = "None"
    """None serves every client that can connect.
    APIKey serves clients that send a key of a Secret, JWT those that send an access token of an
    OAuth 2 identity provider."""
    api_key: ApiKeyAuth | None = None
    """Where the API keys are, for type APIKey."""
    jwt: JwtAuth | None = None
    """Which tokens are accepted, for type JWT."""
    rules: tuple[AccessRule, ...] = Field(
        default_factory=tuple, min_length=1, max_length=64, json_schema_extra=list_map("name")
    )
    """What each client can list and use: everything that at least one rule allows. Without rules,
    every client can use everything."""
