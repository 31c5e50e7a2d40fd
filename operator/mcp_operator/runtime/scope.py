"""Which namespaces the caches of a process cover: all of them, some by name, or some by label.

- *All*: each informer watches the whole cluster.
- *By name*: each informer watches each of the namespaces on its own, as controller-runtime does
  with `cache.Options.DefaultNamespaces`. This needs no permissions in other namespaces.
- *By label*: each informer watches the whole cluster, and a `View` shows the objects in the
  namespaces that the selector matches now, as Istio does with `discoverySelectors`. A namespace
  joins and leaves all caches in one step, so the caches never show a part of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from mcp_operator.core.label_selectors import parse_selector
from mcp_operator.core.meta import LabelSelector, Resource

NAMESPACES: Final = Resource("", "v1", "namespaces", "Namespace", namespaced=False)

NAMES_ANNOTATION: Final = "mcp-operator.dev/namespaces"
SELECTOR_ANNOTATION: Final = "mcp-operator.dev/namespace-selector"
"""Annotations of an installation's Lease: the namespaces that it covers; both empty for all."""


def may_cover(
    annotations: Mapping[str, str], namespace: str, labels: Mapping[str, str] | None
) -> bool:
    """Return whether an installation whose Lease has these annotations may cover a namespace.

    Args:
        annotations: The annotations of the Lease.
        namespace: The namespace.
        labels: Its labels; None if they are not known.
    """
    if names := annotations.get(NAMES_ANNOTATION):
        return namespace in names.split(",")
    selector = annotations.get(SELECTOR_ANNOTATION)
    if not selector or labels is None:
        return True
    try:
        return parse_selector(selector).matches(labels)
    except ValueError:
        return True  # another release may have written it


@dataclass(frozen=True, slots=True)
class Scope:
    """A choice of namespaces; without names and a selector, all of them.

    Attributes:
        names: The namespaces by name.
        selector: The labels of the namespaces, in the syntax of kubectl.
        labels: The compiled selector; None if there is no selector.

    Raises:
        ValueError: Both names and a selector are given, or the selector is invalid.
    """

    names: tuple[str, ...] = ()
    selector: str = ""
    labels: LabelSelector | None = field(init=False, default=None, compare=False)

    def __post_init__(self) -> None:
        if self.names and self.selector:
            raise ValueError("namespaces are chosen by name or by label, not by both")
        if self.selector:
            object.__setattr__(self, "labels", parse_selector(self.selector))

    def annotations(self) -> dict[str, str]:
        """Return the annotations of a Lease that announce the choice to other installations."""
        return {NAMES_ANNOTATION: ",".join(self.names), SELECTOR_ANNOTATION: self.selector}

    def __str__(self) -> str:
        if self.names:
            return f"the namespaces {', '.join(self.names)}"
        return f"the namespaces with {self.selector}" if self.selector else "all namespaces"


class View:
    """The namespaces whose objects are shown; cluster-scoped objects always are.

    Args:
        names: The namespaces that are shown initially; None to always show all.
    """

    def __init__(self, names: Iterable[str] | None = None) -> None:
        self._names = None if names is None else {"", *names}

    def __contains__(self, namespace: str) -> bool:
        return self._names is None or namespace in self._names

    def add(self, namespace: str) -> None:
        """Show a namespace."""
        if self._names is not None:
            self._names.add(namespace)

    def remove(self, namespace: str) -> None:
        """Stop showing a namespace."""
        if self._names is not None:
            self._names.discard(namespace)
