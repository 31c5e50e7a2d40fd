"""The Secret with the random key that the replicas of a gateway share."""

from __future__ import annotations

from typing import Final

KEYS_TYPE: Final = "mcp-operator.dev/keys"
"""The type of the Secret. A spec must not refer to a Secret of this type: the gateway would send
the key as a header or as the text of a resource."""

ROOT_KEY: Final = "root"
"""The key in the Secret's data that holds the random bytes."""

ROOT_KEY_BYTES: Final = 32
"""The number of random bytes: the size of SHA-256, which derives all other keys from them."""
