"""The `requestState` of 2026-07-28: what a gateway needs to know when the client answers.

The client stores the state and sends it back, so it is untrusted input (basic/patterns/mrtr). It is
encrypted with a key that all replicas derive from the same root, contains its time of issue, and is
bound to the call: server, client, method, name and arguments. All invalid states cause the same
error. A state can be used more than once while it is valid, but only to repeat a call that the same
client could make anyway.

States become invalid when the root key is replaced, like sessions.
"""

from __future__ import annotations

import hashlib
import json
from typing import Any, Final

from pydantic_core import from_json

from mcp_operator.core.clock import Clock
from mcp_operator.core.errors import OperatorError
from mcp_operator.gateway.contract import InputRequired
from mcp_operator.gateway.protocol import jsonrpc, spec
from mcp_operator.gateway.protocol.jsonrpc import RpcError
from mcp_operator.gateway.root_key import RootKey

STATE_SECONDS: Final = 600.0
"""How long a user has to answer."""

SKEW_SECONDS: Final = 30.0
"""How far the clock of the replica that issued a state can be ahead."""

MAX_STATE: Final = 64 * 1024
"""Bytes of the requests and the state. Limited, because the client sends them back in a body."""

_PURPOSE: Final = b"mcp-operator request state 1"
_MAX_TOKEN: Final = 2 * MAX_STATE
"""Characters of an encoded state: base64 adds a third, encryption a few bytes."""


class StateTooLargeError(OperatorError):
    """The state is too large to ask a client to send it back."""


def binding(*, server: str, client: str, method: str, name: str, arguments: Any) -> bytes:
    """Return a digest that identifies a call."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    return hashlib.sha256(jsonrpc.encode([server, client, method, name, digest])).digest()


class RequestStates:
    """Encrypts and decrypts request states."""

    def __init__(self, clock: Clock, root: RootKey) -> None:
        self._clock = clock
        self._root = root

    def seal(self, asked: InputRequired, bound: bytes) -> str | None:
        """Return the `requestState` of a call, or None if there is no key.

        Args:
            asked: The content of the state.
            bound: The call, see `binding`.

        Raises:
            StateTooLargeError: The content has more than `MAX_STATE` bytes.
        """
        root = self._root.derive(_PURPOSE)
        if root is None:
            return None
        issued = self._clock.now().timestamp()
        plain = jsonrpc.encode([issued, asked.requests, asked.state])
        if len(plain) > MAX_STATE:
            raise StateTooLargeError(f"more than {MAX_STATE} bytes")
        from mcp_operator.gateway.protocol.sealing import seal  # noqa: PLC0415 - takes memory

        return seal(root, plain, bound)

    def open(self, token: object, bound: bytes) -> InputRequired:
        """Return the content of a state.

        Args:
            token: The value that a client sent.
            bound: The call that it was sent with.

        Raises:
            RpcError: It does not belong to this call, or has expired.
        """
        root = self._root.derive(_PURPOSE)
        if root is None or not isinstance(token, str) or len(token) > _MAX_TOKEN:
            raise _invalid()
        from mcp_operator.gateway.protocol.sealing import unseal  # noqa: PLC0415 - takes memory

        plain = unseal(root, token, bound)
        if plain is None:
            self._root.suspected.set()
            raise _invalid()
        issued, requests, state = from_json(plain)
        if not -SKEW_SECONDS <= self._clock.now().timestamp() - issued < STATE_SECONDS:
            raise _invalid()
        return InputRequired(requests, state)


def _invalid() -> RpcError:
    """Return the same error for every invalid state, so that it does not reveal the reason."""
    return RpcError(spec.INVALID_PARAMS, "Invalid or expired requestState")
