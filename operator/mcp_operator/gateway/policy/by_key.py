"""Clients that send an API key of a Secret."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping
from typing import Final

from mcp_operator.api import catalog
from mcp_operator.api.catalog import SecretKey
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key
from mcp_operator.gateway.policy.apikeys import ApiKeys
from mcp_operator.gateway.policy.principal import Principal
from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.policy.sources import KeySecrets, bearer

log = logging.getLogger(__name__)

KEYS_SECONDS: Final = 30.0
"""How long API keys are used before their Secret is asked for again."""


class ByKey:
    """Lets in who sends an API key of a Secret."""

    def __init__(self, settings: catalog.ApiKeys, secrets: KeySecrets) -> None:
        self._header = settings.header
        self._secret = Key(settings.namespace, settings.name)
        self._any_key = SecretKey(namespace=settings.namespace, name=settings.name, key="")
        self._secrets = secrets
        self._values: Mapping[str, bytes] = {}
        self._keys = ApiKeys({})
        self._fresh_until = 0.0

    async def principal(self, headers: Mapping[str, str], _address: str) -> Principal:
        """Return whose key came.

        Raises:
            Refusal: None, or one of nobody; or keys cannot be read.
        """
        presented = self._presented(headers)
        if asyncio.get_running_loop().time() >= self._fresh_until:
            await self._read()
        found = self._keys.find(presented)
        if found is None:  # it may have been added since the Secret was read
            await self._read()
            found = self._keys.find(presented)
        if found is None:
            raise Refusal("invalid", "The API key is not known")
        return found

    def _presented(self, headers: Mapping[str, str]) -> str:
        if self._header == "authorization":
            return bearer(headers)
        value = headers.get(self._header, "").strip()
        if not value:
            raise Refusal("missing", f"Send an API key in the header {self._header}")
        return value

    async def _read(self) -> None:
        self._secrets.distrust(self._any_key)
        try:
            values = await self._secrets.values(self._secret)
        except OperatorError as error:
            log.debug("API keys cannot be read", extra={"error": str(error)})
            self._values, self._keys, self._fresh_until = {}, ApiKeys({}), 0.0
            raise Refusal(
                "unavailable", "API keys cannot be verified now; this server's log says why"
            ) from None
        self._fresh_until = asyncio.get_running_loop().time() + KEYS_SECONDS
        if values != self._values:
            self._values, self._keys = values, ApiKeys(values)

    async def close(self) -> None:
        """Do nothing."""
