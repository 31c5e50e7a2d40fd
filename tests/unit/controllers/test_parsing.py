"""Raw objects are parsed once for each state, and forgotten when they are deleted."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.api.reasons import Reason
from mcp_operator.builders.compiled import EntryKey, InvalidError
from mcp_operator.builders.references import References
from mcp_operator.controllers import parsing
from mcp_operator.controllers.parsing import Parser, unreadable
from mcp_operator.core.meta import Key, Object
from support.manifests import manifest


def tool(generation: int = 1, uid: str = "a", **spec: Any) -> Object:
    given = {"name": "search", "service": {"name": "orders", "port": 80}} | spec
    return manifest("MCPTool", given, namespace="demo", uid=uid, generation=generation)


def server(**spec: Any) -> Object:
    given = {"toolSelector": {"matchLabels": {"a": "1"}}} | spec
    return manifest("MCPServer", given, namespace="demo", uid="s", generation=1)


@pytest.fixture
def parser() -> Parser:
    return Parser()


def test_an_object_is_parsed_with_its_references_and_entry_keys(parser: Parser) -> None:
    parsed = parser.catalog_object(tool())
    assert parsed.model.name == "example"
    assert parsed.references.services == {Key("demo", "orders")}
    assert parsed.entry_keys == {EntryKey("tools", "search")}


def test_a_server_is_parsed_with_its_selectors(parser: Parser) -> None:
    parsed = parser.server(server())
    assert parsed.model.name == "example"
    assert parsed.selectors["MCPPrompt"].matches({"a": "1"})


def test_one_state_of_an_object_is_parsed_once(parser: Parser) -> None:
    assert parser.catalog_object(tool()) is parser.catalog_object(tool())
    assert parser.server(server()) is parser.server(server())


def test_the_state_before_a_change_is_still_cached_after_it(parser: Parser) -> None:
    one, two = parser.catalog_object(tool(1)), parser.catalog_object(tool(2))
    assert one is not two
    assert parser.catalog_object(tool(1)) is one
    assert parser.catalog_object(tool(2)) is two


def test_older_states_are_not_kept(parser: Parser) -> None:
    one = parser.catalog_object(tool(1))
    for generation in range(2, 50):
        parser.catalog_object(tool(generation))
    assert len(parser._cache["a"]) == 2
    assert parser.catalog_object(tool(1)) is not one


def test_a_recreated_object_is_parsed_again(parser: Parser) -> None:
    assert parser.catalog_object(tool(uid="a")) is not parser.catalog_object(tool(uid="b"))


def test_nothing_is_kept_of_a_deleted_object(parser: Parser) -> None:
    parser.catalog_object(tool())
    assert parser.knows("a")
    parser.forget("a")
    parser.forget("a")
    assert not parser.knows("a")
    assert parser._cache == {}


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (tool(name=5), "spec.name: Input should be a valid string"),
        (tool(tools=[{"name": "a", "method": "TRACE"}]), "spec.tools.0.method: Input should be"),
        (tool(name=None, service=None, openAPI={"path": "/"}), "spec sets neither name nor tools"),
        (tool(service=None), "spec.service is missing"),
    ],
)
def test_an_object_that_cannot_be_parsed_raises_an_error_with_the_reason(
    parser: Parser, raw: Object, message: str
) -> None:
    for _ in range(2):
        with pytest.raises(InvalidError, match=message) as caught:
            parser.catalog_object(raw)
        assert caught.value.finding.reason is Reason.INVALID
    assert parser.object_or_none(raw) is None


def test_a_server_that_cannot_be_parsed_raises_an_error(parser: Parser) -> None:
    raw = server(replicas="many")
    with pytest.raises(InvalidError, match=r"spec\.replicas: "):
        parser.server(raw)
    assert parser.server_or_none(raw) is None
    assert parser.server_or_none({**server(), "metadata": {"name": "b", "uid": "t"}}) is not None


def test_the_traceback_of_a_cached_error_does_not_grow(parser: Parser) -> None:
    def depth() -> int:
        with pytest.raises(InvalidError) as caught:
            parser.catalog_object(tool(name=5))
        return len(caught.traceback)

    assert depth() == depth() == depth()


def test_an_error_does_not_quote_values_of_the_object(parser: Parser) -> None:
    raw = tool(request={"headers": [{"name": "X-Key", "value": {"hush": "hush"}}]})
    with pytest.raises(InvalidError) as caught:
        parser.catalog_object(raw)
    assert "hush" not in str(caught.value)


def test_an_object_that_cannot_be_parsed_compiles_to_a_finding() -> None:
    compiled = unreadable(tool(), InvalidError(Reason.INVALID, "spec.name: is wrong"))
    assert (compiled.kind, compiled.key) == ("MCPTool", Key("demo", "example"))
    assert compiled.entries == ()
    assert [finding.message for finding in compiled.findings] == ["spec.name: is wrong"]


def test_an_unexpected_error_while_parsing_is_reported_and_logged(
    parser: Parser, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fails(_: object) -> References:
        raise RecursionError("too deep")

    monkeypatch.setattr(parsing, "references_of", fails)
    for _ in range(2):
        with pytest.raises(InvalidError) as caught:
            parser.catalog_object(tool())
        assert caught.value.finding.message.startswith(
            "this release cannot read the object (RecursionError). "
        )
    assert parser.object_or_none(tool()) is None
    [record] = caplog.records
    assert record.__dict__["object"] == "MCPTool demo/example"
    assert record.exc_info
