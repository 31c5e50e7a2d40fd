"""Who may do what: pure decisions on requests, and the little I/O that they need beside them.

`guard` decides whom a request comes from (`by_key` with `apikeys`, `by_token` with `tokens` and
`jwks`), `access` what that client is served; `challenge` tells a client how to get in, `audit` the
owner who did what.
"""
