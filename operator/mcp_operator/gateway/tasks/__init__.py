"""Tasks (extension `io.modelcontextprotocol/tasks`): calls that go on after they were answered."""
