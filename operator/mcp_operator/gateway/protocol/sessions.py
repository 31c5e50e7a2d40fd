"""Legacy session ids that carry their own proof.

A session is what `initialize` agreed on: a version, and what the client can be asked for. The id
holds both, signed, so that any replica and a restarted pod accept it, and nothing is stored per
session. A session is not
authentication: whoever may call `initialize` may have one, and each of its requests is
authenticated. It is bound to whom it was given to. Sessions end together with the key that signed
them: then clients are told 404, and initialize again.

A session ends some time after it was issued, and not for being idle: replicas share nothing that
could say when it was used last, and clients take a new id from the answer to `initialize` alone.
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
"""Sessions remembered as deleted; beyond that the oldest is forgotten and lives to its expiry."""

_LAYOUT: Final = struct.Struct(">II16s")
"""Capabilities of the client (8 bits) and version (251125), time of issue in Unix seconds, 128
random bits."""

_CENTURY: Final = 20_000_000
_CAPABILITIES: Final = 24
"""Where they begin, in bits."""

_SIGNATURE_BYTES: Final = 18
"""With the 24 of the layout a multiple of three: base64 without padding, one spelling per id."""

_ID: Final = re.compile(f"[A-Za-z0-9_-]{{{(_LAYOUT.size + _SIGNATURE_BYTES) * 4 // 3}}}")
"""Python's decoder also takes `+` and `/`: an id that was deleted could be spelt with those."""

_PURPOSE: Final = b"mcp-operator legacy session 3"


def _number(version: str) -> int:
    return int(version.replace("-", "")) - _CENTURY


_VERSIONS: Final = {_number(version): version for version in spec.LEGACY_VERSIONS}


def public_part(session_id: str) -> str:
    """Return what tells a session from others, without the signature that gives access to it."""
    return session_id[: _LAYOUT.size * 4 // 3]


class NoKeyError(OperatorError):
    """There is no key by which sessions are signed."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session that the client has shown: its id, and what was agreed on."""

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
            principal: Whose session it is; nobody else can use it.
            capabilities: What its client can be asked for.

        Raises:
            NoKeyError: It could not be signed.
        """
        issued = int(self._clock.now().timestamp())
        agreed = capabilities.value << _CAPABILITIES | _number(version)
        claims = _LAYOUT.pack(agreed, issued, secrets.token_bytes(16))
        token = base64.urlsafe_b64encode(claims + self._sign(claims, principal))
        return Session(token.decode("ascii"), version, capabilities)

    def find(self, session_id: str, ttl: float, principal: Principal = ANONYMOUS) -> Session | None:
        """Return the session of an id; None where it is forged, another's, expired or deleted.

        Args:
            session_id: What a client has shown.
            ttl: How long a session lasts, in seconds.
            principal: Who has shown it.

        Raises:
            NoKeyError: It could not be verified.
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
        """Refuse a session from now on, in this process; the signature alone cannot tell."""
        self._ended[session.id] = None
        if len(self._ended) > MAX_ENDED:
            self._ended.popitem(last=False)

    def _sign(self, claims: bytes, principal: Principal) -> bytes:
        key = self._root.derive(_PURPOSE)
        if key is None:
            raise NoKeyError(self._root.problem)
        whose = f"{principal.issuer}\n{principal.name}".encode() if principal.name else b""
        return hmac.digest(key, claims + whose, "sha256")[:_SIGNATURE_BYTES]
