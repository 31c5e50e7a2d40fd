"""`python -m mcp_operator` is the command `mcp-operator`."""

from __future__ import annotations

import sys

from mcp_operator.cli import main

if __name__ == "__main__":
    sys.exit(main())
