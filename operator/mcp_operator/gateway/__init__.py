"""The data plane: MCP Streamable HTTP to clients, HTTP to the services behind the tools."""
