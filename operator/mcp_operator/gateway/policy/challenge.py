"""Tells clients how to authenticate: `WWW-Authenticate`, and the metadata of RFC 9728."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final
from urllib.parse import urlsplit

from mcp_operator.api.catalog import METADATA_PATH, Auth, JsonObject, Jwt, ServerSettings
from mcp_operator.gateway.policy.refusal import Refusal

_RETRY_AFTER: Final = {"busy": "1", "unavailable": "5"}
"""Seconds after which the same request can succeed."""

_HOST: Final = re.compile(r"[A-Za-z0-9.-]+(:[0-9]{1,5})?|\[[0-9a-fA-F:.]+\](:[0-9]{1,5})?")


def metadata_path(path: str, paths: tuple[str, ...]) -> str | None:
    """Return the server path that a metadata path describes, or None if there is none.

    The well-known path without a suffix describes the first of `paths`.
    """
    rest = path.removeprefix(METADATA_PATH)
    if rest == path:
        return None
    wanted = rest.rstrip("/") or (paths[0] if "/" not in paths else "/")
    return wanted if wanted in paths else None


def base_url(scheme: str, host: str) -> str:
    """Return the URL that a client used, without its path; empty if its `Host` is not valid."""
    url = f"{scheme}://{host}" if _HOST.fullmatch(host) else ""
    try:
        urlsplit(url)
    except ValueError:  # the brackets do not contain an IPv6 address
        return ""
    return url


def metadata(settings: ServerSettings, jwt: Jwt, path: str, base: str) -> JsonObject:
    """Return the metadata of RFC 9728 section 2 for one path of the server.

    Args:
        settings: The server's settings.
        jwt: The tokens that the server accepts.
        path: The path that the client uses.
        base: The result of `base_url` for the request.
    """
    document: JsonObject = {
        "resource": resource_url(jwt, path, base),
        "authorization_servers": list(jwt.authorization_servers),
        "bearer_methods_supported": ["header"],
        "resource_name": settings.title or settings.name,
    }
    if jwt.scopes_supported:
        document["scopes_supported"] = list(jwt.scopes_supported)
    return document


def resource_url(jwt: Jwt, path: str, base: str) -> str:
    """Return the URL of the server: the configured one, or the one that the client used."""
    return jwt.resource or base + path


def challenge_headers(auth: Auth, refusal: Refusal, path: str, base: str) -> Mapping[str, str]:
    """Return the headers of a refusal (RFC 6750 section 3, RFC 9728 section 5.1)."""
    if refusal.why in _RETRY_AFTER:
        return {"retry-after": _RETRY_AFTER[refusal.why]}
    if auth.jwt is not None:
        return {"www-authenticate": _bearer(auth.jwt, refusal, path, base)}
    header = auth.api_keys.header if auth.api_keys else ""
    scheme = "Bearer" if header == "authorization" else f'ApiKey header="{header}"'
    return {"www-authenticate": scheme}


def _bearer(jwt: Jwt, refusal: Refusal, path: str, base: str) -> str:
    parameters: dict[str, str] = {}
    if refusal.why != "missing":
        code = "insufficient_scope" if refusal.why == "forbidden" else "invalid_token"
        parameters |= {"error": code, "error_description": str(refusal)}
    parts = urlsplit(resource_url(jwt, path, base))
    if parts.netloc:
        url = f"{parts.scheme}://{parts.netloc}{METADATA_PATH}{parts.path.rstrip('/')}"
        parameters["resource_metadata"] = url
    scopes = (*jwt.required_scopes, *refusal.scopes) or jwt.scopes_supported
    if scopes:
        parameters["scope"] = " ".join(dict.fromkeys(scopes))
    return "Bearer " + ", ".join(f'{name}="{value}"' for name, value in parameters.items())
