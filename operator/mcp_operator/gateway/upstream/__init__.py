"""The path of a call to a backend and back.

mapping        maps arguments to an HTTP request (pure)
outgoing       adds forwarded headers, credentials and TLS to the request
secret_values  reads Secrets when they are needed
names          resolves names with the system's resolver and a deadline
addresses      decides which addresses can be connected to
pool           connections to backends, with HTTP/1.1
client         sends one request and reads one response
retries        repeats requests that the author allows, within a budget
bulkhead       limits the concurrent calls of each backend
content        maps a response to MCP content (pure)
"""
