"""Requests that a browser sends on behalf of another site's page, told from those of programs and people here.

What belongs here: the one rule for everything of the kit that listens on loopback. What does not: how each answers.

A page can make its reader's browser send requests to loopback, and by DNS rebinding even under a name of the page's own.
What a page can't do is choose the headers Host, Origin and Sec-Fetch-*. W3C, "Fetch Metadata Request Headers".
"""

import re
from collections.abc import Callable

_LOOPBACK = re.compile(r"(?:127\.0\.0\.1|(?:[a-z0-9_.-]+\.)?localhost|\[::1\])(?::[0-9]{1,5})?").fullmatch
Header = Callable[[str], str]


def is_loopback(host: str) -> bool:
    """Whether the value of the header Host can only be this machine, whoever gives out names."""
    return _LOOPBACK(host.lower()) is not None


def foreign_page(header: Header) -> str:
    """Why a request comes from another site's page, "" where it does not.

    `header` gives the value of a header, "" for none.
    """
    site, origin = header("Sec-Fetch-Site").lower(), header("Origin").lower()
    if site not in ("", "none", "same-origin"):
        return f"this request comes from a page of another site (Sec-Fetch-Site: {site})"
    if origin and origin not in (f"{scheme}://{header('Host').lower()}" for scheme in ("http", "https")):
        return "this request comes from a page of another site (Origin)"
    return ""


def is_navigation(header: Header) -> bool:
    """Whether a person follows a link in a tab of its own: the page with the link never sees the answer."""
    wanted = ("navigate", "document")
    found = (header("Sec-Fetch-Mode").lower(), header("Sec-Fetch-Dest").lower())
    return found == wanted and not header("Origin")
