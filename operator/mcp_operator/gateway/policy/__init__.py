"""Who may do what: pure decisions on requests, and the little I/O that they need beside them.

`guard` decides whom a request comes from, by `apikeys` or by `tokens` with the keys of `jwks`;
`challenge` tells a client how to get in.
"""
