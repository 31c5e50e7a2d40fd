"""`mcp-operator top`: what the servers of a cluster do, now.

`reading` asks the API server, `figures` makes rates of two readings, `screen` makes lines of them,
and `command` repeats that in a terminal. `figures` and `screen` are pure.
"""
