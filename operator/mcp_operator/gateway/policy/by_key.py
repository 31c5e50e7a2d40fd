"""Authenticates clients by API keys in one or more Secrets."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from mcp_operator.api import catalog
from mcp_operator.api.catalog import SecretKey
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.gateway.policy.apikeys import ApiKeys
from mcp_operator.gateway.policy.attempts import Attempts
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.sources import KeySecrets, bearer

log = logging.getLogger(__name__)

KEYS_SECONDS: Final = 30.0
"""How long API keys are used before their Secrets are read again."""

RETRY_SECONDS: Final = 5.0
"""How soon the Secrets are read again if one of several could not be read."""


LOOKUPS_PER_SECOND: Final = 100
"""Unknown keys that are looked up in the Secrets per second; one address can use half of them.
Beyond that, a refusal costs only a hash and a dictionary lookup."""


class ByKey:
    """Accepts clients that send an API key of one of the Secrets."""

    def __init__(self, settings: catalog.ApiKeys, secrets: KeySecrets) -> None:
        self._header = settings.header
        self._sources = [
            _Source(Key(settings.namespace, name), f"{name}/" if settings.names else "")
            for name in settings.secrets
        ]
        self._secrets = secrets
        self._values: Mapping[str, bytes] = {}
        self._problems: dict[_Source, str] = {}
        self._keys = ApiKeys({})
        self._fresh_until = 0.0
        self._lookups = Attempts(LOOKUPS_PER_SECOND, "Too many unknown API keys; try again")

    async def principal(self, headers: Mapping[str, str], address: str) -> Principal:
        """Return the client that the sent API key belongs to.

        Raises:
            Refusal: The key is missing or unknown, the Secrets cannot be read, or too many unknown
                keys were sent.
        """
        presented = self._presented(headers)
        unread = False
        if asyncio.get_running_loop().time() >= self._fresh_until:
            unread = await self._read()
        found = self._keys.find(presented)
        if found is None:  # the key could have been added since the Secrets were read
            self._lookups.spend(address)
            unread = await self._read()
            found = self._keys.find(presented)
        if found is None and unread:
            raise Refusal(
                "unavailable", "API keys cannot be verified now. The server's log says why"
            )
        if found is None:
            raise Refusal("invalid", "The API key is not valid")
        return found

    def _presented(self, headers: Mapping[str, str]) -> str:
        if self._header == "authorization":
            return bearer(headers)
        value = headers.get(self._header, "").strip()
        if not value:
            raise Refusal("missing", f"Send an API key in the header {self._header}")
        return value

    async def _read(self) -> bool:
        """Read the Secrets; return whether one could not be read, which locks its clients out."""
        read = await asyncio.gather(*(self._read_one(source) for source in self._sources))
        values = {name: value for found in read if found for name, value in found.items()}
        unread = any(found is None for found in read)
        seconds = (RETRY_SECONDS if values else 0.0) if unread else KEYS_SECONDS
        self._fresh_until = asyncio.get_running_loop().time() + seconds
        if values != self._values:
            self._values, self._keys = values, ApiKeys(values)
        return unread

    async def _read_one(self, source: _Source) -> dict[str, bytes] | None:
        """Return the keys of a Secret by client name, or None if it cannot be read."""
        namespace, name = source.secret
        self._secrets.distrust(SecretKey(namespace=namespace, name=name, key=""))
        try:
            values = await self._secrets.values(source.secret)
        except OperatorError as error:
            if self._problems.get(source) != str(error):  # told once, as requests keep coming
                self._problems[source] = str(error)
                log.warning("API keys cannot be read", extra={"error": str(error)})
            return None
        self._problems.pop(source, None)
        return {f"{source.prefix}{client}": value for client, value in values.items()}

    async def close(self) -> None:
        """Do nothing."""


@dataclass(frozen=True, slots=True)
class _Source:
    """A Secret, and the prefix of its clients' names."""

    secret: Key
    prefix: str
