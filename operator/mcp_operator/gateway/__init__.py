"""The data plane: serves MCP Streamable HTTP to clients, and calls backends of tools over HTTP."""
