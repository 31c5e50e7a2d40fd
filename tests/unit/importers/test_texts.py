from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.importers.texts import cleaned, first_sentence, sentences, shortened


@pytest.mark.parametrize(
    ("text", "limit", "cut"),
    [
        ("One. Two. Three.", 99, "One. Two. Three."),
        ("One. Two. Three.", 12, "One. Two."),
        ("Choose one of: a, b, c", 16, "Choose one of."),
        ("One sentence without an end", 15, "One sentence …"),
        ("Paragraph\n\nAnother one", 14, "Paragraph"),
        ("Version 1.2 of it. Next", 20, "Version 1.2 of it."),
    ],
)
def test_a_text_is_shortened_after_a_sentence_or_between_words(
    text: str, limit: int, cut: str
) -> None:
    assert shortened(text, limit) == cut


@given(st.text(max_size=300), st.integers(min_value=4, max_value=200))
def test_no_text_is_longer_than_its_limit(text: str, limit: int) -> None:
    assert len(shortened(text, limit)) <= limit
    assert len(first_sentence(text, limit)) <= limit
    assert "\n" not in first_sentence(text, limit)


@given(st.text() | st.integers() | st.none())
def test_cleaning_a_cleaned_text_does_not_change_it(text: object) -> None:
    once = cleaned(text)

    assert cleaned(once) == once
    once.encode()  # no lone surrogate is left


@pytest.mark.parametrize(
    ("parts", "joined"),
    [
        (("A", "b"), "A. b"),
        (("A!", "", "B."), "A! B."),
        (("The same", "The same."), "The same"),
        (("List", "List of pets"), "List of pets"),
        (("A", "B\nC"), "A.\n\nB\nC"),
        ((), ""),
    ],
)
def test_texts_are_joined_as_sentences_without_repetition(
    parts: tuple[str, ...], joined: str
) -> None:
    assert sentences(*parts) == joined
