"""Legacy session ids that prove their own validity.

A session is what `initialize` negotiated: a version, and what the client can be asked for. The id
contains both and a signature. So every replica accepts it, even after a restart, and nothing is
stored per session. A session is not authentication: every client that can call `initialize` can get
one, and each of its requests is authenticated. The id works only for the client that it was issued
to. When the signing key is replaced, sessions end: their clients get 404 and initialize again.

A session expires a fixed time after it was issued, not after a time without requests. Replicas do
not share when it was last used, and clients accept a new id only in the response to `initialize`.
"""

from __future__ import annotations

import base64
import hmac
import re
import secrets
import struct
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final

from mcp_operator.core.clock import Clock
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.policy.principal import ANONYMOUS, Principal
from mcp_operator.gateway.protocol import spec
from mcp_operator.gateway.protocol.capabilities import EVERYTHING, NOTHING, Capability
from mcp_operator.gateway.root_key import RootKey

MAX_ENDED: Final = 100_000
"""Deleted sessions that are remembered. Beyond that, the oldest is valid again until it expires."""

_LAYOUT: Final = struct.Struct(">II16s")
"""Capabilities of the client (8 bits) and version (251125), time of issue in Unix seconds, and 128
random bits."""

_CENTURY: Final = 20_000_000
_CAPABILITIES: Final = 24
"""The bit position of the capabilities."""

_SIGNATURE_BYTES: Final = 18
"""Together with the 24 bytes of the layout a multiple of three, so that base64 needs no padding and
each id has only one spelling."""

_ID: Final = re.compile(f"[A-Za-z0-9_-]{{{(_LAYOUT.size + _SIGNATURE_BYTES) * 4 // 3}}}")
"""Python's decoder also accepts `+` and `/`, which would give a deleted id another spelling."""

_PURPOSE: Final = b"mcp-operator legacy session 3"


def _number(version: str) -> int:
    return int(version.replace("-", "")) - _CENTURY


_VERSIONS: Final = {_number(version): version for version in spec.LEGACY_VERSIONS}


def public_part(session_id: str) -> str:
    """Return the unique part of a session id, without the signature that gives access to it."""
    return session_id[: _LAYOUT.size * 4 // 3]


class NoKeyError(OperatorError):
    """There is no key to sign sessions with."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a client: its id, and what was negotiated."""

    id: str
    version: str
    capabilities: Capability = NOTHING


class Sessions:
    """Issues and verifies session ids."""

    def __init__(self, clock: Clock, root: RootKey) -> None:
        self._clock = clock
        self._root = root
        self._ended: OrderedDict[str, None] = OrderedDict()

    def create(
        self,
        version: str,
        principal: Principal = ANONYMOUS,
        capabilities: Capability = NOTHING,
    ) -> Session:
        """Issue a session.

        Args:
            version: One of `spec.LEGACY_VERSIONS`.
            principal: The client; only this client can use the session.
            capabilities: What the client can be asked for.

        Raises:
            NoKeyError: There is no key to sign it with.
        """
        issued = int(self._clock.now().timestamp())
        agreed = capabilities.value << _CAPABILITIES | _number(version)
        claims = _LAYOUT.pack(agreed, issued, secrets.token_bytes(16))
        token = base64.urlsafe_b64encode(claims + self._sign(claims, principal))
        return Session(token.decode("ascii"), version, capabilities)

    def find(self, session_id: str, ttl: float, principal: Principal = ANONYMOUS) -> Session | None:
        """Return the session of an id; None if it is forged, of another client, expired or deleted.

        Args:
            session_id: The id that a client sent.
            ttl: How long a session lasts, in seconds.
            principal: The client.

        Raises:
            NoKeyError: There is no key to verify it with.
        """
        if not _ID.fullmatch(session_id) or session_id in self._ended:
            return None
        raw = base64.urlsafe_b64decode(session_id)
        claims, signature = raw[: _LAYOUT.size], raw[_LAYOUT.size :]
        agreed, issued, _ = _LAYOUT.unpack(claims)
        if not hmac.compare_digest(signature, self._sign(claims, principal)):
            self._root.suspected.set()
            return None
        version = _VERSIONS.get(agreed & (1 << _CAPABILITIES) - 1)
        if version is None or issued + ttl <= self._clock.now().timestamp():
            return None
        return Session(session_id, version, Capability(agreed >> _CAPABILITIES & EVERYTHING.value))

    def end(self, session: Session) -> None:
        """Refuse a session in this process from now on; its signature stays valid."""
        self._ended[session.id] = None
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def _sign(self, claims: bytes, principal: Principal) -> bytes:
        key = self._root.derive(_PURPOSE)
        if key is None:
            raise NoKeyError(self._root.problem)
        whose = f"{principal.issuer}\n{principal.name}".encode() if principal.name else b""
        return hmac.digest(key, claims + whose, "sha256")[:_SIGNATURE_BYTES]
