"""Objects with invalid icons."""

from __future__ import annotations

from support.manifests import prompt, resource, server, tool, tools
from support.negatives.case import Negative

ICON = {"src": "https://a.example/i.png"}

ICONS = [
    Negative(
        "an icon that is a script",
        server(icons=[{"src": "javascript:alert(1)"}]),
        "spec.icons[0].src",
        "write a URL with https",
    ),
    Negative(
        "an icon without TLS",
        server(icons=[{"src": "http://a.example/i.png"}]),
        "spec.icons[0].src",
        "write a URL with https, or a data: URI",
    ),
    Negative(
        "an icon with an unknown theme",
        server(icons=[{"src": "https://a.example/i.png", "theme": "rain"}]),
        "spec.icons[0].theme",
        'supported values: "light", "dark"',
    ),
    Negative("an icon without src", server(icons=[{}]), "spec.icons[0].src", "Required value"),
    Negative(
        "an icon with an invalid size",
        server(icons=[{"src": "https://a.example/i.png", "sizes": ["large"]}]),
        "spec.icons[0].sizes[0]",
        "write a size such as 48x48",
    ),
    Negative(
        "five icons",
        server(icons=[{"src": f"https://a.example/{number}.png"} for number in range(5)]),
        "spec.icons",
        "must have at most 4 items",
    ),
    Negative(
        "a tool with an icon without TLS",
        tool(icons=[{"src": "http://a.example/i.png"}]),
        "spec.icons[0].src",
        "write a URL with https, or a data: URI",
    ),
    Negative(
        "an entry with an icon of an invalid size",
        tools(
            {
                "name": "a",
                "path": "/a",
                "icons": [{"src": "https://a.example/i.png", "sizes": ["large"]}],
            }
        ),
        "spec.tools[0].icons[0].sizes[0]",
        "write a size such as 48x48",
    ),
    Negative(
        "a prompt with an icon without TLS",
        prompt(icons=[{"src": "http://a.example/i.png"}]),
        "spec.icons[0].src",
        "write a URL with https, or a data: URI",
    ),
    Negative(
        "a resource with two icons of one URL",
        resource(
            content={"uri": "a:b", "text": "x"}, icons=[{"src": "https://a.example/i.png"}] * 2
        ),
        "spec.icons[1]",
        "Duplicate value",
    ),
]
