"""The selection of the operations that are imported."""

from __future__ import annotations

from typing import Any

import pytest

from mcp_operator.importers.documents import OpenApiError
from mcp_operator.importers.options import Criterion
from support.openapi_documents import imported, openapi

PATHS: dict[str, Any] = {
    "/pets": {"get": {"operationId": "listPets", "tags": ["Pets"]}},
    "/pets/{id}": {
        "get": {"operationId": "getPet", "tags": ["Pets"]},
        "delete": {"operationId": "deletePet", "tags": ["Pets", "admin"]},
    },
    "/pets/{id}/toys": {"get": {"operationId": "listToys", "tags": ["toys"]}},
    "/orders": {"post": {"operationId": "order", "tags": ["store"]}},
}


def chosen(*include: str, exclude: tuple[str, ...] = ()) -> list[str]:
    outcome = imported(
        openapi(PATHS),
        everything=False,
        include=tuple(Criterion(*text.split("=", 1)) for text in include),
        exclude=tuple(Criterion(*text.split("=", 1)) for text in exclude),
    )
    return [tool["name"] for obj in outcome.objects for tool in obj["spec"]["tools"]]


@pytest.mark.parametrize(
    ("include", "names"),
    [
        ((), ["listPets", "getPet", "deletePet", "listToys", "order"]),
        (("tag=pets",), ["listPets", "getPet", "deletePet"]),
        (("tag=p*", "tag=toys"), ["listPets", "getPet", "deletePet", "listToys"]),
        (("tag=pets", "method=get"), ["listPets", "getPet"]),
        (("path=/pets/*",), ["getPet", "deletePet"]),
        (("path=/pets/**",), ["listPets", "getPet", "deletePet", "listToys"]),
        (("path=/*/{id}",), ["getPet", "deletePet"]),
        (("operation=list*",), ["listPets", "listToys"]),
    ],
)
def test_an_operation_must_match_one_criterion_of_each_given_kind(
    include: tuple[str, ...], names: list[str]
) -> None:
    assert chosen(*include) == names


def test_an_exclusion_takes_precedence_over_inclusions() -> None:
    assert chosen("tag=pets", exclude=("method=DELETE",)) == ["listPets", "getPet"]
    assert chosen(exclude=("tag=admin", "path=/orders")) == ["listPets", "getPet", "listToys"]


def test_the_error_about_an_empty_selection_lists_the_tags() -> None:
    with pytest.raises(OpenApiError, match=r"the tags are Pets \(3\), admin \(1\)"):
        chosen("tag=cats")


def many(count: int) -> dict[str, Any]:
    return openapi({f"/{n}": {"get": {"tags": [f"t{n % 20}"]}} for n in range(count)})


def test_more_than_sixty_tools_must_be_requested_explicitly() -> None:
    assert imported(many(60), everything=False).report.tools == 60
    with pytest.raises(OpenApiError, match=r"61 operations.*--include.*--all.* and 8 more"):
        imported(many(61), everything=False)
    assert imported(many(61), everything=True).report.tools == 61
    by_tag = imported(many(1300), everything=False, include=(Criterion("tag", "t1"),))
    assert by_tag.report.tools == 65


def test_the_names_of_tools_do_not_depend_on_the_selection() -> None:
    same = {path: {"get": {"operationId": "list"}} for path in ("/a", "/b", "/c")}

    outcome = imported(openapi(same), include=(Criterion("path", "/c"),))
    assert [tool["name"] for tool in outcome.objects[0]["spec"]["tools"]] == ["list_3"]
