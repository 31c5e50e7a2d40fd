"""The client of the API server: raw paths and JSON dictionaries.

Every write goes through it, so it is the one place where informers observe writes and where tests
inject faults.
"""

from __future__ import annotations

import asyncio
import math
import random
from collections.abc import AsyncGenerator, Callable, Mapping
from pathlib import Path
from typing import Any, Final, TypeVar, Unpack

from aiohttp import ClientTimeout
from aiohttp.http_exceptions import LineTooLong
from pydantic_core import to_json

from mcp_operator.core.meta import Key, Object, Resource, key_of
from mcp_operator.core.metrics import RuntimeMetrics
from mcp_operator.runtime import wire
from mcp_operator.runtime.configuration import in_cluster, load_kubeconfig, load_service_account
from mcp_operator.runtime.errors import LOST, MALFORMED, NO_ANSWER, ApiError
from mcp_operator.runtime.kubernetes import Configuration
from mcp_operator.runtime.oversized import OversizedError
from mcp_operator.runtime.selection import ListOptions
from mcp_operator.runtime.transport import CONNECT_TIMEOUT, Request, Transport
from mcp_operator.runtime.wire import JSON, Page, WatchEvent

PAGE_SIZE: Final = 500
"""Objects per page of a list; client-go, tools/pager/pager.go, defaultPageSize."""

REQUEST_TIMEOUT: Final = 30.0
"""Seconds that one attempt of a request may take, including connecting and reading."""

WATCH_IDLE: Final = 70.0
"""Seconds of silence after which a watch is ended. Bookmarks arrive about once a minute."""

WATCH_SECONDS: Final = (300, 600)
"""The server ends a watch after seconds in this range; client-go, tools/cache/reflector.go."""

LINE_LIMIT: Final = 16 * 1024 * 1024
"""Bytes of a line of a watch. An object has at most 1.5 MiB (etcd, --max-request-bytes), so a
longer line is malformed."""

TOKEN_REFRESH: Final = 60.0
"""Seconds between reloads; client-go, transport/token_source.go. Pod tokens last an hour."""

_WATCH_TIMEOUT: Final = ClientTimeout(sock_connect=CONNECT_TIMEOUT, sock_read=WATCH_IDLE)

T = TypeVar("T")

WriteObserver = Callable[[Resource, Object], None]
"""Called with the object that the server returned for a write."""


class Client:
    """Reads and writes objects of any resource.

    Returned objects lack `managedFields` and kubectl's last-applied annotation: together they are
    half of an object, and nothing here reads them.
    """

    def __init__(
        self, transport: Transport, *, field_manager: str, metrics: RuntimeMetrics
    ) -> None:
        self.metrics = metrics
        self._transport = transport
        self._field_manager = field_manager
        self._observers: list[WriteObserver] = []

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
        """Find the API server and create a client for it.

        Args:
            kubeconfig: The kubeconfig file. Without one, a pod uses its service account, and other
                processes use the files listed in KUBECONFIG, or `~/.kube/config`.
            context: The context of the kubeconfig; empty for the current context.
            field_manager: The field manager of all writes.
            user_agent: Identifies this program to the server.
            metrics: Where requests are recorded.
            max_in_flight: The limit of concurrent requests, watches excluded.

        Raises:
            SettingsError: No usable configuration was found.
        """
        pod = kubeconfig is None and not context and in_cluster()

        async def load() -> Configuration:
            return await (load_service_account() if pod else load_kubeconfig(kubeconfig, context))

        transport = Transport(
            load,
            await load(),
            refresh_every=TOKEN_REFRESH if pod else math.inf,
            user_agent=user_agent,
            metrics=metrics,
            max_in_flight=max_in_flight,
        )
        await transport.open()
        return cls(transport, field_manager=field_manager, metrics=metrics)

    async def close(self) -> None:
        """Close all connections, which ends running watches."""
        await self._transport.close()

    def observe_writes(self, callback: WriteObserver) -> None:
        """Call a function with the result of every write, before the writer gets the result."""
        self._observers.append(callback)

    def guard_writes(self, guard: Callable[[], None]) -> None:
        """Call a function immediately before each write is sent; it raises to prevent the write."""
        self._transport.guards.append(guard)

    async def request(
        self,
        method: str,
        path: str,
        *,
        query: Mapping[str, str] | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        timeout: float = REQUEST_TIMEOUT,  # noqa: ASYNC109  # seconds per attempt, not per call
    ) -> bytes:
        """Send a request with any JSON body, and return the response body.

        Raises:
            ApiError: The server rejected the request or is unreachable.
        """
        return await self._transport.send(
            Request(
                method,
                path,
                query=query or {},
                headers={"Accept": JSON, "Content-Type": JSON, **(headers or {})},
                data=None if body is None else to_json(body),
                timeout=ClientTimeout(total=timeout, sock_connect=CONNECT_TIMEOUT),
            )
        )

    async def get(self, resource: Resource, key: Key) -> Object:
        """Read one object from the server, not from a cache.

        Raises:
            ApiError: For example `is_not_found`.
        """
        return await _read(wire.read, await self.request("GET", resource.path(*key)), resource)

    async def list_pages(
        self, resource: Resource, *, limit: int = PAGE_SIZE, **options: Unpack[ListOptions]
    ) -> AsyncGenerator[Page, None]:
        """Read a list page by page, in its latest state.

        The request has no resourceVersion: `0` would let an API server that lags behind return an
        old state (Kubernetes issue 59848).

        Raises:
            ApiError: `is_expired` if the list expired between two pages.
        """
        query = _query(options) | {"limit": str(limit)}
        accept = _accept(options, "PartialObjectMetadataList")
        path = resource.path(options.get("namespace", ""))
        while True:
            body = await self.request("GET", path, query=query, headers=accept)
            page = await _read(wire.page, body, resource)
            del body  # a megabyte, which would otherwise be held until the next page
            yield page
            if not page.next:
                return
            query["continue"] = page.next

    async def current_version(self, resource: Resource, **options: Unpack[ListOptions]) -> str:
        """Return the resourceVersion of the latest state of a list; the request is not retried.

        Raises:
            ApiError: The server rejected the request or is unreachable.
        """
        query = _query(options) | {"limit": "1"}
        accept = {"Accept": wire.partial("PartialObjectMetadataList")}
        path = resource.path(options.get("namespace", ""))
        timeout = ClientTimeout(total=REQUEST_TIMEOUT, sock_connect=CONNECT_TIMEOUT)
        request = Request("GET", path, query, accept, None, timeout)
        async with self._transport.stream(request) as response:
            body = await response.read()
        return (await _read(wire.page, body, resource)).resource_version

    async def watch(
        self,
        resource: Resource,
        *,
        resource_version: str = "",
        send_initial_events: bool = False,
        **options: Unpack[ListOptions],
    ) -> AsyncGenerator[WatchEvent, None]:
        """Yield changes until the stream ends, as every stream eventually does.

        A stream that is closed, breaks or falls silent simply ends the generator. The caller then
        resumes after the last `resource_version` that it received. `send_initial_events` requests
        the current objects first, followed by a bookmark (KEP-3157).

        Raises:
            ApiError: The watch could not be opened, or it sent an ERROR event (for example
                `is_expired`) or something that is not an event (reason `MALFORMED`).
        """
        query = _query(options) | {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "timeoutSeconds": str(random.randint(*WATCH_SECONDS)),  # noqa: S311  # spreads load
        }
        if resource_version:
            query["resourceVersion"] = resource_version
        if send_initial_events:
            query |= {"sendInitialEvents": "true", "resourceVersionMatch": "NotOlderThan"}
        headers = _accept(options, "PartialObjectMetadata")
        path = resource.path(options.get("namespace", ""))
        request = Request("GET", path, query, headers, None, _WATCH_TIMEOUT)
        opened = False
        try:
            async with self._transport.stream(request) as response:
                opened = True
                while line := await response.content.readline(max_line_length=LINE_LIMIT):
                    if line.endswith(b"\n"):  # otherwise the stream broke off
                        yield await _read(wire.watch_event, line, resource)
        except LineTooLong as error:
            text = f"a line of the watch is longer than {LINE_LIMIT} bytes"
            raise ApiError(NO_ANSWER, MALFORMED, text, request=str(request)) from error
        except ApiError as error:
            if not (opened and error.reason == LOST):
                raise

    async def create(self, resource: Resource, obj: Object) -> Object:
        """Create an object.

        Raises:
            ApiError: For example `is_already_exists`.
        """
        path = resource.path(key_of(obj).namespace)
        return await self._write(resource, "POST", path, obj)

    async def apply(
        self, resource: Resource, obj: Object, *, subresource: str = "", field_manager: str = ""
    ) -> Object:
        """Apply an object server-side: set its fields, and remove those that were applied before.

        The object is created if it does not exist. `metadata.uid` acts as a precondition, except
        for subresources. The default field manager is the client's.

        Raises:
            ApiError: `is_conflict` if a precondition does not hold.
        """
        path = resource.path(*key_of(obj), subresource)
        query = {"fieldManager": field_manager or self._field_manager, "force": "true"}
        return await self._write(resource, "PATCH", path, obj, content_type=wire.APPLY, query=query)

    async def merge_patch(
        self, resource: Resource, key: Key, patch: Object, *, subresource: str = ""
    ) -> Object:
        """Patch an object with a JSON merge patch (RFC 7396)."""
        path = resource.path(*key, subresource)
        return await self._write(resource, "PATCH", path, patch, content_type=wire.MERGE_PATCH)

    async def replace(self, resource: Resource, obj: Object, *, subresource: str = "") -> Object:
        """Replace an object; its resourceVersion, if set, is a precondition.

        Raises:
            ApiError: `is_conflict` if it has changed since.
        """
        path = resource.path(*key_of(obj), subresource)
        return await self._write(resource, "PUT", path, obj)

    async def delete(
        self, resource: Resource, key: Key, *, uid: str = "", resource_version: str = ""
    ) -> None:
        """Delete an object, if it still has the given UID and resourceVersion (where not empty).

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
        raw = await self.request(method, path, query=query, body=body, headers=headers)
        answer = await _read(wire.read, raw, resource)
        if answer.get("kind") == resource.kind:  # some subresources return another kind
            for observer in self._observers:
                observer(resource, answer)
        return answer


async def _read(reader: Callable[..., T], body: bytes, resource: Resource) -> T:
    """Decode a response with a function of `wire`, and cut objects that are too large to decode.

    Otherwise, one such object would make all others unreadable, or delay them. Cutting can take
    half a second, so it runs in a thread.
    """
    try:
        return reader(body, resource)
    except OversizedError:
        return await asyncio.to_thread(reader, body, resource, cut=True)


def _query(options: ListOptions) -> dict[str, str]:
    labels, fields = options.get("label_selector"), options.get("field_selector")
    pairs = {"labelSelector": labels, "fieldSelector": fields}
    return {name: value for name, value in pairs.items() if value}


def _accept(options: ListOptions, partial_kind: str) -> dict[str, str]:
    return {"Accept": wire.partial(partial_kind) if options.get("metadata_only") else JSON}
