from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcp_operator.gateway import exact


@pytest.mark.parametrize(
    "text",
    [
        "1.10",
        "1e400",
        "-0",
        "-0.0",
        "1E5",
        "1e16",
        "0.1000000000000000055511151231257827",
        "123456789012345678901234567890",
        "9" * 5000,
        '{"a":{"b":[1.0,2.50,3]},"c":"x"}',
        '"1.10"',
    ],
)
def test_numbers_are_written_as_they_were_read(text: str) -> None:
    assert exact.dumps(exact.loads(text, unfolded=True)) == text.encode()
    assert exact.dumps(exact.unfolded(exact.loads(text))) == text.encode()


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(st.characters(exclude_categories=["Cs"]))
        | st.integers(),
        lambda inner: st.lists(inner) | st.dictionaries(st.just("k"), inner),
    )
)
def test_encoded_values_are_decoded_to_the_same_values(value: Any) -> None:
    encoded = exact.dumps(value)
    assert exact.loads(encoded.decode()) == value
    assert exact.dumps(exact.unfolded(exact.loads(encoded.decode()))) == encoded


def test_a_number_can_be_compared_and_added() -> None:
    price = exact.loads("1.10")
    assert price < 2
    assert price + 1 == 2.1


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", '"\\ud800"', "{", ""])
def test_text_that_is_not_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the message is Python's
        exact.loads(text)


@pytest.mark.parametrize("text", ["NaN", "[-Infinity]", '{"a":[1,Infinity]}'])
def test_infinity_and_nan_raise_a_separate_error(text: str) -> None:
    with pytest.raises(exact.NotFiniteError):
        exact.loads(text)


def test_an_infinite_float_cannot_be_encoded() -> None:
    with pytest.raises(ValueError, match="infinite"):
        exact.unfolded([float("inf")])


def test_schemas_are_validated_with_the_exact_number_unless_it_is_too_large() -> None:
    small, huge = exact.for_schema(exact.loads("[1.10,1e999999999]", unfolded=True))
    assert str(small) == "1.10"
    assert huge == float("inf")


def test_strings_and_numbers_with_the_same_text_stay_distinct() -> None:
    assert exact.dumps(exact.loads('["1.10", 1.10]', unfolded=True)) == b'["1.10",1.10]'


def test_a_value_without_a_json_form_is_refused() -> None:
    with pytest.raises(ValueError, match="object has no JSON form"):
        exact.encode(object())


def test_encoded_members_are_inserted_unchanged() -> None:
    value = {"text": 'a "b"', "data": [1, None], "price": exact.loads("1.10", unfolded=True)}

    members = exact.encoded_members(value)

    assert exact.encode(["x", members, "y"]) == exact.encode(["x", value, "y"])


@pytest.mark.parametrize(("value", "is_object"), [({"a": 1}, True), ([{}], False), ("{", False)])
def test_an_encoded_value_reports_whether_it_is_an_object(value: Any, is_object: bool) -> None:  # noqa: FBT001
    assert exact.Encoded(exact.encode(value)).is_object is is_object
