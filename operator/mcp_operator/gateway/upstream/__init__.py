"""The way from a call to a backend and back.

mapping        arguments to an HTTP request (pure)
outgoing       what else the request carries: forwarded headers, credentials, TLS
secret_values  Secrets, read when they are needed
names          the system's resolver, with a deadline
addresses      which addresses may be connected to
pool           connections to backends, over which HTTP/1.1 is spoken
client         sends one request and reads one answer
retries        sends again what its author allows, within a budget
bulkhead       bounds the concurrent calls of each backend
content        an answer to MCP content (pure)
"""
