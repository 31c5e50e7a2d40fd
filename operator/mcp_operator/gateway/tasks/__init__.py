"""Tasks (extension `io.modelcontextprotocol/tasks`): calls that continue after their response."""
