"""The random key that all replicas of a gateway share; each purpose uses a key derived from it."""

from __future__ import annotations

import asyncio
import hmac
import secrets
from typing import Final

from mcp_operator.api.keys import ROOT_KEY_BYTES

UNREAD: Final = "the key has not been read yet"


class RootKey:
    """Holds the current root key.

    Attributes:
        problem: Why it could differ from the key of other replicas; empty if it does not.
        settled: Whether it is clear by now whether there is a key.
        suspected: Set when a client presents data that another key made: there can be a newer key.
    """

    def __init__(self, root: bytes = b"") -> None:
        """Take a key, or none for now."""
        self._root = root
        self._derived: dict[bytes, bytes] = {}
        self.problem = "" if root else UNREAD
        self.settled = bool(root)
        self.suspected = asyncio.Event()

    @classmethod
    def of_this_process(cls) -> RootKey:
        """Return a key that no other process has."""
        return cls(secrets.token_bytes(ROOT_KEY_BYTES))

    @property
    def known(self) -> bool:
        """Whether there is a key."""
        return bool(self._root)

    def replace(self, root: bytes) -> None:
        """Replace the key; everything that was made with the previous one becomes invalid."""
        if root != self._root:
            self._root = root
            self._derived = {}
        self.problem, self.settled = "", True

    def derive(self, purpose: bytes) -> bytes | None:
        """Return the 32-byte key for a purpose, or None while there is no root key.

        This is HKDF with SHA-256 (RFC 5869): no salt, `purpose` as info, one block of output.
        """
        if not self._root:
            return None
        key = self._derived.get(purpose)
        if key is None:
            extracted = hmac.digest(bytes(32), self._root, "sha256")
            key = self._derived[purpose] = hmac.digest(extracted, purpose + b"\x01", "sha256")
        return key
