"""Aborts of transports, which must not fail, whatever became of the connection."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path

from mcp_operator.core.transports import abort
from support.certificates import Authority


async def test_a_tls_transport_that_was_closed_after_its_connection_was_lost_can_be_aborted(
    tmp_path: Path,
) -> None:
    files = Authority(tmp_path, "ca").issue("server", hosts=("127.0.0.1",))
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(*files)
    accepted = asyncio.get_running_loop().create_future()
    async with await asyncio.start_server(
        lambda _, writer: accepted.set_result(writer), "127.0.0.1", 0, ssl=server_side
    ) as server:
        trusting = ssl.create_default_context(cafile=tmp_path / "ca.crt")
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=trusting)
        await accepted
        writer.transport.abort()
        await writer.wait_closed()
        writer.transport.close()
        abort(writer.transport)
        abort(accepted.result().transport)
        assert writer.transport.is_closing()
