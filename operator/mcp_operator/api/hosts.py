"""Hosts outside of the cluster: which of them an installation allows.

The operator decides, and reports it in a condition. The gateway uses the same functions to
distinguish hosts inside and outside of the cluster, because it allows different addresses for each.
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
"""Names that have a meaning only within a network: single labels, Services, RFC 6762, RFC 6761 and
`.internal`, which ICANN reserves for private use."""


def is_service_host(host: str) -> bool:
    """Tell whether a host is a Service of the cluster, as catalogs write it."""
    return SERVICE_HOST.fullmatch(host) is not None


def is_outside(host: str) -> bool:
    """Tell whether a host can be outside of the cluster. IP addresses never count."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return _WITHIN.fullmatch(host) is None
    return False


def is_allowed(host: str, patterns: Iterable[str]) -> bool:
    """Tell whether a host matches a pattern: a name, `*.example.com` for subdomains, or `*`."""
    return is_outside(host) and any(
        pattern in {host, "*"} or (pattern.startswith("*.") and host.endswith(pattern[1:]))
        for pattern in patterns
    )


def split_url(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path of a URL that has passed the API's validation."""
    parts = urlsplit(url)
    default = 443 if parts.scheme == "https" else 80
    return parts.scheme, parts.hostname or "", parts.port or default, parts.path or "/"
