"""Reads what specs refer to: Services and ReferenceGrants, ConfigMaps, and the keys of Secrets.

Only the metadata of ConfigMaps is watched, so that the operator does not hold every ConfigMap of
the cluster; the content is read when a version is referred to for the first time. Secrets are
neither watched nor listed, because the operator has no permission to. They are read one by one, and
only their keys are kept, for a short time.
"""

from __future__ import annotations

import asyncio
import base64
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mcp_operator.api.keys import KEYS_TYPE
from mcp_operator.builders.references import Facts, References
from mcp_operator.builders.resources import CONFIGMAPS, SECRETS
from mcp_operator.controllers.cluster_cache import ClusterCache
from mcp_operator.core.meta import Key, Object, key_of, resource_version_of
from mcp_operator.runtime.client import Client
from mcp_operator.runtime.errors import ApiError
from mcp_operator.runtime.notification import Event
from mcp_operator.runtime.sources import Channel

SECRET_FRESH_SECONDS = 20.0
"""How long the keys of a Secret are cached."""

ABSENT_FRESH_SECONDS = 2.0
"""How long it is cached that a Secret is missing. Somebody may be about to create it."""

CACHED_SECRETS = 20_000
"""How many Secrets have their keys cached; the most recently read ones are kept."""

CACHED_CONFIG_MAPS = 64
"""How many ConfigMaps have their content cached; each holds at most 1 MiB."""

Content = Mapping[str, str | bytes]


@dataclass(frozen=True, slots=True)
class _SecretKeys:
    keys: frozenset[str] | None
    read_at: float
    denied: bool = False

    def is_fresh(self, now: float) -> bool:
        limit = ABSENT_FRESH_SECONDS if self.keys is None else SECRET_FRESH_SECONDS
        return now - self.read_at < limit


class ReferenceReader:
    """Gathers the facts that compiling an object needs.

    Args:
        client: Reads ConfigMaps and Secrets.
        cache: The informers.
        external_hosts: Patterns of the hosts outside of the cluster that are allowed.

    Attributes:
        changed_secrets: Names a Secret whose keys differ from those of the previous read.
    """

    def __init__(
        self, client: Client, cache: ClusterCache, external_hosts: tuple[str, ...] = ()
    ) -> None:
        self._external_hosts = external_hosts
        self.changed_secrets = Channel("changed Secrets")
        self._client = client
        self._cache = cache
        self._config_maps: OrderedDict[Key, tuple[int, Content]] = OrderedDict()
        self._secrets: OrderedDict[Key, _SecretKeys] = OrderedDict()
        cache.config_maps.add_handler(self._forget)

    async def facts(self, references: References) -> Facts:
        """Return the current state of the objects that a spec refers to.

        Raises:
            ApiError: An object could not be read, so its state is unknown.
        """
        services = {key: self._cache.services.store.get(key) for key in references.services}
        secrets = {key: await self._secret(key) for key in references.secrets}
        return Facts(
            services=services,
            grants=self._grants(references.services),
            config_maps={key: await self._config_map(key) for key in references.config_maps},
            secrets={key: secret.keys for key, secret in secrets.items()},
            denied=frozenset(key for key, secret in secrets.items() if secret.denied),
            external_hosts=self._external_hosts,
        )

    def are_current(self, references: References, facts: Facts) -> bool:
        """Return whether facts are certainly current, without a request to the API server."""
        if references.config_maps or references.secrets:
            return False
        service = self._cache.services.store.get
        for key, known in facts.services.items():
            if service(key) is not known:
                return False
        return self._grants(references.services) == facts.grants

    def _grants(self, services: Iterable[Key]) -> tuple[Object, ...]:
        store = self._cache.grants.store
        if not store:
            return ()
        namespaces = sorted({key.namespace for key in services})
        return tuple(grant for name in namespaces for grant in store.list(namespace=name))

    def _forget(self, event: Event) -> None:
        """Drop the content of a deleted ConfigMap: after a rollback, its version can be reused."""
        if event.type == "Deleted":
            self._config_maps.pop(key_of(event.object), None)

    async def _config_map(self, key: Key) -> Content | None:
        metadata = self._cache.config_maps.store.get(key)
        if metadata is None:
            return None
        version = resource_version_of(metadata)
        known = self._config_maps.get(key)
        if known is not None and known[0] == version:
            self._config_maps.move_to_end(key)
            return known[1]
        try:
            config_map = await self._client.get(CONFIGMAPS, key)
        except ApiError as error:
            if error.is_not_found:
                return None
            raise
        content = _content(config_map)
        self._config_maps[key] = (version, content)
        if len(self._config_maps) > CACHED_CONFIG_MAPS:
            self._config_maps.popitem(last=False)
        return content

    async def _secret(self, key: Key) -> _SecretKeys:
        now = asyncio.get_running_loop().time()
        known = self._secrets.get(key)
        if known is not None and known.is_fresh(now):
            return known
        found = self._secrets[key] = await self._read_secret(key, now)
        self._secrets.move_to_end(key)
        if len(self._secrets) > CACHED_SECRETS:
            self._secrets.popitem(last=False)
        if known is not None and (known.keys, known.denied) != (found.keys, found.denied):
            self.changed_secrets.send(key)
        return found

    async def _read_secret(self, key: Key, now: float) -> _SecretKeys:
        try:
            secret = await self._client.get(SECRETS, key)
        except ApiError as error:
            if error.is_not_found or error.is_forbidden:
                return _SecretKeys(None, now, denied=error.is_forbidden)
            raise
        usable = secret.get("type") != KEYS_TYPE
        return _SecretKeys(frozenset((secret.get("data") or ()) if usable else ()), now)


def _content(config_map: Object) -> Content:
    texts: dict[str, str | bytes] = dict(config_map.get("data") or {})
    for key, encoded in (config_map.get("binaryData") or {}).items():
        texts[key] = base64.b64decode(encoded)
    return texts
