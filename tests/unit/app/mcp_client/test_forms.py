from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.app.mcp_client.forms import AnswerError, Question, questions

COLORS = {"type": "string", "enum": ["r", "g"], "enumNames": ["Red", "Green"]}
SIZES = {"type": "array", "items": {"anyOf": [{"const": "s", "title": "Small"}, {"const": "l"}]}}


def question(schema: dict[str, Any], *, required: bool = True) -> Question:
    return Question("field", schema, required)


@pytest.mark.parametrize(
    ("schema", "answer", "value"),
    [
        ({"type": "string"}, " Ann \n", "Ann"),
        ({"type": "string", "default": "Bob"}, "", "Bob"),
        ({"type": "integer"}, "41", 41),
        ({"type": "number"}, "1.5", 1.5),
        ({"type": "boolean"}, "Yes", True),
        ({"type": "boolean"}, "n", False),
        (COLORS, "2", "g"),
        (COLORS, "r", "r"),
        (SIZES, "1, l", ["s", "l"]),
        ({"type": "boolean", "default": False}, "", False),
    ],
)
def test_an_answer_is_converted_to_the_type_of_the_question(
    schema: dict[str, Any], answer: str, value: Any
) -> None:
    assert question(schema).value(answer) == value


@pytest.mark.parametrize(
    ("schema", "answer", "sentence"),
    [
        ({"type": "string"}, "", "An answer is required."),
        ({"type": "string", "minLength": 3}, "ab", "It must have at least 3 characters."),
        ({"type": "string", "maxLength": 1}, "ab", "It must have at most 1 characters."),
        ({"type": "integer"}, "1.5", "Answer with a whole number."),
        ({"type": "number"}, "many", "Answer with a number."),
        ({"type": "number"}, "[1]", "Answer with a number."),
        ({"type": "integer", "minimum": 1}, "0", "It must be at least 1."),
        ({"type": "integer", "maximum": 9}, "10", "It must be at most 9."),
        ({"type": "boolean"}, "perhaps", "Answer yes or no."),
        (COLORS, "3", "Choose a number from 1 to 2."),
        (SIZES, "1,x", "Choose a number from 1 to 2."),
    ],
)
def test_the_error_about_a_wrong_answer_says_what_is_valid(
    schema: dict[str, Any], answer: str, sentence: str
) -> None:
    with pytest.raises(AnswerError) as caught:
        question(schema).value(answer)
    assert str(caught.value) == sentence


def test_an_optional_question_can_be_left_empty() -> None:
    assert question({"type": "integer"}, required=False).value("") is None


def test_a_question_shows_its_choices_and_its_default() -> None:
    asked = question(COLORS | {"title": "Color", "description": "Which one?", "default": "g"})
    assert list(asked.lines()) == [
        "Color - Which one?",
        "  1) Red (r)",
        "  2) Green (g)",
        'a number ["g"]: ',
    ]


def test_questions_have_the_order_of_the_form() -> None:
    schema = {"properties": {"b": {"type": "string"}, "a": {"type": "boolean"}}, "required": ["a"]}
    assert [(one.name, one.required) for one in questions(schema)] == [("b", False), ("a", True)]


def test_no_question_can_control_the_terminal() -> None:
    evil = question({"type": "string", "title": "a\x1b[2J", "description": "b\nc\x07"})
    assert all(line.isprintable() for line in evil.lines())
