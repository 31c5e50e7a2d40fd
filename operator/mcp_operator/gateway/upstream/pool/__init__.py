"""HTTP/1.1 to backends, each taken for hostile, over connections that are kept.

head        the request's line and headers (pure)
reply       one answer, parsed by llhttp and held to the rules that keep answers apart
connection  one request and one answer at a time
pool        connections made as they are needed, kept for a moment, and given up

A request is sent once. Whether it may be sent again only its sender knows.
"""
