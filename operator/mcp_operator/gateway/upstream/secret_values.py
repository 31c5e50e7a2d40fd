"""Values of Secrets, read when a call needs them, and never written anywhere."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable, Mapping
from typing import Protocol

from mcp_operator.api.catalog import SecretKey
from mcp_operator.core.errors import OperatorError
from mcp_operator.core.meta import Key, Object


class SecretUnavailable(OperatorError):  # noqa: N818 - a state that is reported to the caller
    """A Secret or its key could not be read; the message names it, but contains no value."""


class SecretSource(Protocol):
    """Provides the values of Secrets."""

    async def value(self, key: SecretKey) -> bytes:
        """Return a value.

        Raises:
            SecretUnavailable: The Secret or the key does not exist, or cannot be read.
        """
        ...

    def distrust(self, key: SecretKey) -> None:
        """Read the Secret again before its next use, because a backend refused its value."""
        ...


class StaticSecrets:
    """Secrets from manifests and from the environment, for serving without a cluster.

    The environment takes precedence, so a manifest can contain a placeholder: the key `token` of
    the Secret `demo/api-key` is `MCP_OPERATOR_SECRET_DEMO_API_KEY_TOKEN`.
    """

    def __init__(
        self, objects: Iterable[Object] = (), environment: Mapping[str, str] | None = None
    ) -> None:
        """Read the values.

        Args:
            objects: Kubernetes objects; only those of kind Secret are used.
            environment: Environment variables.

        Raises:
            SecretUnavailable: The `data` of a Secret is not base64.
        """
        self._environment = environment or {}
        self._values: dict[tuple[str, str, str], bytes] = {}
        for obj in objects:
            if obj.get("kind") == "Secret":
                self._add(obj)

    def _add(self, secret: Object) -> None:
        metadata = secret["metadata"]
        namespace, name = metadata.get("namespace", "default"), metadata["name"]
        for key, value in decode_secret(secret).items():
            self._values[namespace, name, key] = value

    async def value(self, key: SecretKey) -> bytes:
        """Return a value.

        Raises:
            SecretUnavailable: Neither the environment nor the manifests contain it.
        """
        variable = environment_name(key)
        if variable in self._environment:
            return self._environment[variable].encode()
        try:
            return self._values[key.namespace, key.name, key.key]
        except KeyError:
            raise SecretUnavailable(
                f"the key {key.key!r} of Secret {key.namespace}/{key.name} is not in the served "
                f"files; add it, or set {variable}"
            ) from None

    async def values(self, secret: Key) -> Mapping[str, bytes]:
        """Return all values of a Secret, by key; the environment takes precedence here too.

        Raises:
            SecretUnavailable: The manifests do not contain the Secret.
        """
        names = [(at, name, key) for at, name, key in self._values if Key(at, name) == secret]
        if not names:
            raise SecretUnavailable(
                f"Secret {secret} is not in the served files; add it, with one key for each "
                "client. Environment variables can override its values"
            )
        keys = [SecretKey(namespace=at, name=name, key=key) for at, name, key in names]
        return {key.key: await self.value(key) for key in keys}

    def distrust(self, key: SecretKey) -> None:
        """Do nothing, because these values cannot change."""


def environment_name(key: SecretKey) -> str:
    """Return the environment variable that overrides a key of a Secret."""
    plain = f"MCP_OPERATOR_SECRET_{key.namespace}_{key.name}_{key.key}"
    return re.sub(r"[^A-Z0-9]", "_", plain.upper())


def decode_secret(secret: Object) -> dict[str, bytes]:
    """Return the values of a Secret object; `stringData` overrides `data`, as in the API server.

    Raises:
        SecretUnavailable: A value of `data` is not base64.
    """
    values: dict[str, bytes] = {}
    for key, encoded in (secret.get("data") or {}).items():
        try:
            values[key] = base64.b64decode(encoded, validate=True)
        except (binascii.Error, ValueError):
            name = secret["metadata"].get("name", "")
            # `from None`, because the original error can quote the value.
            raise SecretUnavailable(
                f"the key {key!r} of Secret {name} is not base64; put plain text into stringData"
            ) from None
    values.update({k: v.encode() for k, v in (secret.get("stringData") or {}).items()})
    return values
