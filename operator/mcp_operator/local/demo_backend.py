"""The backend of manifests/samples: a small shop with products and orders, kept in memory.

`mcp-operator serve --demo-backend` runs it in its own process. The samples' Deployment runs it with
`python -m mcp_operator.local.demo_backend`, which serves on 127.0.0.1:9000 by default.
"""

from __future__ import annotations

import argparse
import struct
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from typing import Final

from aiohttp import web

SERVICE: Final = "shop-backend"
"""The name of its Service in the samples."""


@dataclass(frozen=True)
class Product:
    """Something to buy; the price is in cents."""

    sku: str
    name: str
    price: int
    stock: int
    color: tuple[int, int, int]


@dataclass
class Order:
    """An order for a product."""

    id: int
    sku: str
    quantity: int
    note: str = ""
    status: str = "open"


PRODUCTS: Final = {
    product.sku: product
    for product in (
        Product("mug-red", "Red mug", 1250, 12, (200, 40, 40)),
        Product("mug-blue", "Blue mug", 1250, 3, (40, 80, 200)),
        Product("teapot", "Teapot for two", 4200, 5, (230, 220, 200)),
        Product("tea-green", "Green tea, 100 g", 890, 40, (90, 160, 70)),
        Product("tea-black", "Black tea, 100 g", 790, 0, (50, 30, 20)),
    )
}
FIRST_ORDER: Final = 1001
ORDERS: Final = web.AppKey("orders", dict[int, Order])

routes = web.RouteTableDef()


def refuse(status: int, message: str) -> web.Response:
    """Return an error that a person, or a model, can act on."""
    return web.json_response({"error": message}, status=status)


@routes.get("/products")
async def search_products(request: web.Request) -> web.Response:
    """List products. `text`, `maxPrice` (cents) and `inStock` filter the list."""
    text = request.query.get("text", "").lower()
    max_price = int(request.query.get("maxPrice", "1000000000"))
    in_stock = request.query.get("inStock") == "true"
    found = [
        {"sku": product.sku, "name": product.name, "price": product.price, "stock": product.stock}
        for product in PRODUCTS.values()
        if text in product.name.lower()
        and product.price <= max_price
        and (product.stock or not in_stock)
    ]
    return web.json_response({"products": found, "total": len(found)})


@routes.get("/products/{sku}/picture")
async def picture(request: web.Request) -> web.Response:
    """Return a picture of a product: a PNG square in its color."""
    product = PRODUCTS.get(request.match_info["sku"])
    if product is None:
        return refuse(404, "there is no such product; search for its sku first")
    return web.Response(body=png(product.color), content_type="image/png")


@routes.post("/orders")
async def place_order(request: web.Request) -> web.Response:
    """Place an order from a JSON body."""
    wish = await request.json()
    product = PRODUCTS.get(wish["sku"])
    if product is None:
        return refuse(404, f"there is no product {wish['sku']}; search for its sku first")
    if wish["quantity"] > product.stock:
        return refuse(409, f"only {product.stock} of {product.sku} are left; order fewer")
    orders = request.app[ORDERS]
    number = FIRST_ORDER + len(orders)  # orders are never removed
    orders[number] = order = Order(number, product.sku, wish["quantity"], wish.get("note", ""))
    return web.json_response(asdict(order), status=201)


@routes.get("/orders/{id:[0-9]+}")
async def get_order(request: web.Request) -> web.Response:
    """Return an order."""
    order = request.app[ORDERS].get(int(request.match_info["id"]))
    return web.json_response(asdict(order)) if order else refuse(404, "there is no such order")


@routes.delete("/orders/{id:[0-9]+}")
async def cancel_order(request: web.Request) -> web.Response:
    """Cancel an order. Canceling it again has no effect."""
    order = request.app[ORDERS].get(int(request.match_info["id"]))
    if order is None:
        return refuse(404, "there is no such order")
    order.status = "cancelled"
    return web.json_response(asdict(order))


@routes.get("/report")
async def report(request: web.Request) -> web.Response:
    """Return the state of the shop as plain text."""
    lines = [f"{product.stock:>4}  {product.name}" for product in PRODUCTS.values()]
    still_open = sum(order.status == "open" for order in request.app[ORDERS].values())
    return web.Response(text="\n".join(["Stock:", *lines, f"Open orders: {still_open}", ""]))


@routes.get("/healthz")
async def healthz(_: web.Request) -> web.Response:
    """Report that the shop is running."""
    return web.Response(text="ok\n")


def png(color: tuple[int, int, int], side: int = 32) -> bytes:
    """Return a PNG image of a square in one color."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return (
            struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        )

    header = struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0)
    pixels = (b"\0" + bytes(color) * side) * side
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        (chunk(b"IHDR", header), chunk(b"IDAT", zlib.compress(pixels)), chunk(b"IEND", b""))
    )


def application() -> web.Application:
    """Return a shop without orders."""
    app = web.Application()
    app[ORDERS] = {}
    app.add_routes(routes)
    return app


@asynccontextmanager
async def demo_backend() -> AsyncIterator[str]:
    """Run a shop on a free port of this machine for the duration of the block.

    Yields:
        Its `HOST:PORT`.
    """
    runner = web.AppRunner(application(), access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        yield f"{host}:{port}"
    finally:
        await runner.cleanup()


def main() -> None:
    """Serve until interrupted."""
    parser = argparse.ArgumentParser(description="The backend of the mcp-operator samples.")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=9000)
    arguments = parser.parse_args()
    web.run_app(application(), host=arguments.host, port=arguments.port, access_log=None)


if __name__ == "__main__":
    main()
