"""No schema costs more than a fraction of a second and some megabytes, accepted or rejected."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from mcp_operator.api.jsonschema import CompiledSchema, SchemaCostError, SchemaError, check
from mcp_operator.api.schema_errors import MAX_ERROR_LENGTH
from mcp_operator.api.subschemas import Subschemas
from support.hostile_schemas import FAULTY, ODD, OTHERS, PATTERNS, Schema, unevaluated

TOO_COSTLY = {**PATTERNS, **OTHERS}

UNDER_LIMITS = """
import resource
from mcp_operator.api.jsonschema import SchemaError, check
from support.hostile_schemas import FAULTY, ODD, OTHERS, PATTERNS

def taken():
    return int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()

resource.setrlimit(resource.RLIMIT_CPU, (60, 60))
resource.setrlimit(resource.RLIMIT_AS, (taken() + 100 * 2**20,) * 2)
for name, schema in {**PATTERNS, **OTHERS, **FAULTY}.items():
    try:
        check(schema[0])
    except SchemaError:
        continue
    raise AssertionError(name)
for schema in ODD.values():
    check(schema)
print("survived")
"""
"""A hundred of them, the largest of which took a gigabyte and more than ten seconds."""


@pytest.mark.parametrize(("schema", "place"), TOO_COSTLY.values(), ids=TOO_COSTLY)
def test_a_schema_that_costs_too_much_is_rejected_with_the_place(
    schema: Schema, place: str
) -> None:
    with pytest.raises(SchemaCostError) as caught:
        check(schema)
    assert str(caught.value).startswith(place)
    assert len(str(caught.value)) < 2 * MAX_ERROR_LENGTH


@pytest.mark.parametrize(("schema", "sentence"), FAULTY.values(), ids=FAULTY)
def test_an_invalid_schema_is_rejected_with_the_place(schema: Schema, sentence: str) -> None:
    with pytest.raises(SchemaError) as caught:
        check(schema)
    assert not isinstance(caught.value, SchemaCostError)
    assert sentence in str(caught.value)
    assert len(str(caught.value)) < 2 * MAX_ERROR_LENGTH


@pytest.mark.parametrize("schema", ODD.values(), ids=ODD)
def test_a_schema_that_only_looks_costly_is_accepted(schema: Schema) -> None:
    check(schema)


@pytest.mark.skipif(sys.platform != "linux", reason="memory limits are enforced only on Linux")
def test_no_schema_takes_more_than_the_memory_limit() -> None:
    done = subprocess.run(  # noqa: S603 - our own code
        [sys.executable, "-c", UNDER_LIMITS],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert (done.stdout, done.stderr) == ("survived\n", "")


def test_unevaluated_properties_can_be_nested_up_to_six_levels() -> None:
    schema = CompiledSchema(unevaluated("oneOf", 6))
    assert schema.errors({"a": 1}) == []
    assert schema.errors({"b": 1})


def test_an_anchor_that_is_defined_twice_refers_to_both_subschemas() -> None:
    twice = [{"$anchor": "a", "not": {"type": kind}} for kind in ("null", "string")]
    parts = Subschemas({"$defs": {"x": twice[0], "y": twice[1]}, "$ref": "#a"})
    definitions = ["#/$defs/x", "#/$defs/x/not", "#/$defs/y", "#/$defs/y/not"]
    assert [part.place for part in parts] == ["#", *definitions]
