"""`mcp-operator inspect`: a client of any MCP server, for people, on the official Python SDK.

The SDK is the extra `inspect` of the package: the operator and the gateway do not need it, and the
image does not contain it. `session`, `offers`, `questions`, `commands` and `watching` import it,
and are imported only when a command runs. The other modules are pure: they take the answers of a
server as JSON.
"""
