"""The ports of a gateway: aiohttp's HTTP server, with the limits that it lacks."""
