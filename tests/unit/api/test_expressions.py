"""The CEL evaluator that threads share."""

from __future__ import annotations

import subprocess
import sys

RACE = """
import sys, threading
from mcp_operator.api.expressions import compile_expression

sys.setswitchinterval(1e-6)
start, told = threading.Barrier(8), []

def first(number):
    start.wait()
    try:
        told.append(compile_expression(f"{number} > 0").execute({}))
    except BaseException as error:
        told.append(type(error).__name__)

threads = [threading.Thread(target=first, args=(number,)) for number in range(1, 9)]
for each in threads: each.start()
for each in threads: each.join()
print(set(told))
"""


def test_threads_that_use_the_evaluator_at_the_same_time_load_it_once() -> None:
    command = [sys.executable, "-c", RACE]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603 - ours
    assert ran.stdout == "{True}\n", ran.stderr
