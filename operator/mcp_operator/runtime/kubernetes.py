"""The parts of kubernetes_asyncio that are used: its configuration, loaders and API client.

No other module imports the library. Its watch, dynamic client, leader election and generated models
are left out on purpose: objects stay as the API server sends them.

The library's packages import several hundred generated modules, which take 35 MB in every operator
and gateway pod. The packages are therefore registered here without running their `__init__.py`, and
only the required modules are imported. `tests/unit/runtime/test_kubernetes.py` fails if a new
version of the library has a different layout.
"""

from __future__ import annotations

import importlib.util
import sys
from types import ModuleType

_PACKAGES = ("kubernetes_asyncio", "kubernetes_asyncio.client", "kubernetes_asyncio.client.models")


def _register_without_running(name: str) -> ModuleType:
    """Make the modules of a package importable without running the package's own imports."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.submodule_search_locations is None:
        raise ImportError(f"{name} is not a package: this version of the library is not supported")
    package = ModuleType(name)
    package.__spec__ = spec
    package.__path__ = spec.submodule_search_locations
    sys.modules[name] = package
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(sys.modules[parent], child, package)
    return package


if "kubernetes_asyncio" not in sys.modules:  # a program may already have imported all of it
    for _name in _PACKAGES:
        _register_without_running(_name)

from kubernetes_asyncio.client.api_client import ApiClient  # noqa: E402  # see above
from kubernetes_asyncio.client.configuration import Configuration  # noqa: E402

# The loaders import both from the package.
sys.modules["kubernetes_asyncio.client"].ApiClient = ApiClient  # type: ignore[attr-defined]
sys.modules["kubernetes_asyncio.client"].Configuration = Configuration  # type: ignore[attr-defined]

from kubernetes_asyncio.config import (  # noqa: E402
    ConfigException,
    load_incluster_config,
    load_kube_config,
)

__all__ = [
    "ApiClient",
    "ConfigException",
    "Configuration",
    "load_incluster_config",
    "load_kube_config",
]
