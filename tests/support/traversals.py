"""Path arguments that escape their segment on some servers."""

TRAVERSALS = [
    ".",
    "..",
    "../admin",
    "..\\admin",
    "a/b",
    "/",
    "\\",
    "%2e%2e",
    "%2E%2e%2Fadmin",
    "%252e%252e",
    "%25252e%25252e%25252fadmin",
    "..%2f",
    "..%5c",
    ".%2e",
    "a%2fb",
    "%5c",
    "%00",
    "a\x00b",
    "a\rb",
    "a\nb",
    "a%0d%0ab",
    "a%250ab",
    "\x7f",
    "",
    "..;",
    "..;a=b",
    "..;/admin",
    "%2e%2e;x",
    "\uff0e\uff0e",  # full-width dots
    "\uff0e\uff0e\uff0fadmin",
    "\u2025",  # two dot leader
    "a\uff0fb",  # full-width solidus
    "a\uff3cb",  # full-width reverse solidus
    "\ud800",
]
