"""A limit on the work that an expression of a tool can do on an answer, in steps, not in time.

Tenants write the expressions and backends the answers. The time of some short queries grows with a
power of the size of the answer. Counting steps gives the same result on every machine.
"""

from __future__ import annotations

from typing import Any

from mcp_operator.core.errors import OperatorError

MAX_STEPS = 2_000_000
"""Values that one expression can visit. This takes about two seconds of CPU, in its own thread."""

_TEXT_PER_STEP = 64


class SelectionError(OperatorError):
    """An expression is not valid, or its result cannot be used; the sentence says why."""


class Budget:
    """Counts steps down."""

    def __init__(self, steps: int = MAX_STEPS) -> None:
        self._left = steps

    def spend(self, steps: int = 1) -> None:
        """Subtract steps from the budget.

        Raises:
            SelectionError: Fewer steps are left.
        """
        self._left -= steps
        if self._left < 0:
            raise SelectionError(f"it takes more than {MAX_STEPS} steps on this answer")

    def measure(self, value: Any) -> None:
        """Subtract a step for each part of a value. Shared parts count each time they occur."""
        pending = [value]
        while pending:
            part = pending.pop()
            self.spend(1 + (len(part) // _TEXT_PER_STEP if isinstance(part, str) else 0))
            if isinstance(part, dict):
                pending.extend(part.values())
            elif isinstance(part, list):
                pending.extend(part)
