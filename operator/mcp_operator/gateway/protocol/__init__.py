"""The MCP protocol core: a request value in, a response value or a stream of events out.

It knows nothing of sockets or of an HTTP library, so that the front can be changed and the core
tested without one. `endpoint.Endpoint` is the way in.
"""
