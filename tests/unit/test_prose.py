"""The extraction of the texts of the code that `nox -s prose` checks."""

from __future__ import annotations

from pathlib import Path

import prose
import pytest

MODULE = '''\
"""A module.

It has `code`.
"""

NAME = "two words"  # a comment


def fail(name: str) -> None:
    """Stop."""
    raise ValueError(
        f"the Service {name} does not exist"
    )
'''

TEST = '''\
"""A test."""

DATA = "a string of data"


class Fake:
    """A fake.

    It is small.
    """


async def test_an_owner_is_enqueued() -> None:
    value = 1  # a comment
    assert value, f"the value {value} is empty"


@pytest.mark.skipif(LATE, reason="it is too late")
def test() -> None:
    pytest.fail("there is no owner")
    raise AssertionError("there is no test")
'''


def lines(text: str) -> dict[int, str]:
    return {number: line for number, line in enumerate(text.split("\n"), start=1) if line}


def test_each_text_of_a_module_is_on_its_line_with_code_replaced() -> None:
    assert lines(prose.on_their_lines(MODULE, prose.python(MODULE))) == {
        1: "A module.",
        3: "It has x.",
        6: "a comment",
        12: "the Service x does not exist",
    }


def test_a_string_of_a_test_is_extracted_only_if_it_explains_something() -> None:
    assert lines(prose.on_their_lines(TEST, prose.explanations(TEST))) == {
        1: "A test.",
        7: "A fake.",
        9: "It is small.",
        14: "a comment",
        15: "the value x is empty",
        18: "it is too late",
        20: "there is no owner",
        21: "there is no test",
    }


def test_the_name_of_a_test_is_extracted_as_a_sentence() -> None:
    assert lines(prose.on_their_lines(TEST, prose.names(TEST))) == {13: "An owner is enqueued."}


def test_the_names_of_a_test_file_are_written_to_a_file_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, target = tmp_path / "root", tmp_path / "target"
    for name, text in (("tools/a.py", MODULE), ("tests/unit/test_a.py", TEST)):
        (root / name).parent.mkdir(parents=True)
        (root / name).write_text(text, encoding="utf-8")
    monkeypatch.setattr(prose, "ROOT", root)

    prose.main(target)

    assert {str(path.relative_to(target)) for path in target.rglob("*.txt")} == {
        "tools/a.py.txt",
        "tests/unit/test_a.py.txt",
        "tests/unit/test_a.py.names.txt",
    }
