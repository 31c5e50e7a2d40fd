"""Every negative case is rejected offline, with one sentence that names the field and the fix."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from mcp_operator.api.base import VALIDATIONS
from mcp_operator.api.crd import DEFINITIONS, object_schema
from mcp_operator.api.validation import problems
from mcp_operator.core.meta import Object
from support.negatives import NEGATIVES, Negative


@pytest.mark.parametrize("case", NEGATIVES, ids=str)
def test_a_negative_case_is_rejected_with_one_sentence(case: Negative) -> None:
    (problem,) = problems(case.obj)
    assert problem.field.startswith(case.field)
    assert case.fragment in problem.message


def test_every_rule_of_the_crds_rejects_a_negative_case() -> None:
    said = {problem.message for case in NEGATIVES for problem in problems(case.obj)}
    unproven = {
        (definition.resource.kind, message)
        for definition in DEFINITIONS
        for message in rule_messages(object_schema(definition))
        if not any(message.endswith(sentence) for sentence in said)
    }
    assert not unproven


def rule_messages(schema: Object) -> Iterator[str]:
    yield from (rule["message"] for rule in schema.get(VALIDATIONS, ()))
    below = [*schema.get("properties", {}).values(), schema.get("items")]
    for child in (*below, schema.get("additionalProperties")):
        if child:
            yield from rule_messages(child)


def test_no_two_negative_cases_are_the_same() -> None:
    assert len({case.sentence for case in NEGATIVES}) == len(NEGATIVES)
