"""The mutants, and the tests that have to fail for each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One change of the code that breaks a behavior.

    Attributes:
        row: The number of the promise in the table of docs/explanation/controller-runtime.md.
        breaks: What the changed code does, in the words of the table.
        file: The file in the package.
        old: A text that occurs in the file once.
        new: The text that replaces it.
        tests: The tests that have to fail, as arguments of pytest.
        env: Environment variables for the tests, to make them more thorough.
    """

    row: int
    breaks: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        return f"{self.row}: {self.file} {self.breaks}"

    def applied_to(self, text: str) -> str:
        """Return the changed text.

        Raises:
            ValueError: The old text does not occur exactly once.
        """
        if text.count(self.old) != 1:
            raise ValueError(f"{self}: its old text occurs {text.count(self.old)} times, not once")
        return text.replace(self.old, self.new)


def catalogue() -> list[Mutant]:
    """Return all mutants, by row."""
    raw = yaml.safe_load(Path(__file__).with_name("mutants.yaml").read_text(encoding="utf-8"))
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in raw]
