"""API keys: looked up by their keyed hash, so that neither memory nor timing gives one away."""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Mapping
from typing import Final

from mcp_operator.gateway.policy.principal import Principal

log = logging.getLogger(__name__)

MIN_BYTES: Final = 16
"""Shorter keys are not accepted: they can be guessed."""

MAX_BYTES: Final = 4096
"""Longer ones are not looked at."""

_HASH_KEY: Final = secrets.token_bytes(32)
"""Of this process: a client cannot choose a key by its hash. BLAKE2 takes it as it is (RFC 7693),
in a third of the time of an HMAC."""


class ApiKeys:
    """The clients of one Secret."""

    def __init__(self, values: Mapping[str, bytes]) -> None:
        """Hash the keys.

        Args:
            values: The API key of each client, by the client's name. A final line break, which
                `kubectl create secret --from-file` leaves, is not part of it.
        """
        self._principals: dict[bytes, Principal] = {}
        for name, value in sorted(values.items()):
            key = value.rstrip(b"\r\n")
            if MIN_BYTES <= len(key) <= MAX_BYTES:
                # Of two clients with one key, the first by name has it.
                self._principals.setdefault(_hash(key), Principal(name))
            else:
                log.warning(
                    "An API key is not accepted: it must have %d to %d bytes",
                    MIN_BYTES,
                    MAX_BYTES,
                    extra={"client": name},
                )

    def find(self, presented: str) -> Principal | None:
        """Return whose key this is, or None where it is nobody's."""
        if len(presented) > MAX_BYTES:
            return None
        return self._principals.get(_hash(presented.encode("utf-8", "surrogateescape")))


def _hash(key: bytes) -> bytes:
    return hashlib.blake2b(key, key=_HASH_KEY, digest_size=32).digest()
