"""HTTP/1.1 to untrusted backends, over connections that are reused.

head        the request line and headers (pure)
reply       one response, parsed by llhttp, with strict rules for where it ends
connection  one request and one response at a time
pool        connections that are opened as needed, reused for a short time, and closed

A request is sent once. Only its sender knows whether it can be repeated.
"""
