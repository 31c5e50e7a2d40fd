"""Several processes that serve as one gateway: `--workers`.

The parent serves no clients. It reserves the MCP port, starts the workers, which all listen on that
port (SO_REUSEPORT), restarts those that exit, and answers for all of them on the management port.
"""
