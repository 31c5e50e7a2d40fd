"""The ports of a gateway: aiohttp's HTTP server, and the guards that it lacks."""
