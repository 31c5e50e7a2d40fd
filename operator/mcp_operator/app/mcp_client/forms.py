"""The questions of a form, and the parsing of answers in a terminal. All pure."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from mcp_operator.app.inspection.tables import printable

YES: Final = frozenset({"y", "yes", "true"})
NO: Final = frozenset({"n", "no", "false"})


class AnswerError(Exception):
    """An answer is not valid; the text says what would be."""


@dataclass(frozen=True)
class Question:
    """One field of a form.

    Attributes:
        name: The field.
        schema: Its JSON Schema: a string, a number, a boolean, or an array of choices.
        required: Whether it must be answered.
    """

    name: str
    schema: Mapping[str, Any]
    required: bool

    @property
    def choices(self) -> list[tuple[str, str]]:
        """The values to choose from, each with its label; empty if any value is allowed."""
        items = self.schema.get("items") if self._is_several else self.schema
        schema = items if isinstance(items, dict) else {}
        for word in ("oneOf", "anyOf"):
            if isinstance(schema.get(word), list):
                return [(one["const"], one.get("title", one["const"])) for one in schema[word]]
        values = schema.get("enum") or ()
        return list(zip(values, schema.get("enumNames") or values, strict=False))

    @property
    def _is_several(self) -> bool:
        return self.schema.get("type") == "array"

    def lines(self) -> Iterator[str]:
        """Yield the prompt for an answer; the last line has no line break."""
        told = self.schema.get("title") or self.name
        about = self.schema.get("description")
        yield printable(f"{told} - {about}" if about else str(told))
        for number, (value, title) in enumerate(self.choices, 1):
            yield printable(f"  {number}) {title if title == value else f'{title} ({value})'}")
        yield printable(f"{self._expects()}{self._without_answer()}: ")

    def value(self, answer: str) -> Any:
        """Return the value that was typed; None if there is none.

        Raises:
            AnswerError: It does not have the field's type, or is missing.
        """
        text = answer.strip()
        if not text:
            if "default" in self.schema:
                return self.schema["default"]
            if self.required:
                raise AnswerError("An answer is required.")
            return None
        if self._is_several:
            return [self._choice(part.strip()) for part in text.split(",")]
        return self._choice(text) if self.choices else self._plain(text)

    def _choice(self, text: str) -> str:
        values = [value for value, _ in self.choices]
        if text in values:
            return text
        if text.isdecimal() and 1 <= int(text) <= len(values):
            return values[int(text) - 1]
        raise AnswerError(f"Choose a number from 1 to {len(values)}.")

    def _plain(self, text: str) -> Any:
        kind = self.schema.get("type")
        if kind == "boolean":
            if text.lower() not in YES | NO:
                raise AnswerError("Answer yes or no.")
            return text.lower() in YES
        if kind not in {"integer", "number"}:
            return self._long_enough(text)
        try:
            number = int(text) if kind == "integer" else float(json.loads(text))
        except (TypeError, ValueError) as error:
            wanted = "a whole number" if kind == "integer" else "a number"
            raise AnswerError(f"Answer with {wanted}.") from error
        return self._within(number)

    def _within(self, number: float) -> float:
        low, high = self.schema.get("minimum"), self.schema.get("maximum")
        if low is not None and number < low:
            raise AnswerError(f"It must be at least {low}.")
        if high is not None and number > high:
            raise AnswerError(f"It must be at most {high}.")
        return number

    def _long_enough(self, text: str) -> str:
        low, high = self.schema.get("minLength"), self.schema.get("maxLength")
        if low is not None and len(text) < low:
            raise AnswerError(f"It must have at least {low} characters.")
        if high is not None and len(text) > high:
            raise AnswerError(f"It must have at most {high} characters.")
        return text

    def _expects(self) -> str:
        if self.choices:
            return "numbers, separated by commas" if self._is_several else "a number"
        form = self.schema.get("format")
        kinds = {"boolean": "yes or no", "integer": "a whole number", "number": "a number"}
        return kinds.get(str(self.schema.get("type")), str(form or "text"))

    def _without_answer(self) -> str:
        if "default" in self.schema:
            return f" [{json.dumps(self.schema['default'], ensure_ascii=False)}]"
        return "" if self.required else " (optional)"


def questions(schema: Mapping[str, Any]) -> Sequence[Question]:
    """Return the questions of a form, in its order."""
    required = schema.get("required") or ()
    properties: Mapping[str, Any] = schema.get("properties") or {}
    return [Question(name, one, name in required) for name, one in properties.items()]
