"""The one way to the API server: raw paths and JSON dictionaries.

Every write goes through here, so this is the single seam for the informers' read-your-writes and
for tests that inject faults.

Of kubernetes_asyncio only the reading of kubeconfigs is used. Its import takes most of a second
and 40 MB, so it waits until a kubeconfig is really needed: a pod needs none.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Final, Unpack

from pydantic_core import to_json

from mcp_operator.core.connections import Limits
from mcp_operator.core.echoes import Echoes
from mcp_operator.core.errors import SettingsError
from mcp_operator.core.lines import LineSplitter, LineTooLongError
from mcp_operator.core.meta import Key, Object, Resource, key_of
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime import wire
from mcp_operator.runtime.access import Access, in_pod, pod_access, proxy_for
from mcp_operator.runtime.errors import LOST, MALFORMED, NO_ANSWER, ApiError
from mcp_operator.runtime.selection import Selecting
from mcp_operator.runtime.transport import Request, Transport
from mcp_operator.runtime.wire import JSON, Page, WatchEvent

PAGE_SIZE: Final = 500
"""Objects per page of a list; client-go, tools/pager/pager.go, defaultPageSize."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds that one attempt of a request may take, connecting and reading included."""

WATCH_IDLE: Final = 70.0
"""Seconds of silence after which a watch counts as over. Bookmarks come about once a minute."""

WATCH_SECONDS: Final = (300, 600)
"""The server ends a watch after a time between these; client-go, tools/cache/reflector.go."""

LINE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes. An object is at most 1.5 MiB (etcd, --max-request-bytes), so a longer line is garbage."""

TOKEN_REFRESH: Final = 60.0
"""Seconds; client-go, transport/token_source.go. Tokens in pods last an hour."""

_WATCH_LIMITS: Final = Limits(silence=WATCH_IDLE)

WriteObserver = Callable[[Resource, Object], None]
"""Is told the object that the server returned for a write."""


class Client:
    """Reads and writes objects of any resource.

    Objects come without `managedFields` and without kubectl's copy of what was applied: together
    they are half of an object, and nobody here reads them.
    """

    def __init__(
        self, transport: Transport, *, field_manager: str, metrics: RuntimeMetrics
    ) -> None:
        self.metrics = metrics
        self._transport = transport
        self._field_manager = field_manager
        self._observers: list[WriteObserver] = []
        self._echoes = Echoes[Any](wire.decode)

    @classmethod
    async def connect(
        cls,
        *,
        kubeconfig: Path | None = None,
        context: str = "",
        field_manager: str,
        user_agent: str,
        metrics: RuntimeMetrics,
        max_in_flight: int = 32,
    ) -> Client:
        """Find the API server and make a client for it.

        Args:
            kubeconfig: The file to read; without one, a pod uses its service account and anything
                else the files that KUBECONFIG names, or `~/.kube/config`.
            context: The context of the kubeconfig; the current one if empty.
            field_manager: The owner of the fields that are applied.
            user_agent: Names this program to the server.
            metrics: Where requests are measured.
            max_in_flight: Requests at a time, watches not counted.

        Raises:
            SettingsError: No configuration was found, or it cannot be used.
        """
        pod = kubeconfig is None and not context and in_pod()

        def read() -> Access:
            return pod_access() if pod else _kubeconfig_access(kubeconfig, context)

        transport = Transport(
            lambda: asyncio.to_thread(read),
            await asyncio.to_thread(read),
            refresh_every=TOKEN_REFRESH if pod else math.inf,
            user_agent=user_agent,
            metrics=metrics,
            max_in_flight=max_in_flight,
        )
        await transport.open()
        return cls(transport, field_manager=field_manager, metrics=metrics)

    async def close(self) -> None:
        """Close all connections; watches under way end."""
        await self._transport.close()

    def observe_writes(self, callback: WriteObserver) -> None:
        """Have a callback told the result of every write, before the writer itself is."""
        self._observers.append(callback)

    def guard_writes(self, guard: Callable[[], None]) -> None:
        """Have a callback asked at the very moment a write is sent; it raises to prevent that."""
        self._transport.guard = guard

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109  # of each attempt, not of the call
    ) -> bytes:
        """Send any request and return the body of the answer.

        Args:
            method: The HTTP method, in capitals.
            path: The path, from the server's root.
            query: Query parameters.
            body: Anything that is JSON.
            headers: More headers, such as Accept.
            timeout: Seconds for each attempt.

        Raises:
            ApiError: The server refused, or could not be reached.
        """
        return await self._transport.send(
            Request(
                method,
                path,
                query=query or {},
                headers={"Accept": JSON, "Content-Type": JSON, **(headers or {})},
                data=None if body is None else to_json(body),
                limits=Limits(total=timeout),
            )
        )

    async def get(self, resource: Resource, key: Key) -> Object:
        """Read one object from the server itself.

        Raises:
            ApiError: `is_not_found`, among others.
        """
        return wire.clean(wire.decode(await self.request("GET", resource.path(*key))), resource)

    async def list_pages(
        self, resource: Resource, *, limit: int = PAGE_SIZE, **selecting: Unpack[Selecting]
    ) -> AsyncGenerator[Page, None]:
        """Read a list page by page, in its newest state.

        No resourceVersion is sent: `0` would let a server that lags behind answer with the past
        (kubernetes issue 59848).

        Raises:
            ApiError: `is_expired` if the list grew too old while it was paged through.
        """
        query = _query(selecting) | {"limit": str(limit)}
        accept = _accept(selecting, "PartialObjectMetadataList")
        path = resource.path(selecting.get("namespace", ""))
        while True:
            # No name for the body: it takes a megabyte, and would be there beside the next.
            page = wire.page(await self.request("GET", path, query=query, headers=accept), resource)
            yield page
            if not page.next:
                return
            query["continue"] = page.next

    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        **selecting: Unpack[Selecting],
    ) -> AsyncGenerator[WatchEvent, None]:
        """Follow changes until the stream ends, which it does sooner or later.

        The end of a stream, its breaking off and its silence are all the same: the generator is
        over, and the caller goes on from the last resourceVersion it saw.

        Args:
            resource: What to watch.
            resource_version: Go on after this version.
            send_initial_events: Begin with the present objects and a bookmark (KEP-3157).
            selecting: Which of the objects, and how much of them.

        Raises:
            ApiError: The watch could not be opened, or an ERROR event came, `is_expired` among
                them, or something that is no event at all (reason `MALFORMED`).
        """
        query = _query(selecting) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),  # noqa: S311  # spreads load
        }
        if resource_version:
            query["resourceVersion"] = resource_version
        if send_initial_events:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        headers = _accept(selecting, "PartialObjectMetadata")
        path = resource.path(selecting.get("namespace", ""))
        request = Request("GET", path, query, headers, None, _WATCH_LIMITS)
        opened = False
        try:
            async with self._transport.stream(request) as answer:
                opened = True
                splitter = LineSplitter(LINE_LIMIT)
                async for chunk in answer.stream():
                    for line in splitter.feed(chunk):
                        yield wire.watch_event(line, resource, self._echoes)
        except LineTooLongError as error:
            raise ApiError(NO_ANSWER, MALFORMED, str(error), request=str(request)) from error
        except ApiError as error:
            if not (opened and error.reason == LOST):
                raise

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object.

        Raises:
            ApiError: `is_already_exists`, among others.
        """
        path = resource.path(key_of(obj).namespace)
        return await self._write(resource, "POST", path, obj)

    async def apply(
        self, resource: Resource, obj: Object, *, subresource: str = "", field_manager: str = ""
    ) -> Object:
        """Apply the fields of an object server-side, and take back those applied before.

        A `metadata.uid` in the object makes it a precondition, though not for a subresource.

        Args:
            resource: Its resource.
            obj: The fields to own; creates the object if there is none.
            subresource: `status`, for example.
            field_manager: Becomes the owner; the client's own one if empty.

        Raises:
            ApiError: `is_conflict` if a precondition does not hold.
        """
        path = resource.path(*key_of(obj), subresource)
        query = {"fieldManager": field_manager or self._field_manager, "force": "true"}
        return await self._write(resource, "PATCH", path, obj, content_type=wire.APPLY, query=query)

    async def merge_patch(
        self, resource: Resource, key: Key, patch: Object, *, subresource: str = ""
    ) -> Object:
        """Change an object by a JSON merge patch (RFC 7396)."""
        path = resource.path(*key, subresource)
        return await self._write(resource, "PATCH", path, patch, content_type=wire.MERGE_PATCH)

    async def replace(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object whole; its resourceVersion, if given, is a precondition.

        Raises:
            ApiError: `is_conflict` if it has changed since.
        """
        path = resource.path(*key_of(obj), subresource)
        return await self._write(resource, "PUT", path, obj)

    async def delete(
        self, resource: Resource, key: Key, *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object, if it is still the one that is meant.

        Args:
            resource: Its resource.
            key: Its name.
            uid: Only if it has this uid.
            resource_version: Only if it has not changed since this version.

        Raises:
            ApiError: `is_conflict` if a precondition does not hold; `is_not_found`.
        """
        conditions = {"uid": uid, "resourceVersion": resource_version}
        options = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": "Background",
            "preconditions": {name: value for name, value in conditions.items() if value},
        }
        await self.request("DELETE", resource.path(*key), body=options)

    async def _write(
        self,
        resource: Resource,
        method: str,
        path: str,
        body: Object,
        *,
        content_type: str = JSON,
        query: Mapping[str, str] | None = None,
    ) -> Object:
        query = query or {"fieldManager": self._field_manager}
        headers = {"Content-Type": content_type}
        self._echoes.expected += 1
        try:
            raw = await self.request(method, path, query=query, body=body, headers=headers)
        finally:
            self._echoes.expected -= 1
        answer: Object = self._echoes.read(raw.removesuffix(b"\n"))
        if answer.get("kind") == resource.kind:  # some subresources answer with another kind
            wire.clean(answer, resource)
            for observer in self._observers:
                observer(resource, answer)
        return answer


def _query(selecting: Selecting) -> dict[str, str]:
    labels, fields = selecting.get("label_selector"), selecting.get("field_selector")
    pairs = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in pairs.items() if value}


def _accept(selecting: Selecting, partial_kind: str) -> dict[str, str]:
    return {"Accept": wire.partial(partial_kind) if selecting.get("metadata_only") else JSON}


def _kubeconfig_access(path: Path | None, context: str) -> Access:
    """Read a kubeconfig, running its exec plugin if it has one. Blocks: call it in a thread."""
    from kubernetes_asyncio import client, config  # noqa: PLC0415  # slow: see the module's text

    configuration = client.Configuration()
    try:
        asyncio.run(
            config.load_kube_config(
                config_file=str(path) if path else None,
                context=context or None,
                client_configuration=configuration,
                persist_config=False,
            )
        )
    except (config.ConfigException, OSError, TypeError, ValueError, AssertionError) as error:
        where = str(path) if path else "KUBECONFIG or ~/.kube/config"
        raise SettingsError(
            f"the kubeconfig {where} cannot be used: {error or 'it is incomplete'}. "
            "Name another file or context"
        ) from error
    ca = configuration.ssl_ca_cert
    return Access(
        configuration.host,
        configuration.api_key.get("BearerToken", "").strip(),
        ca=Path(ca).read_text() if ca else "",
        client_certificate=configuration.cert_file or "",
        client_key=configuration.key_file or "",
        verify=configuration.verify_ssl,
        server_name=configuration.tls_server_name or "",
        proxy=configuration.proxy or proxy_for(configuration.host),
    )
