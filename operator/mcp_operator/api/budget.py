"""What evaluating an expression of a tool on an answer may cost, counted and not timed.

Both are written by strangers, and some queries of a few characters take time that grows with a
power of the answer's size. A count gives the same result on every machine.
"""

from __future__ import annotations

from typing import Any

from mcp_operator.core.errors import OperatorError

MAX_STEPS = 2_000_000
"""Values that one expression may look at; some two seconds of a CPU, in a thread of its own."""

_TEXT_PER_STEP = 64


class SelectionError(OperatorError):
    """An expression is none, or gives nothing that could be used; the sentence says why."""


class Budget:
    """Counts steps down."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps away.

        Raises:
            SelectionError: There are not so many left.
        """
        self._left -= steps
        if self._left < 0:
            raise SelectionError(f"it takes more than {MAX_STEPS} steps on this answer")

    def measure(self, value: Any) -> None:
        """Take away a step for each part of a value, shared ones as often as they are met."""
        pending = [value]
        while pending:
            part = pending.pop()
            self.spend(1 + (len(part) // _TEXT_PER_STEP if isinstance(part, str) else 0))
            if isinstance(part, dict):
                pending.extend(part.values())
            elif isinstance(part, list):
                pending.extend(part)
