"""How often what an unknown client asks for is looked into."""

from __future__ import annotations

import asyncio

from mcp_operator.gateway.policy.refusal import Refusal
from mcp_operator.gateway.shares import Shares


class Attempts:
    """So many within a second, of which one address can have half.

    Clients that are known already need none: a flood from the address of a proxy keeps only new
    ones behind it waiting.
    """

    def __init__(self, per_second: int, problem: str) -> None:
        """Set up.

        Args:
            per_second: How many there are.
            problem: The error of a client that gets none.
        """
        self._per_second = per_second
        self._problem = problem
        self._second = 0
        self._left = Shares(per_second)

    def spend(self, address: str) -> None:
        """Take one.

        Raises:
            Refusal: There is none left for this address.
        """
        second = int(asyncio.get_running_loop().time())
        if second != self._second:
            self._second, self._left = second, Shares(self._per_second)
        if not self._left.take(address):
            raise Refusal("busy", self._problem)
