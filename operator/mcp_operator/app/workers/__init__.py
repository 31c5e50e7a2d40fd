"""Several processes that serve as one gateway: `--workers`.

The parent serves no client. It reserves the MCP port, starts the workers, which all listen there
(SO_REUSEPORT), starts those again that end, and speaks for all of them at the management port.
"""
