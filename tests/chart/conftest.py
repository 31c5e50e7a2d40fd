"""Fixtures that the tests of the chart share."""

from __future__ import annotations

import pytest

from support import helm
from support.helm import Command, Helm, Library, MissingHelmError


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the flag that updates the snapshot, if this folder is on the command line."""
    parser.addoption(
        "--update-snapshot",
        action="store_true",
        help="write what the chart renders by default to tests/chart/default.yaml",
    )


@pytest.fixture(scope="session")
def helm3() -> Command:
    """The oldest supported version of Helm 3."""
    try:
        return helm.helm3()
    except MissingHelmError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="session")
def helm4() -> Library:
    """Helm 4, in this process."""
    return Library()


@pytest.fixture(params=["Helm 3", "Helm 4"])
def either(request: pytest.FixtureRequest) -> Helm:
    """Helm 3 and Helm 4 in turn."""
    if request.param == "Helm 3":
        found: Helm = request.getfixturevalue("helm3")
        return found
    return helm.helm4()
