"""The `requestState` of 2026-07-28: what a gateway remembers of a call that asked the client.

The client keeps it and sends it back, so it is attacker's input (basic/patterns/mrtr). It is sealed
under a key that all replicas derive from the same root, holds its own time of issue, and is bound
to the call: server, client, method, name and arguments. Whatever is wrong with one, the client is
told the same. It can be used again while it is valid: that repeats a call which the same client
could make from the start.

States end together with the root key, as sessions do.
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
"""How far the clock of the replica that sealed may be ahead."""

MAX_STATE: Final = 64 * 1024
"""Bytes of requests and state that are sealed: the client sends them back in a body."""

_PURPOSE: Final = b"mcp-operator request state 1"
_MAX_TOKEN: Final = 2 * MAX_STATE
"""Characters of a state: a third more than bytes, and some."""


class StateTooLargeError(OperatorError):
    """More is to be remembered than a client is asked to send back."""


def binding(*, server: str, client: str, method: str, name: str, arguments: Any) -> bytes:
    """Return what stands for a call; no other call has the same."""
    canonical = json.dumps(arguments, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = hashlib.sha256(canonical.encode("utf-8", "surrogatepass")).hexdigest()
    return hashlib.sha256(jsonrpc.encode([server, client, method, name, digest])).digest()


class RequestStates:
    """Seals and opens."""

    def __init__(self, clock: Clock, root: RootKey) -> None:
        self._clock = clock
        self._root = root

    def seal(self, asked: InputRequired, bound: bytes) -> str | None:
        """Return the `requestState` of a call; None where there is no key.

        Args:
            asked: What it holds.
            bound: The call, see `binding`.

        Raises:
            StateTooLargeError: It would hold more than `MAX_STATE` bytes.
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
        """Return what a state holds.

        Args:
            token: What a client sent.
            bound: The call that it came with.

        Raises:
            RpcError: It is none of this call, or too old.
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
    """Return the one error for every state that cannot be used: it tells nothing about why."""
    return RpcError(spec.INVALID_PARAMS, "Invalid or expired requestState")
