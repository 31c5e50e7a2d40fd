"""Every negative case is refused offline, with one sentence that names the field and the fix."""

from __future__ import annotations

import pytest

from mcp_operator.api.validation import problems
from support.negatives import NEGATIVES, Negative


@pytest.mark.parametrize("case", NEGATIVES, ids=str)
def test_refused_with_one_sentence(case: Negative) -> None:
    (problem,) = problems(case.obj)
    assert problem.field.startswith(case.field)
    assert case.fragment in problem.message


def test_no_two_cases_are_the_same() -> None:
    assert len({case.sentence for case in NEGATIVES}) == len(NEGATIVES)
