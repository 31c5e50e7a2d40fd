"""Serves the fixture for the conformance suite until it is interrupted.

The official suite needs Node 22 or newer and a URL on `localhost`. With `operator` and `tests` on
the PYTHONPATH:

    python tests/contract/conformance_server.py 8080 &
    npx @modelcontextprotocol/conformance server --url http://localhost:8080/mcp \
        --requirements 2026-07-28
"""

from __future__ import annotations

import asyncio
import sys
from contextlib import suppress

from support.everything import serving_everything


async def main(port: int) -> None:
    async with serving_everything(port) as served:
        print(served.url, flush=True)  # noqa: T201 - the user needs the URL
        await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        asyncio.run(main(int(sys.argv[1])))
