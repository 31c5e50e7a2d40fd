"""The root key of a gateway in a cluster, read from the Secret that the operator creates for it.

The gateway's own Role allows it to read that Secret by name. A known key stays in use while none
can be read, so neither an outage of the API server nor an accidentally deleted Secret ends
sessions. A Secret that a backup restored without its owner is accepted too.
"""

from __future__ import annotations

import asyncio
import logging
from typing import Final

from mcp_operator.api.keys import KEYS_TYPE, ROOT_KEY, ROOT_KEY_BYTES
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object, is_controlled_by
from mcp_operator.gateway.root_key import RootKey
from mcp_operator.gateway.source import SECRETS, ObjectReader
from mcp_operator.gateway.table import Current
from mcp_operator.gateway.upstream.secret_values import decode_secret

log = logging.getLogger(__name__)

FRESH_SECONDS: Final = 60.0
"""How long a key is used before the Secret is read again."""

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
"""Delays between attempts to read a key; the last one repeats. The last one is also the minimum
time between two reads, however many sessions of another key clients present."""

SETTLE_TRIES: Final = 4
"""Failed attempts after which the key counts as missing, not merely late."""


class UnusableKeyError(OperatorError):
    """The Secret does not hold a key for this server."""


class KeySource:
    """Keeps a `RootKey` in sync with the Secret."""

    def __init__(
        self, reader: ObjectReader, root: RootKey, current: Current, *, secret: Key
    ) -> None:
        """Follow a Secret.

        Args:
            reader: Reads the Secret.
            root: Receives the key.
            current: Holds the catalog, which names the server that must own the Secret.
            secret: The Secret.
        """
        self._reader = reader
        self._root = root
        self._current = current
        self._secret = secret

    async def run(self) -> None:
        """Follow the Secret until cancelled."""
        await self._first_catalog()
        failed = 0
        while True:
            failed = 0 if await self._read(failed) else failed + 1
            await self._pause(failed)

    async def _first_catalog(self) -> None:
        loaded = asyncio.Event()
        unsubscribe = self._current.subscribe(lambda _: loaded.set())
        try:
            if self._current.table is None:
                await loaded.wait()
        finally:
            unsubscribe()

    async def _read(self, failed: int) -> bool:
        """Read the Secret; return whether a key was found."""
        try:
            self._root.replace(await self._fetch())
        except OperatorError as error:
            if self._root.known and getattr(error, "is_retryable", False):
                return False
            if failed + 1 >= SETTLE_TRIES:
                if self._root.problem != str(error):
                    log.warning("The key for sessions cannot be read", extra={"error": str(error)})
                self._root.problem, self._root.settled = str(error), True
            return False
        return True

    async def _fetch(self) -> bytes:
        """Return the key.

        Raises:
            OperatorError: The Secret cannot be read, or has no usable key.
        """
        secret = await self._reader.get(SECRETS, self._secret)
        if not (_is_restored(secret) or is_controlled_by(secret, self._server())):
            raise UnusableKeyError(
                f"Secret {self._secret} is not owned by this MCPServer: delete or rename it"
            )
        root = decode_secret(secret).get(ROOT_KEY, b"")
        if len(root) < ROOT_KEY_BYTES:
            raise UnusableKeyError(
                f"Secret {self._secret} has no {ROOT_KEY!r} of {ROOT_KEY_BYTES} bytes: delete it"
            )
        return root

    def _server(self) -> Object:
        return {"metadata": {"uid": self._current.server.uid}}

    async def _pause(self, failed: int) -> None:
        """Wait until it is time to read the Secret again."""
        if failed:
            await asyncio.sleep(RETRY_SECONDS[min(failed, len(RETRY_SECONDS)) - 1])
            return
        await asyncio.sleep(RETRY_SECONDS[-1])
        try:
            async with asyncio.timeout(FRESH_SECONDS - RETRY_SECONDS[-1]):
                await self._root.suspected.wait()
        except TimeoutError:
            return
        finally:
            self._root.suspected.clear()


def _is_restored(secret: Object) -> bool:
    """Return whether this is one of our Secrets without an owner, which a restore leaves behind."""
    return secret.get("type") == KEYS_TYPE and not secret["metadata"].get("ownerReferences")
