"""The server-wide settings of a catalog: authentication, limits and Redis."""

from __future__ import annotations

from typing import Final, Literal

from mcp_operator.api.access import AccessRule
from mcp_operator.api.caching import ServerCache
from mcp_operator.api.catalog_model import CatalogModel, Strict
from mcp_operator.api.catalog_request import Backend, JsonObject, SecretKey
from mcp_operator.api.limits import RateLimits

DEFAULT_PATH: Final = "/mcp"
"""The path at which every server serves MCP."""

METADATA_PATH: Final = "/.well-known/oauth-protected-resource"
"""Where clients find a server's identity provider, followed by its own path (RFC 9728 §3.1)."""


class ApiKeys(Strict):
    """Clients that send an API key: each value in the Secret is a key, under the client's name.

    Instead of one Secret `name`, there can be several `names`. Clients are then named SECRET/KEY.
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
    """Clients that send an access token, and the RFC 9728 metadata that they get.

    The public keys are `keys`, a JWK set, or are read from `endpoint`. Without either, the gateway
    cannot verify any token.
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
    """Which clients a gateway serves, and what each can use.

    Set one of the two ways to authenticate clients. With neither, or with an unknown part, the
    gateway serves nobody. Without `rules`, each client can use everything.
    """

    api_keys: ApiKeys | None = None
    jwt: Jwt | None = None
    rules: tuple[AccessRule, ...] = ()


class Redis(Strict):
    """The Redis that the gateways of a server share; with `master_name`, its Sentinels.

    `keys` is the prefix of all keys. It contains a hash tag, so that all keys of a server are in
    one slot of a Redis Cluster. While Redis is unavailable, each gateway allows its share of the
    limits if `failure_mode` is `Open`, and refuses calls with a limit if it is `Closed`.
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
    """The server-wide settings that a gateway applies without a restart. Durations in seconds.

    `paths` are those of the URLs at which MCP is served, without a trailing slash. Without `auth`,
    the gateway serves everybody. `own_hosts` are the names that the server always has; a leading
    `*.` includes all subdomains. If `allowed_hosts` is set, the gateway refuses requests for names
    other than these and its own.
    `several_pods` says that requests of one client can reach different pods.
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
        """Return the timeout of calls to a backend; for None, that of any other request."""
        own = backend.timeout_seconds if backend is not None else None
        return self.request_timeout_seconds if own is None else own
