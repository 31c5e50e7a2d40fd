"""The CPU time of a fixed piece of work, which makes the CPU times of different runs comparable.

Machines differ in speed, and the same machine differs from hour to hour. A CPU time divided by that
of the fixed work in the same run measures the amount of work, not the speed of the machine.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable

_ROUNDS = 5
_SIZE = 200


def _work() -> None:
    for _ in range(60):
        table = {str(number): {"a": [number, number + 1]} for number in range(_SIZE)}
        json.loads(json.dumps(table))


def calibration() -> float:
    """Return the CPU seconds of the fixed work, the minimum of several runs."""

    def timed() -> float:
        began = time.process_time()
        _work()
        return time.process_time() - began

    return min(timed() for _ in range(_ROUNDS))


def relative_work(function: Callable[[], object]) -> float:
    """Return the CPU time of a function in units of the fixed work, the minimum of three runs."""

    def timed() -> float:
        began = time.thread_time()
        function()
        return time.thread_time() - began

    return min(timed() for _ in range(3)) / calibration()
