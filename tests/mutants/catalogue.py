"""What can be broken, and which tests have to notice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """One change of the code that takes a behavior away.

    Attributes:
        row: The promise's number in the table of docs/explanation/controller-runtime.md.
        breaks: What the code does then, as the table says it.
        file: The file in the package.
        old: A text that is in the file once.
        new: What takes its place.
        tests: The tests that notice, as arguments of pytest.
        env: Environment variables for the tests, where they look closer than usual.
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
        """Return the broken text.

        Raises:
            ValueError: The old text is not in it just once.
        """
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self}: its old text is there {text.count(self.old)} times, not once"
            )
        return text.replace(self.old, self.new)


def catalogue() -> list[Mutant]:
    """Return all mutants, by row."""
    raw = yaml.safe_load(Path(__file__).with_name("mutants.yaml").read_text(encoding="utf-8"))
    return [Mutant(**{**entry, "tests": tuple(entry["tests"])}) for entry in raw]
