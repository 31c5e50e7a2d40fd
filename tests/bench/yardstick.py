"""CPU time of a fixed piece of work, by which the CPU times of one run are made comparable.

Machines differ, and one machine differs from hour to hour, by what else it does. A figure divided
by the yardstick of its own run says how much work was done, not how fast this machine is.
"""

from __future__ import annotations

import json
import time

_ROUNDS = 5
_SIZE = 200


def _work() -> None:
    for _ in range(60):
        table = {str(number): {"a": [number, number + 1]} for number in range(_SIZE)}
        json.loads(json.dumps(table))


def yardstick() -> float:
    """Return the CPU seconds of the work, the least of several tries."""

    def timed() -> float:
        began = time.process_time()
        _work()
        return time.process_time() - began

    return min(timed() for _ in range(_ROUNDS))
