"""A result is reused for identical inputs, and computed again for others."""

from __future__ import annotations

import pytest

from mcp_operator.controllers.memo import Memo
from mcp_operator.core.meta import Key

SHOP, BAR = Key("demo", "shop"), Key("demo", "bar")
ONE, TWO = object(), object()


class Counted:
    """Caches results, and counts how often one was computed."""

    def __init__(self) -> None:
        self.memo = Memo[int]()
        self.computed = 0

    async def get(self, key: Key, *inputs: object) -> int:
        return await self.memo.get(key, inputs, self._compute)

    async def _compute(self) -> int:
        self.computed += 1
        return self.computed


@pytest.fixture
def counted() -> Counted:
    return Counted()


async def test_identical_inputs_return_the_same_result_without_computing_it(
    counted: Counted,
) -> None:
    assert await counted.get(SHOP, ONE, TWO) == await counted.get(SHOP, ONE, TWO) == 1


@pytest.mark.parametrize("inputs", [(ONE,), (TWO, ONE), (ONE, TWO, ONE), (), (ONE, object())])
async def test_a_result_is_computed_again_for_other_inputs(
    counted: Counted, inputs: tuple[object, ...]
) -> None:
    await counted.get(SHOP, ONE, TWO)
    assert await counted.get(SHOP, *inputs) == 2


async def test_a_result_is_computed_again_for_equal_inputs_that_are_not_identical(
    counted: Counted,
) -> None:
    await counted.get(SHOP, [1])
    assert await counted.get(SHOP, [1]) == 2


async def test_each_object_has_a_result_of_its_own_until_it_is_forgotten(counted: Counted) -> None:
    assert (await counted.get(SHOP, ONE), await counted.get(BAR, ONE)) == (1, 2)
    counted.memo.forget(SHOP)
    counted.memo.forget(SHOP)
    assert (await counted.get(SHOP, ONE), await counted.get(BAR, ONE)) == (3, 2)
