"""What a catalog says of its server: whom it serves, within which limits, and with which Redis."""

from __future__ import annotations

from typing import Final, Literal

from mcp_operator.api.access import AccessRule
from mcp_operator.api.caching import ServerCache
from mcp_operator.api.catalog_model import CatalogModel, Strict
from mcp_operator.api.catalog_request import Backend, JsonObject, SecretKey
from mcp_operator.api.limits import RateLimits

DEFAULT_PATH: Final = "/mcp"
"""Where every server answers."""

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
"""Where clients look for a server's identity provider; its own path follows (RFC 9728 §3.1)."""


class ApiKeys(Strict):
    """Clients that send an API key: each value of the Secret is one, its key the client's name.

    In place of the Secret `name` there may be several `names`: clients are named SECRET/KEY then.
    """

    header: str = "authorization"
    namespace: str
    name: str = ""
    names: tuple[str, ...] = ()

    @property
    def secrets(self) -> tuple[str, ...]:
        """The names of all Secrets."""
        return self.names or (self.name,)


class Jwt(Strict):
    """Clients that send an access token, and what RFC 9728 metadata tells them.

    The public keys are `keys`, a JWK set, or are read from `endpoint`. Where there is neither, no
    token can be verified.
    """

    issuer: str
    audiences: tuple[str, ...]
    endpoint: Backend | None = None
    keys: JsonObject | None = None
    user_claim: str = "sub"
    required_scopes: tuple[str, ...] = ()
    scopes_supported: tuple[str, ...] = ()
    authorization_servers: tuple[str, ...] = ()
    resource: str = ""


class Auth(Strict):
    """Whom a gateway serves, and what.

    One of the two ways to authenticate clients; with neither, or with an unknown part, nobody is
    served. Without `rules`, each client is served everything.
    """

    api_keys: ApiKeys | None = None
    jwt: Jwt | None = None
    rules: tuple[AccessRule, ...] = ()


class Redis(Strict):
    """The Redis that the gateways of a server share; with `master_name`, Sentinels that know it.

    `keys` is what the names of all keys begin with, a hash tag included: all keys of a server are
    in one slot of a Cluster. `failure_mode` says what limited calls meet while Redis is
    unavailable.
    """

    host: str
    port: int
    keys: str
    db: int = 0
    username: SecretKey | None = None
    password: SecretKey | None = None
    tls: bool = False
    ca: SecretKey | None = None
    server_name: str = ""
    insecure_skip_verify: bool = False
    master_name: str = ""
    sentinel_username: SecretKey | None = None
    sentinel_password: SecretKey | None = None
    failure_mode: Literal["Open", "Closed"] = "Open"


class ServerSettings(CatalogModel):
    """The server-wide settings that a gateway follows without a restart. Durations in seconds.

    `paths` are those of the URL that MCP is served at, without a trailing slash. Without `auth`,
    everybody is served. `own_hosts` are the names that the server has by itself, a leading `*.` for
    all below; where there are `allowed_hosts`, no other name than these and its own is served.
    `several_pods` says that requests of one client may reach different pods.
    """

    namespace: str
    name: str
    uid: str = ""
    title: str = ""
    version: str = ""
    website_url: str = ""
    icons: tuple[JsonObject, ...] = ()
    instructions: str = ""
    page_size: int = 1000
    request_timeout_seconds: float = 30.0
    max_concurrent_requests: int = 100
    max_concurrent_requests_per_client: int | None = None
    max_request_bytes: int = 4 * 1024 * 1024
    max_response_bytes: int = 10 * 1024 * 1024
    drain_timeout_seconds: float = 30.0
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    paths: tuple[str, ...] = (DEFAULT_PATH,)
    auth: Auth | None = None
    rate_limits: RateLimits | None = None
    redis: Redis | None = None
    cache: ServerCache | None = None
    audit: Literal["Off", "Failures", "All"] = "Off"
    own_hosts: tuple[str, ...] = ()
    allowed_hosts: tuple[str, ...] = ()
    allowed_origins: tuple[str, ...] = ()
    several_pods: bool = False
    session_ttl_seconds: float = 24 * 3600.0

    def seconds_of(self, backend: Backend | None) -> float:
        """Return how long a call of a backend may take; of none, how long any other request may."""
        own = backend.timeout_seconds if backend is not None else None
        return self.request_timeout_seconds if own is None else own
