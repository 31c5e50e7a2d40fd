"""The root key of a gateway in a cluster, read from the Secret that the operator makes for it.

It is read by name with the gateway's own Role. A key that is known stays in force while none can be
read: neither an outage of the API server nor a Secret deleted by mistake ends a session. A Secret
that has lost its owner, by a restore from a backup, still holds the key.
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
"""How long a key is used before its Secret is read again."""

RETRY_SECONDS: Final = (0.5, 1.0, 2.0, 5.0)
"""Waits before a key that could not be read is tried again; the last one repeats. A key is also
read no more often than this last one says, however many sessions of another key are presented."""

SETTLE_TRIES: Final = 4
"""After so many tries there is no key: it is not merely a moment late."""


class UnusableKeyError(OperatorError):
    """The Secret does not hold a key for this server."""


class KeySource:
    """Keeps a `RootKey` at what the Secret holds."""

    def __init__(
        self, reader: ObjectReader, root: RootKey, current: Current, *, secret: Key
    ) -> None:
        """Follow a Secret.

        Args:
            reader: Reads the Secret.
            root: Where the key is put in force.
            current: Holds the catalog, which says whose Secret it must be.
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
        """Read the Secret; return whether that settled what the key is."""
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
            OperatorError: It cannot be read, or is none.
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
        """Wait until the Secret is to be read again."""
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
    """Return whether a Secret is one of ours without an owner, as a restore leaves it."""
    return secret.get("type") == KEYS_TYPE and not secret["metadata"].get("ownerReferences")
