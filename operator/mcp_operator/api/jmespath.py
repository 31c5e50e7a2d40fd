"""JMESPath, by its reference implementation and within a budget.

Short expressions can have large results: each step of `[@,@]|[@,@]|…` doubles the result. The
budget therefore counts what an expression builds in full, as it is later written to JSON.
"""

from __future__ import annotations

from typing import Any, Final

from jmespath import functions
from jmespath.exceptions import JMESPathError
from jmespath.parser import Parser
from jmespath.visitor import Options, TreeInterpreter, _Expression

from mcp_operator.api.budget import Budget, SelectionError

MAX_LENGTH: Final = 4096
"""Characters of an expression. Expressions that rename the fields of an object are long."""

_WRITTEN_NUMBER: Final = "WrittenNumber"
"""The float class that keeps its source text. The library identifies types by class name only."""


class JmesPath:
    """A compiled expression, such as `items[*].{id: id, name: name}`."""

    def __init__(self, expression: str) -> None:
        """Compile.

        Raises:
            SelectionError: It is not a JMESPath, calls an unknown function, or is too long.
        """
        self.expression = expression
        if len(expression) > MAX_LENGTH:
            raise SelectionError(f"the JMESPath is longer than {MAX_LENGTH} characters")
        try:
            self._tree = Parser().parse(expression).parsed
            _check_functions(self._tree)
        except (JMESPathError, RecursionError, ValueError) as error:
            raise SelectionError(
                f"the JMESPath {expression!r} is not valid: {_told(error)}"
            ) from error

    def select(self, document: Any) -> Any:
        """Return the result of the expression for a document; None if it finds nothing.

        Raises:
            SelectionError: It fails on this document, or costs too much.
        """
        budget = Budget()
        interpreter = _Interpreter(budget)
        try:
            found = interpreter.visit(self._tree, document)
            budget.measure(found)
        except (JMESPathError, ArithmeticError, RecursionError, TypeError, ValueError) as error:
            raise SelectionError(f"the JMESPath {self.expression} fails: {_told(error)}") from error
        except SelectionError as error:
            raise SelectionError(f"the JMESPath {self.expression} fails: {error}") from error
        return found


class _Functions(functions.Functions):  # type: ignore[misc] # the library has no types
    """The built-in functions, which also accept numbers that keep their source text."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget

    def call_function(self, function_name: str, resolved_args: list[Any]) -> Any:
        for argument in resolved_args:
            if not isinstance(argument, _Expression):
                self._budget.measure(argument)
        return super().call_function(function_name, [_plain(one) for one in resolved_args])

    def _convert_to_jmespath_type(self, pyobject: str) -> str:
        known: str = super()._convert_to_jmespath_type(pyobject)
        return "number" if pyobject == _WRITTEN_NUMBER else known


class _Interpreter(TreeInterpreter):  # type: ignore[misc] # the library has no types
    def __init__(self, budget: Budget) -> None:
        super().__init__(Options(custom_functions=_Functions(budget)))
        self._budget = budget

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        self._budget.spend()
        return super().visit(node, *args, **kwargs)

    def visit_comparator(self, node: Any, value: Any) -> Any:
        for child in node["children"]:
            self._budget.measure(self.visit(child, value))
        return super().visit_comparator(node, value)

    def visit_flatten(self, node: Any, value: Any) -> Any:
        found = super().visit_flatten(node, value)
        self._budget.spend(len(found or ()))
        return found

    def visit_multi_select_list(self, node: Any, value: Any) -> Any:
        return self._measured(super().visit_multi_select_list(node, value))

    def visit_multi_select_dict(self, node: Any, value: Any) -> Any:
        return self._measured(super().visit_multi_select_dict(node, value))

    def _measured(self, built: Any) -> Any:
        self._budget.measure(built)
        return built


def _plain(value: Any) -> Any:
    """Convert numbers to plain floats, because the functions compare the names of types."""
    if isinstance(value, float):
        return float(value)
    if isinstance(value, list) and any(isinstance(item, float) for item in value):
        return [float(item) if isinstance(item, float) else item for item in value]
    return value


def _check_functions(node: Any) -> None:
    if node["type"] == "function_expression" and (
        node["value"] not in functions.Functions.FUNCTION_TABLE
    ):
        raise ValueError(f"there is no function {node['value']}()")
    for child in node["children"]:
        if isinstance(child, dict):
            _check_functions(child)


def _told(error: Exception) -> str:
    text = str(error).partition("\n")[0].removeprefix("Invalid jmespath expression: ")
    return text.removesuffix(":").removesuffix(", for expression")[:200] or type(error).__name__
