"""Apache httpd as an instance has it: a real web server that reads httpd's own configuration.

What belongs here: the directives that labs use; others are refused by name. What does not: TLS, rewriting, CGI, PHP.
Runs inside the instance, by this machine's interpreter: standard library only.
"""

from ..places import Look

VERSION = "Apache/2.4.65 (Amazon Linux)"
#: more than a status' own name, where httpd says more
_SAYS = {
    403: "You don't have permission to access this resource.",
    404: "The requested URL was not found on this server.",
    500: "The server encountered an internal error or misconfiguration and was unable to complete your request.",
    503: "The server is temporarily unable to service your request due to maintenance downtime or capacity problems.",
}


def _page(status: int, reason: str) -> str:
    return (
        '<!DOCTYPE HTML PUBLIC "-//IETF//DTD HTML 2.0//EN">\n<html><head>\n'
        f"<title>{status} {reason}</title>\n</head><body>\n<h1>{reason}</h1>\n<p>{_SAYS.get(status, '')}</p>\n"
        "</body></html>\n"
    )


LOOK = Look(VERSION, "/var/log/httpd/access_log", "/var/log/httpd/error_log", _page)
