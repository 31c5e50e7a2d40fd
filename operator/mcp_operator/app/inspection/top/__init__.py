"""`mcp-operator top`: the load of the servers of a cluster, now.

`reading` asks the API server, `figures` computes rates from two readings, `screen` formats them,
and `command` repeats that in a terminal. `figures` and `screen` are pure.
"""
