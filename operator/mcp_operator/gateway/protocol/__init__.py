"""The MCP protocol core: takes a request, and returns a response or a stream of events.

It does not depend on sockets or on an HTTP library, so the front can be replaced, and tests need
neither. `endpoint.Endpoint` is the entry point.
"""
