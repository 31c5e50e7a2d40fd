"""The mutants that `nox -s mutants` tries, and the table of promises."""

from __future__ import annotations

import re

import pytest

from mutants.catalogue import ROOT, Mutant, catalogue

TOUR = ROOT / "docs" / "explanation" / "controller-runtime.md"

ROWS = {
    int(number): line
    for line in TOUR.read_text(encoding="utf-8").splitlines()
    for number in re.findall(r"^\| (\d+) \|", line)
}

MUTANTS = catalogue()


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_changes_code_that_exists(mutant: Mutant) -> None:
    text = (ROOT / "operator" / "mcp_operator" / mutant.file).read_text(encoding="utf-8")
    compile(mutant.applied_to(text), mutant.file, "exec")


@pytest.mark.parametrize("mutant", MUTANTS, ids=str)
def test_a_mutant_is_in_the_table_with_the_tests_that_detect_it(mutant: Mutant) -> None:
    assert mutant.breaks in ROWS[mutant.row]
    for test in mutant.tests:
        path, _, name = test.partition("::")
        assert f"`{path.removeprefix('tests/')}`: `{name}`" in ROWS[mutant.row]
        assert re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8"))


def test_every_promise_has_a_mutant() -> None:
    assert set(ROWS) == {mutant.row for mutant in MUTANTS} == {*range(1, 57)}
