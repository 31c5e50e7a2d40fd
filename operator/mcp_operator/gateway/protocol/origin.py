"""Protects browsers: which origins can use the endpoint, and under which hosts (DNS rebinding).

A web page can reach everything that its user can reach, so a request with `Origin` must come from
an allowed origin. Programs other than browsers send no `Origin` and are accepted.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from mcp_operator.api.catalog import ServerSettings
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.message import HttpRequest

_LOCAL_NAMES: Final = ("localhost", "127.0.0.1", "::1")

_PREFLIGHT_SECONDS: Final = "600"

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(:\d*)?")
"""RFC 9110 section 7.2, but with any name that has no delimiters."""


@dataclass(frozen=True, slots=True)
class _Allowed:
    """The origins and hosts that one version of the settings allows."""

    origins: frozenset[str]
    hosts: frozenset[str]
    domains: tuple[str, ...]
    any_host: bool

    def host(self, name: str) -> bool:
        """Tell whether a name is one of the server's hosts, or below one of its domains."""
        return name in self.hosts or name.endswith(self.domains)


class OriginPolicy:
    """Decides by `Host` and `Origin` whether to serve a request."""

    def __init__(
        self,
        *,
        allowed_origins: Iterable[str] = (),
        allowed_hosts: Iterable[str] = (),
        loopback: bool = False,
        settings: Callable[[], ServerSettings] | None = None,
    ) -> None:
        """Set up the policy.

        Args:
            allowed_origins: Such as `https://chat.example.com`; `*` allows all origins.
            allowed_hosts: Names, without ports, that are allowed in `Host`. Empty allows any,
                unless `loopback`.
            loopback: The socket listens on loopback only, so `Host` must be a local or an allowed
                name, which a rebound DNS name is not. Pages of local origins are allowed too.
            settings: Returns the server's settings, which can allow more and change at any time.
        """
        self._origins = tuple(allowed_origins)
        self._hosts = tuple(allowed_hosts)
        self._loopback = loopback
        self._settings = settings
        self._seen: ServerSettings | None = None
        self._allowed = self._read(None)

    def _read(self, server: ServerSettings | None) -> _Allowed:
        origins, hosts, named = self._origins, self._hosts, self._hosts
        if server is not None:
            origins += server.allowed_origins
            named += server.allowed_hosts
            hosts += (*server.allowed_hosts, *server.own_hosts)
        if self._loopback:
            hosts += _LOCAL_NAMES
        return _Allowed(
            frozenset(origin.lower().rstrip("/") for origin in origins),
            frozenset(host.lower() for host in hosts),
            tuple(host[1:].lower() for host in hosts if host.startswith("*.")),
            any_host=not named and not self._loopback,
        )

    def _now(self) -> _Allowed:
        server = self._settings() if self._settings is not None else None
        if server is not self._seen:
            self._seen, self._allowed = server, self._read(server)
        return self._allowed

    def check(self, http: HttpRequest) -> None:
        """Reject a request whose `Host` or `Origin` is not allowed.

        Raises:
            RpcError: HTTP status 403.
        """
        allowed, host = self._now(), http.headers.get("host", "")
        origin = http.headers.get("origin")
        if origin is None and allowed.any_host:
            return
        known_host = allowed.host(hostname_of(host))
        if not (known_host or allowed.any_host):
            raise _refuse(
                "The Host of the request is not a host of this server. Use another name, or add "
                "this one to spec.protocol.allowedHosts of the MCPServer"
            )
        if origin is None or self._allows(origin):
            return
        # The same origin proves nothing unless the host is known: a rebound name has it too.
        if not (known_host and origin.lower().partition("://")[2] == host.lower()):
            raise _refuse(
                "The Origin of the request is not allowed for this server. Add it to "
                "spec.protocol.allowedOrigins of the MCPServer, or to --allow-origin of serve"
            )

    def _allows(self, origin: str) -> bool:
        allowed = self._now().origins
        if "*" in allowed or origin.lower() in allowed:
            return True
        return self._loopback and _hostname(origin) in _LOCAL_NAMES  # tools such as an inspector

    def response_headers(self, http: HttpRequest) -> Mapping[str, str]:
        """Return the CORS headers of a response; empty unless the origin is allowed."""
        origin = http.headers.get("origin")
        if origin is None or not self._allows(origin):
            return {}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": f"{spec.SESSION_HEADER}, www-authenticate",
            "vary": "origin",
        }

    def preflight_headers(self, http: HttpRequest) -> Mapping[str, str]:
        """Return the headers of the response to a browser's preflight."""
        asked = http.headers.get("access-control-request-headers", "")
        return {
            **self.response_headers(http),
            "access-control-allow-methods": "POST, GET, DELETE",
            "access-control-allow-headers": asked,
            "access-control-max-age": _PREFLIGHT_SECONDS,
        }


@lru_cache(maxsize=64)  # of up to 8 KiB each
def hostname_of(host: str) -> str:
    """Return the name in a `Host` header, without the port; empty if the header is malformed."""
    found = _HOST.fullmatch(host)
    return found[1].strip("[]").lower() if found else ""


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _refuse(message: str) -> RpcError:
    return RpcError(spec.REFUSED, message, status=403)
