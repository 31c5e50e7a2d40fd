"""The Redis that the gateways of one server share, over a connection that keeps no call waiting.

A link connects in the background and knows whether Redis is available. A command is answered within
`session.CALL_SECONDS` or not at all: what does not answer is left at once, and tried again beside
the calls that then do without it.
"""
