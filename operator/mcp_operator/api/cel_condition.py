"""Conditions in CEL over untrusted values. Their form bounds the time that they take.

The evaluator does not count steps. A condition must therefore have a form whose time is linear in
the size of the values: no macro within a macro, no macro that builds lists, and nothing inside of a
macro that reads a whole value again for each of its items.
"""

from __future__ import annotations

import ast
import re
import warnings
from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any, ClassVar, Final

from mcp_operator.api.budget import SelectionError
from mcp_operator.api.expressions import compile_expression
from mcp_operator.api.patterns import estimate, mebibytes

MAX_LENGTH: Final = 1024
"""Characters of a condition."""

MAX_PATTERN_COST: Final = 256 * 1024
"""Bytes that a compiled regular expression of a condition can take. The evaluator compiles it at
each evaluation, and has no limit of its own."""

_TOKEN: Final = re.compile(
    r"""(?P<text>[rRbB]{0,2}(?:"{3}.*?"{3}|'{3}.*?'{3}|"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'))"""
    r"""|(?P<comment>//)"""
    r"""|(?P<macro>\.\s*(?:all|exists|exists_one|existsOne|filter|map|optMap|optFlatMap)\s*\()"""
    r"""|(?P<member>\.\s*[A-Za-z_][A-Za-z0-9_]*)"""
    r"""|(?P<name>[A-Za-z_][A-Za-z0-9_]*)|(?P<open>[(\[{])|(?P<close>[)\]}])""",
    re.DOTALL,
)
_QUOTED: Final = re.compile(r"""'([^']*)'|"([^"]*)["]""")
_SYNTAX_ERROR: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): (?:Syntax error: )?([^\n]*)")
_MATCHES: Final = re.compile(r"\.\s*matches")
_NO_BOOLEAN: Final = "the condition does not return a boolean"
_I64: Final = 1 << 63


class Condition(ABC):
    """A compiled condition.

    Attributes:
        names: The values that it can use.
        whole: Those of them whose size the sender controls.
    """

    names: ClassVar[tuple[str, ...]]
    whole: ClassVar[frozenset[str]]

    def __init__(self, condition: str) -> None:
        """Compile.

        Raises:
            SelectionError: It is not CEL, uses another name, or has a form that could take long.
        """
        self.condition = condition
        if len(condition) > MAX_LENGTH:
            raise SelectionError(f"the condition is longer than {MAX_LENGTH} characters")
        _check_form(condition, self.whole)
        _check_patterns(condition)
        try:
            self._program = compile_expression(condition)
        except ValueError as error:
            raise SelectionError(f"the condition is not CEL: {_told(error)}") from error
        self._probe()

    @abstractmethod
    def probes(self) -> Iterator[Mapping[str, Any]]:
        """Yield values of every type that the condition can get."""

    def decide(self, values: Mapping[str, Any]) -> bool:
        """Tell whether the condition holds for values of CEL's types (see `cel_value`).

        Raises:
            SelectionError: It cannot be evaluated, for example because a field is missing. The
                sentence quotes the condition, never the values.
        """
        try:
            result = self._program.execute(dict(values))
        except (ArithmeticError, LookupError, RuntimeError, TypeError, ValueError) as error:
            raise SelectionError(self._without_the_values(error)) from error
        if not isinstance(result, bool):
            raise SelectionError(_NO_BOOLEAN)
        return result

    def _without_the_values(self, error: Exception) -> str:
        """Return the error, or only its type if it quotes text that the condition lacks."""
        told = _told(error)
        quoted = [first or second for first, second in _QUOTED.findall(told)]
        known = all(one in self.condition for one in quoted)
        return told if known else f"the evaluator raises {type(error).__name__}"

    def _untold(self, values: Mapping[str, Any]) -> str:
        try:
            self.decide(values)
        except SelectionError as error:
            return str(error)
        return ""

    def _probe(self) -> None:
        """Find what the evaluator reports only at runtime, but for every value.

        These are names and functions that do not exist, and results that are not booleans. It
        reports the same error for a function that exists for other types only, so this tries all
        types.
        """
        told = [self._untold(values) for values in self.probes()]
        if all(one == _NO_BOOLEAN for one in told):
            raise SelectionError(f"{_NO_BOOLEAN}; compare values, such as with ==")
        if not all("Undefined variable or function" in one for one in told):
            return
        known = ", ".join(self.names)
        named = told[0].partition(": ")[2].partition(". Check")[0]
        raise SelectionError(f"the condition uses a name other than {known}: {named}")


def _check_form(condition: str, whole: frozenset[str]) -> None:
    """Refuse forms whose time could grow faster than the size of the values.

    Raises:
        SelectionError: The sentence says what to write instead.
    """
    depth, macro_depth = 0, None
    for token in _TOKEN.finditer(condition):
        if token["comment"]:
            raise SelectionError("the condition has a comment, which is not supported; remove it")
        if token["macro"]:
            if macro_depth is not None:
                raise SelectionError(
                    "the condition has a macro (all, exists, …) in another; use one at a time"
                )
            if "map" in token["macro"].lower():
                raise SelectionError(
                    "the condition uses map() or optMap(), which are not supported; use exists(), "
                    "all() or filter()"
                )
            macro_depth = depth
            depth += 1
        elif token["open"]:
            depth += 1
        elif token["close"]:
            depth -= 1
            macro_depth = None if macro_depth == depth else macro_depth
        elif macro_depth is not None and token["name"] in whole:
            raise SelectionError(
                f"the condition has a macro that reads the whole {token['name']} again for each "
                "item; compare the items with constants"
            )


def _check_patterns(condition: str) -> None:
    """Refuse a regular expression that is not a literal, or that is costly to compile.

    Raises:
        SelectionError: The sentence says what to write instead.
    """
    tokens = list(_TOKEN.finditer(condition))
    for index, token in enumerate(tokens):
        if token["name"] != "matches" and not _MATCHES.fullmatch(token["member"] or ""):
            continue
        opening, text, closing = [*tokens[index + 1 : index + 4], None, None, None][:3]
        if not (token["member"] and opening and text and closing) or not (
            opening["open"] and text["text"] and closing["close"]
        ):
            raise SelectionError(
                "the condition has matches() in a form that is not supported; write "
                "text.matches('…') with a regular expression as a literal"
            )
        cost = estimate(f"(?=){_written(text['text'])}")  # in which `\\w` is Unicode's, as in CEL
        if cost > MAX_PATTERN_COST:
            raise SelectionError(
                f"the expression of matches() would take {mebibytes(cost)} when compiled, and at "
                f"most {mebibytes(MAX_PATTERN_COST)} are allowed: use lower repeat counts"
            )


def _written(text: str) -> str:
    """Return the value of a literal in a condition; the literal itself if it is not Python's."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return str(ast.literal_eval(text))
    except (SyntaxError, ValueError):
        return text


def members_of(condition: str, name: str) -> frozenset[str] | None:
    """Return which members of a value a condition uses; None if that cannot be determined."""
    found = set()
    tokens = list(_TOKEN.finditer(condition))
    for index, token in enumerate(tokens):
        if token["name"] != name:
            continue
        after, text, closing = [*tokens[index + 1 : index + 4], None, None, None][:3]
        if after and after["member"]:
            found.add(after["member"].lstrip(". \t\r\n"))
        elif not (after and text and closing):
            return None
        elif after["open"] == "[" and text["text"] and closing["close"]:
            found.add(_written(text["text"]))
        else:  # the name can be an expression, as in a["b" + "c"]
            return None
    return frozenset(found)


def cel_value(value: Any) -> Any:
    """Return a value in CEL's types: an integer of more than 64 bits becomes a double."""
    if isinstance(value, dict):
        return {key: cel_value(item) for key, item in value.items()}
    if isinstance(value, list):
        return [cel_value(item) for item in value]
    if isinstance(value, float) or (type(value) is int and not -_I64 <= value < _I64):
        return float(value)
    return value


def _told(error: Exception) -> str:
    text = str(error)
    found = _SYNTAX_ERROR.search(text)
    if found is None:
        return text.partition("\n")[0][:200]
    line, column, told = found.groups()
    place = f"character {column}" if line == "1" else f"line {line}, character {column}"
    hint = "; compare with ==" if told.startswith("token recognition error at: '=") else ""
    return f"{told.partition(' expecting ')[0][:200]} at {place}{hint}"
