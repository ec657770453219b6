"""What the directives say, as the records of web.places."""

import re

from ..places import Location, Place, Server, Site
from . import LOOK
from .syntax import Directive, Mistake

#: they change nothing that a client of this machine could see
_HARMLESS = """
    user worker_processes error_log pid events worker_connections log_format access_log sendfile tcp_nopush
    tcp_nodelay keepalive_timeout keepalive types_hash_max_size types_hash_bucket_size server_tokens gzip gzip_types
    gzip_min_length gzip_vary gzip_proxied gzip_comp_level worker_rlimit_nofile multi_accept use proxy_http_version
    proxy_buffering proxy_request_buffering proxy_buffers proxy_buffer_size proxy_busy_buffers_size charset
    client_body_buffer_size client_header_timeout client_body_timeout send_timeout server_names_hash_bucket_size
    proxy_cache_bypass proxy_no_cache proxy_redirect types daemon master_process load_module expires etag
    ignore_invalid_headers log_not_found reset_timedout_connection least_conn
    ip_hash zone map_hash_bucket_size open_file_cache
"""
HARMLESS = frozenset(_HARMLESS.split())
_BLOCKS = ("http", "server", "location", "upstream", "events", "types")


def understand(directives: list[Directive]) -> Site:
    """The servers of a configuration. Raises Mistake."""
    site = Site(LOOK)
    for each in directives:
        if each.name == "http":
            _http(each.block or [], site)
        elif each.name not in HARMLESS:
            raise _unknown(each)
    return site


def _http(block: list[Directive], site: Site) -> None:
    above = Place(
        index=["index.html"], max_body=1 << 20, connect_timeout=60, read_timeout=60, default_type="text/plain"
    )
    for each in block:
        if each.name not in ("server", "upstream"):
            _general(above, each)
    for each in block:
        if each.name == "upstream":
            site.upstreams[each.words[0]] = [d.words[0] for d in each.block or [] if d.name == "server"]
        elif each.name == "server":
            site.servers.append(_server(each, above))


def _server(directive: Directive, above: Place) -> Server:
    made = Server()
    for each in directive.block or []:
        if each.name == "listen":
            made.listens.append(_listen(each))
        elif each.name == "server_name":
            made.names += each.words
        elif each.name == "location":
            made.locations.append(_location(each))
        else:
            _general(made, each)
    made.listens = [listen for listen in made.listens if listen[1]] or [("", 80, False)]
    made.take_from(above)
    for location in made.locations:
        location.take_from(made)
    return made


def _listen(directive: Directive) -> tuple[str, int, bool]:
    where = directive.words[0]
    if "ssl" in directive.words[1:]:
        raise Mistake(f'the local cloud has no TLS behind "listen {where} ssl" in {directive.where}')
    if where.startswith("["):
        return "", 0, False  # the same port for IPv6
    host, _, port = where.rpartition(":")
    host, port = (host, port) if host or where.isdigit() else (where, "80")
    if not port.isdigit():
        raise Mistake(f'invalid port in "{where}" of the "listen" directive in {directive.where}')
    return (
        host.replace("*", ""),
        int(port),
        "default_server" in directive.words or "default" in directive.words,
    )


def _location(directive: Directive) -> Location:
    words = directive.words
    kind, pattern = (words[0], words[1]) if len(words) == 2 else ("", words[0])
    if pattern.startswith("@"):
        kind = "@"
    made = Location(kind=kind, pattern=pattern)
    for each in directive.block or []:
        if each.name == "proxy_pass":
            made.proxy = _argument(each)
            if not made.proxy.startswith("http://"):
                raise Mistake(f"invalid URL prefix in {each.where}")
        elif each.name == "alias":
            made.alias = _argument(each)
        else:
            _general(made, each)
    return made


def _general(place: Place, each: Directive) -> None:
    """What http, server and location have in common."""
    if each.name == "root":
        place.root = _argument(each)
    elif each.name == "index":
        place.index = each.words
    elif each.name == "return":
        place.returns = each.words
    elif each.name == "try_files":
        place.try_files = each.words
    elif each.name == "default_type":
        place.default_type = _argument(each)
    elif each.name == "client_max_body_size":
        place.max_body = _size(_argument(each))
    elif each.name == "proxy_connect_timeout":
        place.connect_timeout = _seconds(_argument(each))
    elif each.name in ("proxy_read_timeout", "proxy_send_timeout"):
        place.read_timeout = _seconds(_argument(each))
    elif each.name == "proxy_set_header":
        place.set_headers.append((each.words[0], each.words[1]))
    elif each.name == "add_header":
        place.add_headers.append((each.words[0], each.words[1]))
    elif each.name == "error_page":
        place.error_pages.update({int(code): each.words[-1] for code in each.words[:-1] if code.isdigit()})
    elif each.name not in HARMLESS:
        raise _unknown(each)


def _argument(each: Directive) -> str:
    if len(each.words) != 1:
        raise Mistake(f'invalid number of arguments in "{each.name}" directive in {each.where}')
    return each.words[0]


def _unknown(each: Directive) -> Mistake:
    if each.name in _BLOCKS:
        return Mistake(f'"{each.name}" directive is not allowed here in {each.where}')
    return Mistake(f'unknown directive "{each.name}" in {each.where}')


def _size(text: str) -> int:
    units = {"k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
    return int(re.sub(r"\D", "", text)) * units.get(text[-1].lower(), 1)


def _seconds(text: str) -> float:
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h|)", text).groups()  # type: ignore[union-attr]
    return int(number) * {"ms": 0.001, "m": 60, "h": 3600}.get(unit, 1)
