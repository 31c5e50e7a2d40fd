"""JWK sets (RFC 7517): the public keys that can verify a client's token."""

from __future__ import annotations

import json
from typing import Any, Final

MAX_BYTES: Final = 256 * 1024
"""The largest set that is read; the set of a large provider has about 10 KiB."""

MAX_KEYS: Final = 64
"""The number of keys used from a set. The rest is ignored, and tokens signed by it are refused."""

KEY_TYPES: Final = frozenset({"RSA", "EC", "OKP"})
"""Key types with a public part. `oct` is missing: anybody who verifies with it could also sign."""

_PUBLIC: Final = ("kty", "kid", "alg", "use", "key_ops", "n", "e", "crv", "x", "y")


class KeySetError(ValueError):
    """The text is not a JWK set with a usable key. The sentence quotes nothing of it."""


class NoKeysError(KeySetError):
    """The text is a JWK set, but has no usable key."""


def public_keys(text: str | bytes) -> list[dict[str, Any]]:
    """Return the signature keys of a JWK set, without private members.

    Raises:
        KeySetError: The text is not a JWK set.
        NoKeysError: The set has no such key.
    """
    if len(text) > MAX_BYTES:
        raise KeySetError(f"a JWK set has at most {MAX_BYTES} bytes, and this one has {len(text)}")
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        raise KeySetError("it is not JSON") from None
    keys = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(keys, list):
        raise KeySetError("it is not a JWK set: an object with the list keys")
    found = [
        {member: key[member] for member in _PUBLIC if member in key}
        for key in keys
        if isinstance(key, dict) and _verifies(key)
    ]
    if not found:
        raise NoKeysError("it has no public key of type RSA, EC or OKP for signatures")
    return found[:MAX_KEYS]


def _verifies(key: dict[str, Any]) -> bool:
    kind, operations = key.get("kty"), key.get("key_ops", ["verify"])
    return (
        isinstance(kind, str)
        and kind in KEY_TYPES
        and key.get("use", "sig") == "sig"
        and isinstance(operations, list)
        and ("verify" in operations or "sign" in operations)
    )
