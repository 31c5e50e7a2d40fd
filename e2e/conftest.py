"""The cluster under test: any cluster of a kubeconfig, and one image on its nodes."""

from __future__ import annotations

import asyncio
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from e2e.harness.installs import Install, installed
from e2e.harness.kubectl import HANG_SECONDS, Kubectl
from e2e.harness.shop import Shop, shop
from mcp_operator.version import VERSION


def pytest_configure() -> None:
    """Set no event loop until a test runs one, as tests/conftest.py does."""
    asyncio.set_event_loop(None)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options of a run; each has an environment variable as its default."""
    group = parser.getgroup("e2e")
    group.addoption(
        "--kubeconfig",
        default=os.environ.get("E2E_KUBECONFIG"),
        help="the cluster to test on; everything of mcp-operator in it is removed (E2E_KUBECONFIG)",
    )
    group.addoption(
        "--image",
        default=os.environ.get("E2E_IMAGE", f"docker.io/library/mcp-operator:{VERSION}"),
        help="the image to test, REGISTRY/NAME:TAG (E2E_IMAGE; default %(default)s)",
    )
    group.addoption(
        "--load",
        default=os.environ.get("E2E_LOAD", ""),
        help="command that gives nodes the image, such as `kind load docker-image {image}` or "
        "`cluster load {archive}`; without it they have the image or can pull it (E2E_LOAD)",
    )
    group.addoption(
        "--archive",
        default=os.environ.get("E2E_ARCHIVE", ""),
        help="the image as a file, for {archive} in --load (E2E_ARCHIVE)",
    )
    group.addoption(
        "--example-image",
        default=os.environ.get("E2E_EXAMPLE_IMAGE", ""),
        help="the image of examples/direct, which the nodes have; without it its test skips "
        "(E2E_EXAMPLE_IMAGE)",
    )


@pytest.fixture(scope="session")
def image(pytestconfig: pytest.Config) -> str:
    """The image, after loading it into the nodes."""
    reference: str = pytestconfig.getoption("image")
    template: str = pytestconfig.getoption("load")
    if template:
        archive = pytestconfig.getoption("archive")
        command = shlex.split(template.format(image=reference, archive=archive))
        subprocess.run(command, check=True, timeout=2 * HANG_SECONDS)  # noqa: S603 - the user's own command
    return reference


@pytest.fixture(scope="session")
def kubectl(pytestconfig: pytest.Config) -> Kubectl:
    """The cluster."""
    kubeconfig = pytestconfig.getoption("kubeconfig")
    if not kubeconfig:
        raise pytest.UsageError("name a cluster: --kubeconfig FILE or E2E_KUBECONFIG")
    return Kubectl(Path(kubeconfig).resolve())


@pytest.fixture(scope="module")
def operator(kubectl: Kubectl, image: str) -> Iterator[Install]:
    """The operator, installed from the manifests for the tests of one module."""
    with installed("kubectl", kubectl, image) as install:
        yield install


@pytest.fixture(scope="module")
def samples(operator: Install, image: str) -> Iterator[Shop]:
    """The samples, ready to use, for the tests of one module."""
    with shop(operator.kubectl, image) as opened:
        yield opened
