"""The Secret with the random key that the replicas of a gateway share."""

from __future__ import annotations

from typing import Final

KEYS_TYPE: Final = "mcp-operator.dev/keys"
"""The type of the Secret. Nothing that a spec refers to may be of it: the key would leave the
gateway as a header or as the text of a resource."""

ROOT_KEY: Final = "root"
"""The key of its data under which the random bytes are."""

ROOT_KEY_BYTES: Final = 32
"""How many bytes there are: as many as SHA-256 gives, by which all keys are derived from them."""
