"""Access tokens by OAuth 2's client credentials grant, fetched once and cached until they expire.

One call fetches a token while other calls that need it wait. After a failure, there is a pause, so
that calls do not flood a token endpoint that is down.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import quote_plus, urlencode

from mcp_operator.api.catalog import Credentials, OAuth2
from mcp_operator.api.places import FORM_TYPE
from mcp_operator.gateway.upstream.client import Upstream, UpstreamError
from mcp_operator.gateway.upstream.mapping import Request, check_header
from mcp_operator.gateway.upstream.outgoing import basic, read_secret, tls_of
from mcp_operator.gateway.upstream.secret_values import SecretSource

MAX_TOKENS: Final = 1024
"""Tokens that are cached; the least recently used is dropped first."""

MAX_ANSWER: Final = 64 * 1024
"""Bytes of a token endpoint's response; tokens have a few kilobytes."""

LIFETIME: Final = 300.0
"""Seconds that a token is used if the response has no lifetime (RFC 6749 section 5.1)."""

MARGIN: Final = 30.0
SHARE: Final = 0.1
"""A token is renewed this many seconds before it expires, or, if that is less, this share of its
lifetime before, because a request must reach the backend while its token is valid."""

PAUSE: Final = 1.0
"""Seconds after a failure before the endpoint is called again."""

_OK: Final = 200
_ERROR_CODE = re.compile(r"[a-z0-9_.-]{1,40}")
_TOKEN = re.compile(r"[!-~]+")


@dataclass(slots=True)
class _Kept:
    """One token, or why there is none."""

    lock: asyncio.Lock = field(default_factory=asyncio.Lock)
    token: str = field(default="", repr=False)
    until: float = 0.0
    failure: UpstreamError | None = None


class Tokens:
    """The access tokens of one gateway."""

    def __init__(self, upstream: Upstream, secrets: SecretSource) -> None:
        """Set up.

        Args:
            upstream: Calls the token endpoints, with the same rules as for other backends.
            secrets: Provides the clients' credentials.
        """
        self._upstream = upstream
        self._secrets = secrets
        self._kept: OrderedDict[str, _Kept] = OrderedDict()

    async def token(self, credentials: Credentials) -> tuple[str, list[bytes]]:
        """Return a token, and the client's own credentials, for redaction.

        Raises:
            UpstreamError: The token endpoint returned no token.
            SecretUnavailable: The client's credentials could not be read.
        """
        client, used = credentials.oauth2, list[bytes]()
        if client is None or credentials.username is None:
            raise UpstreamError("credentials", "The catalog has no token endpoint.")
        user = await read_secret(credentials.username, self._secrets, used)
        secret = await read_secret(credentials.secret, self._secrets, used)
        kept = self._entry(client, user, secret)
        async with kept.lock:
            if asyncio.get_running_loop().time() >= kept.until:
                await self._fetch(kept, client, user, secret)
        if kept.failure is not None:
            raise UpstreamError(kept.failure.reason, str(kept.failure), kept.failure.address)
        return kept.token, used

    def reject(self, token: str) -> None:
        """Renew a token before its next use, because a backend refused it."""
        for kept in self._kept.values():
            if kept.token == token:
                kept.until = 0.0

    def _entry(self, client: OAuth2, user: str, secret: str) -> _Kept:
        what = [client.canonical_json, user, secret]
        key = hashlib.sha256(json.dumps(what).encode()).hexdigest()
        kept = self._kept.setdefault(key, _Kept())
        self._kept.move_to_end(key)
        if len(self._kept) > MAX_TOKENS:
            self._kept.popitem(last=False)
        return kept

    async def _fetch(self, kept: _Kept, client: OAuth2, user: str, secret: str) -> None:
        now = asyncio.get_running_loop().time
        try:
            tls = await tls_of(client.endpoint, self._secrets)
            request = _request(client, user, secret)
            answer = await self._upstream.send(request, tls, MAX_ANSWER)
            kept.token, lifetime = _read(answer.status, answer.body)
        except UpstreamError as error:
            kept.token, kept.failure, kept.until = "", error, now() + PAUSE
        else:
            kept.failure = None
            kept.until = now() + lifetime - min(MARGIN, lifetime * SHARE)


def _request(client: OAuth2, user: str, secret: str) -> Request:
    form: dict[str, Any] = {"grant_type": "client_credentials", "scope": " ".join(client.scopes)}
    form |= {"audience": client.audience, "resource": client.resource}
    headers = [check_header("Accept", "application/json"), check_header("Content-Type", FORM_TYPE)]
    if client.in_form:
        form |= {"client_id": user, "client_secret": secret}
    else:  # RFC 6749 section 2.3.1: both are form-encoded first
        value = basic(quote_plus(user), quote_plus(secret))
        headers.append(check_header("Authorization", value))
    endpoint = client.endpoint
    return Request(
        method="POST",
        scheme=endpoint.scheme,
        host=endpoint.host,
        port=endpoint.port,
        target=endpoint.path,
        headers=dict(headers),
        body=urlencode({name: value for name, value in form.items() if value}).encode(),
        external=endpoint.external,
    )


def _read(status: int, body: bytes) -> tuple[str, float]:
    """Return the token and its lifetime; an error quotes only the code of RFC 6749 section 5.2."""
    try:
        answer = json.loads(body)
    except (ValueError, RecursionError):
        answer = None
    fields: dict[str, Any] = answer if isinstance(answer, dict) else {}
    token, kind = fields.get("access_token"), fields.get("token_type", "bearer")
    if status != _OK or not isinstance(token, str) or not _TOKEN.fullmatch(token):
        code = fields.get("error")
        named = f" ({code})" if isinstance(code, str) and _ERROR_CODE.fullmatch(code) else ""
        raise UpstreamError(
            "credentials",
            f"The backend's token endpoint returned no token: it answered {status}{named}.",
        )
    if not isinstance(kind, str) or kind.lower() != "bearer":
        raise UpstreamError(
            "credentials",
            "The backend's token endpoint returned a token that is not a bearer token.",
        )
    lifetime = fields.get("expires_in")
    try:
        return token, max(0.0, min(float(lifetime or LIFETIME), 10 * 365 * 86400.0))
    except (TypeError, ValueError, OverflowError):
        return token, LIFETIME
