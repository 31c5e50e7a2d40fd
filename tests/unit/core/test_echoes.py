from __future__ import annotations

import pytest

from mcp_operator.core.echoes import KEPT, LONGEST, Echoes


@pytest.fixture
def echoes() -> Echoes[list[int]]:
    return Echoes(lambda text: [*text])


def test_a_text_that_comes_again_gives_the_very_object_of_the_first_time(
    echoes: Echoes[list[int]],
) -> None:
    first = echoes.read(b"abc")
    assert first == [*b"abc"]
    assert echoes.read(b"abcd") == [*b"abcd"]
    assert echoes.read(b"abc") is first


def test_the_third_time_it_is_decoded_anew(echoes: Echoes[list[int]]) -> None:
    first, second, third = (echoes.read(b"abc") for _ in range(3))
    assert first is second
    assert third is not first
    assert third == first


def test_there_is_something_to_listen_to_while_a_text_is_expected_or_has_come_once(
    echoes: Echoes[list[int]],
) -> None:
    assert not echoes
    echoes.expected += 1
    assert echoes
    echoes.read(b"abc")
    echoes.expected -= 1
    assert echoes
    echoes.read(b"abc")
    assert not echoes


def test_the_oldest_text_is_forgotten_when_there_are_too_many(echoes: Echoes[list[int]]) -> None:
    objects = [echoes.read(bytes([number])) for number in range(KEPT + 1)]
    assert echoes.read(bytes([0])) is not objects[0]
    assert echoes.read(bytes([KEPT])) is objects[KEPT]


def test_a_long_text_is_not_kept(echoes: Echoes[list[int]]) -> None:
    assert echoes.read(b"x" * LONGEST) is not echoes.read(b"x" * LONGEST)
    assert not echoes


def test_a_text_that_cannot_be_decoded_is_not_kept() -> None:
    echoes = Echoes(int)
    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            echoes.read(b"abc")
    assert not echoes
