"""nginx as an instance has it: a real web server and reverse proxy that reads nginx's own configuration.

What belongs here: the directives that labs use; others are refused by name. What does not: TLS, rewriting, caching.
Runs inside the instance, by this machine's interpreter: standard library only.
"""

from ..places import Look

VERSION = "1.28.0"


def _page(status: int, reason: str) -> str:
    title = f"{status} {reason}"
    return (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        f"<hr><center>nginx/{VERSION}</center>\r\n</body>\r\n</html>\r\n"
    )


LOOK = Look(f"nginx/{VERSION}", "/var/log/nginx/access.log", "/var/log/nginx/error.log", _page)
