"""The keys of an identity provider, fetched from its JWKS URI when a token needs them.

An unknown key causes another fetch, but not for every token that an attacker makes up. While the
provider cannot be reached, or does not return a JWK set, the last keys stay in use, for at most a
day. A valid set without keys takes effect: then there are no keys.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final, Protocol

from mcp_operator.api.jwks import KeySetError, NoKeysError, public_keys
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.tokens import Header, KeySet, VerificationKey

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 300.0
"""How long keys are used before the next fetch, and so how long a revoked key stays valid."""

COOLDOWN_SECONDS: Final = 15.0
"""Minimum time between two fetches, whatever keys tokens name."""

RETRY_SECONDS: Final = 2.0
"""Minimum time between two fetches while there are no keys at all."""

OUTAGE_SECONDS: Final = 24 * 3600.0
"""How long keys stay in use when they cannot be fetched again. Without this limit, an attacker who
blocks the connection to the provider could keep a stolen key valid forever."""

Fetch = Callable[[], Awaitable[bytes]]
"""Fetches the JWK set; raises an OperatorError if that fails."""


class Keys(Protocol):
    """The keys of one provider.

    Attributes:
        keys: The keys in use, or None. Each change replaces the object.
    """

    keys: KeySet | None

    def refresh(self) -> None:
        """Start to fetch keys that could have changed, without waiting for the result."""

    async def find(self, header: Header) -> VerificationKey | None:
        """Return the key that a token names, or None if the provider does not have it.

        Raises:
            Refusal: There are no keys, and none can be fetched now.
        """

    async def close(self) -> None:
        """Stop background work."""


class RemoteKeys:
    """The keys at one URL."""

    def __init__(self, fetch: Fetch) -> None:
        self.keys: KeySet | None = None
        self._fetch = fetch
        self._jwks: list[dict[str, Any]] = []
        self._read_at = 0.0
        self._tried_at: float | None = None
        self._reading: asyncio.Future[None] | None = None
        self._failing = False
        self._tasks = TaskSet()

    async def close(self) -> None:
        """Cancel a fetch in progress, and release the requests that wait for it."""
        await self._tasks.close()
        if self._reading is not None and len(self._tasks) == 0:  # cancelled before it ran
            self._reading.set_result(None)
            self._reading = None

    def refresh(self) -> None:
        """Fetch old keys again in the background; forget keys that are too old."""
        if self.keys is None:
            return
        age = _now() - self._read_at
        if age >= OUTAGE_SECONDS:
            self._forget()
        elif age >= REFRESH_SECONDS:
            self._start()

    async def find(self, header: Header) -> VerificationKey | None:
        """Return the key that a token names; fetch the keys if it is unknown."""
        self.refresh()
        key = self.keys.find(header) if self.keys is not None else None
        if key is None and (reading := self._start()) is not None:
            await asyncio.shield(reading)
            key = self.keys.find(header) if self.keys is not None else None
        if self.keys is None:
            problem = "Tokens cannot be verified now. The server's log says why"
            raise Refusal("unavailable", problem)
        return key

    def _start(self) -> asyncio.Future[None] | None:
        """Return the fetch in progress, or start one; None if it is too soon for another."""
        if self._reading is None:
            wait = RETRY_SECONDS if self.keys is None else COOLDOWN_SECONDS
            if self._tried_at is not None and _now() - self._tried_at < wait:
                return None
            self._reading = asyncio.get_running_loop().create_future()
            self._tasks.start("read JWKS", self._read(self._reading))
        return self._reading

    async def _read(self, done: asyncio.Future[None]) -> None:
        try:
            found = public_keys(await self._fetch())
            keys = KeySet(found)
        except NoKeysError as error:
            self._forget()
            self._failed(error)
        except (OperatorError, KeySetError) as error:
            self._failed(error)
        else:
            if found != self._jwks:  # equal keys keep their object, and so the verified tokens
                self._jwks, self.keys = found, keys
                names = [str(jwk.get("kid", "")) for jwk in found]
                log.info("Loaded the keys of the identity provider", extra={"kids": names})
            self._read_at, self._failing = _now(), False
        finally:
            self._reading, self._tried_at = None, _now()
            done.set_result(None)

    def _forget(self) -> None:
        """Stop accepting the last keys, and log the next failure again."""
        if self.keys is not None:
            self._jwks, self.keys, self._failing = [], None, False

    def _failed(self, error: Exception) -> None:
        log.log(
            logging.DEBUG if self._failing else logging.WARNING,
            "The keys of the identity provider cannot be read; the last ones stay in use"
            if self.keys is not None
            else "The keys of the identity provider cannot be read; no client is served",
            extra={"error": str(error)},
        )
        self._failing = True


class FixedKeys:
    """Keys from the catalog."""

    def __init__(self, jwks: list[dict[str, Any]] | None) -> None:
        self.keys: KeySet | None = None
        try:
            self.keys = KeySet(jwks or ())
        except KeySetError as error:
            log.warning("No token can be verified", extra={"error": f"the JWK set: {error}"})

    async def close(self) -> None:
        """Do nothing: no fetch is ever in progress."""

    def refresh(self) -> None:
        """Do nothing: new keys come with a new catalog."""

    async def find(self, header: Header) -> VerificationKey | None:
        """Return the key that a token names."""
        if self.keys is None:
            raise Refusal(
                "unavailable",
                "Tokens cannot be verified: this server has no keys. The conditions of the "
                "MCPServer say why",
            )
        return self.keys.find(header)


def _now() -> float:
    return asyncio.get_running_loop().time()
