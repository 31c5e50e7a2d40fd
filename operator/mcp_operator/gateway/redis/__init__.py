"""The Redis that the gateways of one server share, over a connection that never delays calls.

A link connects in the background and knows whether Redis is available. A command gets its reply
within `session.CALL_SECONDS`, or fails. After a timeout, the link closes the connection and
reconnects in the background, while calls continue without Redis.
"""
