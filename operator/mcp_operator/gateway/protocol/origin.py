"""Which browsers may speak to this endpoint, and under which name (DNS rebinding).

A page in a browser can reach whatever its user can reach, so a request that carries `Origin` must
come from an origin that was allowed. Programs send no `Origin` and pass.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final
from urllib.parse import urlsplit

from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.protocol.message import HttpRequest

_LOCAL_NAMES: Final = frozenset({"localhost", "127.0.0.1", "::1"})

_PREFLIGHT_SECONDS: Final = "600"

_HOST: Final = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:/?#@\s]+)(:\d*)?")
"""RFC 9110 section 7.2, as loosely as names are written."""


class OriginPolicy:
    """Decides by `Host` and `Origin`."""

    def __init__(
        self,
        *,
        allowed_origins: Iterable[str] = (),
        allowed_hosts: Iterable[str] = (),
        loopback: bool = False,
    ) -> None:
        """Set up the policy.

        Args:
            allowed_origins: Such as `https://chat.example.com`; `*` allows every one.
            allowed_hosts: Names, without a port, that `Host` may carry. Empty: any, unless
                `loopback`.
            loopback: The socket listens on loopback only, so `Host` must be a local name or an
                allowed one: a rebound DNS name is neither. Pages of local origins may use it.
        """
        self._origins = frozenset(origin.lower().rstrip("/") for origin in allowed_origins)
        names = frozenset(name.lower() for name in allowed_hosts)
        self._hosts = names | _LOCAL_NAMES if loopback else names
        self._loopback = loopback

    def check(self, http: HttpRequest) -> None:
        """Refuse a request with a foreign `Host` or `Origin`.

        Raises:
            RpcError: HTTP status 403.
        """
        host = http.headers.get("host", "")
        known_host = _named_by(host) in self._hosts
        if self._hosts and not known_host:
            raise _refuse(f"This server is not served under the host {host!r}")
        origin = http.headers.get("origin")
        if origin is None or self._allows(origin):
            return
        # Same-origin is proof only under a name that was verified: a rebound name is same-origin.
        if not (known_host and origin.lower().partition("://")[2] == host.lower()):
            raise _refuse(f"The origin {origin!r} is not allowed to use this server")

    def _allows(self, origin: str) -> bool:
        if "*" in self._origins or origin.lower() in self._origins:
            return True
        return self._loopback and _hostname(origin) in _LOCAL_NAMES  # tools such as an inspector

    def response_headers(self, http: HttpRequest) -> Mapping[str, str]:
        """Return the CORS headers of an answer: empty unless an allowed origin asks."""
        origin = http.headers.get("origin")
        if origin is None or not self._allows(origin):
            return {}
        return {
            "access-control-allow-origin": origin,
            "access-control-expose-headers": f"{spec.SESSION_HEADER}, www-authenticate",
            "vary": "origin",
        }

    def preflight_headers(self, http: HttpRequest) -> Mapping[str, str]:
        """Return the answer to a browser's preflight for an allowed origin."""
        asked = http.headers.get("access-control-request-headers", "")
        return {
            **self.response_headers(http),
            "access-control-allow-methods": "POST, GET, DELETE",
            "access-control-allow-headers": asked,
            "access-control-max-age": _PREFLIGHT_SECONDS,
        }


def _named_by(host: str) -> str:
    """Return the name in a `Host` header, without the port; empty where it is malformed."""
    return _hostname(f"//{host}") if _HOST.fullmatch(host) else ""


def _hostname(url: str) -> str:
    try:
        return urlsplit(url).hostname or ""
    except ValueError:
        return ""


def _refuse(message: str) -> RpcError:
    return RpcError(spec.REFUSED, message, status=403)
