"""A TCP proxy that delays responses, and that can terminate TLS."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress


@asynccontextmanager
async def tcp_proxy(
    port: int, *, delay: float | Callable[[], float] = 0.0, tls: ssl.SSLContext | None = None
) -> AsyncIterator[int]:
    """Forward bytes to a port of this machine, and those of the server after a delay.

    The delay is in seconds, or a function that is called for each chunk.

    Yields the port to connect to.
    """
    tasks: set[asyncio.Task[None]] = set()
    late = delay if callable(delay) else lambda: delay

    async def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port)
        except OSError:
            writer.close()
            return
        with suppress(asyncio.CancelledError):  # the proxy stops
            await asyncio.gather(
                _pass_on(reader, far_writer, lambda: 0.0), _pass_on(far_reader, writer, late)
            )

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=tls)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _pass_on(
    reader: asyncio.StreamReader, writer: asyncio.StreamWriter, delay: Callable[[], float]
) -> None:
    try:
        with suppress(OSError):
            while data := await reader.read(65536):
                await asyncio.sleep(delay())
                writer.write(data)
                await writer.drain()
    finally:
        writer.close()
