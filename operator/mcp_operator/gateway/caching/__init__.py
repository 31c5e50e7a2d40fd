"""Caches responses of backends, for as long as the author of a tool or resource allows.

The cache key contains everything that can differ between two clients, so no client gets a response
meant for another. Errors are never cached. While a call is in flight, equal calls wait for its
response.
"""
