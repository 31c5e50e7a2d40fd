"""Hosts outside of the cluster: which of them an installation allows.

The operator decides, and says so in a condition; the gateway knows a host of the cluster from one
outside by the same functions, because the two are held to different addresses.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterable
from typing import Final
from urllib.parse import urlsplit

SERVICE_HOST: Final = re.compile(r"([a-z0-9-]+)\.([a-z0-9-]+)\.svc(?=\.|$)")
"""The name of a Service, without the cluster's domain."""

_WITHIN: Final = re.compile(r"[^.]*|(.*\.)?(svc|local|localhost|internal)|.*\.svc\..*")
"""Names that mean something within a network only: of one label, of a Service, RFC 6762, RFC 6761
and `.internal`, which ICANN has set aside for private use."""


def is_service_host(host: str) -> bool:
    """Tell whether a host is a Service of the cluster, as catalogs name it."""
    return SERVICE_HOST.fullmatch(host) is not None


def is_outside(host: str) -> bool:
    """Tell whether a host can be one outside of the cluster; an address never is one by name."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _WITHIN.fullmatch(host) is None
    return False


def is_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Tell whether a host matches a pattern: itself, `*.example.com` for all below, `*` for any."""
    return is_outside(host) and any(
        pattern in {host, "*"} or (pattern.startswith("*.") and host.endswith(pattern[1:]))
        for pattern in patterns
    )


def split_url(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of a URL that the API has admitted."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname or "", parts.port or default, parts.path or "/"
