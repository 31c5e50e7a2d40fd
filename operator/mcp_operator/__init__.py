"""mcp-operator: serve HTTP services in a Kubernetes cluster over MCP, declared in YAML."""
