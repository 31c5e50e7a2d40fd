"""Authentication and authorization: pure decisions on requests, and the little I/O that they need.

`guard` decides which client sent a request (`by_key` with `apikeys`, `by_token` with `tokens` and
`jwks`). `access` decides what that client is served. `challenge` tells a client how to
authenticate, and `audit` logs who called what.
"""
