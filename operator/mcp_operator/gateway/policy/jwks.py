"""The keys of an identity provider, fetched from its JWKS URI when a token needs them.

A key that is not known is looked for anew, but not at each token that a stranger makes up. While
the provider cannot be reached, the last keys stay in use.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcp_operator.api.jwks import KeySetError, public_keys
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.background import TaskSet
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.tokens import Header, KeySet, VerificationKey

log = logging.getLogger(__name__)

REFRESH_SECONDS: Final = 300.0
"""How long keys are used before they are read again: so long a withdrawn key stays good."""

COOLDOWN_SECONDS: Final = 15.0
"""How long after one fetch the next may be, whatever keys tokens name."""

RETRY_SECONDS: Final = 2.0
"""The same while there are no keys at all."""

Fetch = Callable[[], Awaitable[bytes]]
"""Reads the JWK set; raises an OperatorError where it cannot."""


class RemoteKeys:
    """The keys behind one URL.

    Attributes:
        keys: Those in use; None before the first fetch.
    """

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
        """End what is being fetched, for those who wait for it, too."""
        await self._tasks.close()
        if self._reading is not None and len(self._tasks) == 0:  # it was ended before it began
            self._reading.set_result(None)
            self._reading = None

    def refresh(self) -> None:
        """Read the keys again in the background, if it is time to."""
        if self.keys is not None and _now() - self._read_at >= REFRESH_SECONDS:
            self._start()

    async def find(self, header: Header) -> VerificationKey | None:
        """Return the key that a token names, None where the provider has no such key.

        Raises:
            Refusal: There are no keys, and none can be had now.
        """
        self.refresh()
        key = self.keys.find(header) if self.keys is not None else None
        if key is None and (reading := self._start()) is not None:
            await asyncio.shield(reading)
            key = self.keys.find(header) if self.keys is not None else None
        if self.keys is None:
            problem = "Tokens cannot be verified now; this server's log says why"
            raise Refusal("unavailable", problem)
        return key

    def _start(self) -> asyncio.Future[None] | None:
        """Return the fetch that runs, a new one if one may begin; None where it is too soon."""
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
        except (OperatorError, KeySetError) as error:
            self._failed(error)
        else:
            if found != self._jwks:  # equal keys stay the same object: what they verified is kept
                self._jwks, self.keys = found, keys
                names = [str(jwk.get("kid", "")) for jwk in found]
                log.info("The identity provider has these keys", extra={"kids": names})
            self._read_at, self._failing = _now(), False
        finally:
            self._reading, self._tried_at = None, _now()
            done.set_result(None)

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
    """Keys that came with the catalog; None where it has none."""

    def __init__(self, jwks: list[dict[str, Any]] | None) -> None:
        self.keys: KeySet | None = None
        try:
            self.keys = KeySet(jwks or ())
        except KeySetError as error:
            log.warning("No token can be verified", extra={"error": f"the JWK set: {error}"})

    async def close(self) -> None:
        """Do nothing: nothing is fetched."""

    def refresh(self) -> None:
        """Do nothing: new keys come with a new catalog."""

    async def find(self, header: Header) -> VerificationKey | None:
        """Return the key that a token names, None where there is no such key.

        Raises:
            Refusal: There are no keys.
        """
        if self.keys is None:
            raise Refusal(
                "unavailable",
                "Tokens cannot be verified: this server has no keys; its conditions say why",
            )
        return self.keys.find(header)


def _now() -> float:
    return asyncio.get_running_loop().time()
