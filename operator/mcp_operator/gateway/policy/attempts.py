"""Limits how often the gateway does costly checks for unknown clients."""

from __future__ import annotations

import asyncio

from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.shares import Shares


class Attempts:
    """A number of attempts per second, half of which one address can use.

    Known clients need no attempts. So a flood from the address of a proxy delays only the new
    clients behind that proxy.
    """

    def __init__(self, per_second: int, problem: str) -> None:
        """Set up.

        Args:
            per_second: The number of attempts.
            problem: The error message when no attempt is left.
        """
        self._per_second = per_second
        self._problem = problem
        self._second = 0
        self._left = Shares(per_second)

    def spend(self, address: str) -> None:
        """Use one attempt.

        Raises:
            Refusal: No attempt is left for this address.
        """
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._left = second, Shares(self._per_second)
        if not self._left.take(address):
            raise Refusal("busy", self._problem)
