"""What httpd's directives say, as the records of servers.places."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from ..places import Folder, Location, Place, Server, Site
from . import LOOK
from .syntax import Directive, Mistake

#: they change nothing that a client of this machine could see
_HARMLESS = """
    serverroot user group serveradmin loadmodule loglevel logformat typesconfig adddefaultcharset addcharset
    mimemagicfile enablesendfile enablemmap timeout keepalive keepalivetimeout maxkeepaliverequests pidfile mutex
    servertokens serversignature hostnamelookups usecanonicalname addlanguage languagepriority forcelanguagepriority
    addicon addiconbytype addiconbyencoding defaulticon readmename headername indexignore indexoptions startservers
    minspareservers maxspareservers maxrequestworkers serverlimit minsparethreads maxsparethreads threadsperchild
    maxconnectionsperchild traceenable limitrequestbody proxyrequests proxypassreverse proxyerroroverride
    protocols extendedstatus setenvif browsermatch addencoding fileetag
"""
HARMLESS = frozenset(_HARMLESS.split())
#: modules that are not here, by what their directives begin with
_ABSENT = {
    "rewrite": "mod_rewrite", "ssl": "mod_ssl (no TLS)", "script": "CGI", "php": "PHP", "addhandler": "handlers",
    "sethandler": "handlers", "auth": "passwords", "balancer": "mod_proxy_balancer", "wsgi": "mod_wsgi",
    "passenger": "Passenger", "security": "mod_security", "deflate": "mod_deflate", "expires": "mod_expires",
}  # fmt: skip
_STATUS = {"permanent": "301", "temp": "302", "seeother": "303", "gone": "410"}


@dataclass
class _Config:
    """What has been read so far: folders by path, ports, the server outside every VirtualHost."""

    main: Server = field(default_factory=Server)
    folders: dict[str, Folder] = field(default_factory=dict)
    ports: list[int] = field(default_factory=list)
    hosts: list[Server] = field(default_factory=list)


def understand(directives: list[Directive]) -> Site:
    """The servers of a configuration. Raises Mistake."""
    config = _Config()
    config.main.index, config.main.root = ["index.html"], "/var/www/html"
    config.main.connect_timeout = config.main.read_timeout = 60
    later = []
    for each in directives:
        name = each.name.lower()
        if name == "listen":
            config.ports.append(_port(each, each.words[0]))
        elif name == "virtualhost":
            later.append(each)
        else:
            _general(config.main, each, config)
    if not config.ports:
        raise Mistake("no listening sockets available, shutting down\nAH00015: Unable to open logs")
    config.hosts += [_host(each, config) for each in later]
    return Site(LOOK, _servers(config), {}, list(config.folders.values()))


def _servers(config: _Config) -> list[Server]:
    """Each port's first VirtualHost is its default; where there is none, the main server answers."""
    named = {port for host in config.hosts for _, port, _ in host.listens}
    config.main.listens = [("", port, False) for port in config.ports if port not in named]
    served = [config.main] if config.main.listens else []
    for server in (*served, *config.hosts):
        for location in server.locations:
            location.take_from(server)
    return [*config.hosts, *served]


def _host(each: Directive, config: _Config) -> Server:
    made = Server()
    ports = [_port(each, word) for word in each.words]
    made.listens = [("", port, False) for port in ports if port in config.ports]
    for inner in each.block or []:
        _general(made, inner, config)
    made.take_from(config.main)
    made.locations += config.main.locations
    return made


def _port(each: Directive, word: str) -> int:
    """The port of "80", "*:80", "0.0.0.0:80", "_default_:80"."""
    number = word.rpartition(":")[2]
    if not number.isdigit():
        number = "80" if each.name.lower() == "virtualhost" else ""
    if not number or not 0 < int(number) < 65536:
        raise each.mistake(f"Invalid address or port: {word}")
    return int(number)


# -- directives -------------------------------------------------------------------------------------------


def _general(server: Server, each: Directive, config: _Config) -> None:
    """What stands in a server."""
    name = each.name.lower()
    if name in _SERVER:
        if not each.words:
            raise each.mistake(f"{each.name} takes an argument")
        _SERVER[name](server, each)
    elif name == "directory":
        _folder(each, config)
    elif name in ("location", "locationmatch"):
        _location(server, each)
    elif name in ("files", "filesmatch"):
        _only_known(each.block or [], ("require",))
    else:
        _place(server, each)


def _place(place: Place, each: Directive) -> None:
    """What stands in a server, a folder or a location."""
    name = each.name.lower()
    if name == "errordocument":
        place.error_pages[int(each.words[0])] = each.words[1]
    elif name == "header":
        words = [word for word in each.words if word.lower() not in ("always", "onsuccess")]
        if words[0].lower() not in ("set", "add", "append", "merge"):
            raise each.mistake(f"The local cloud's httpd has no Header {words[0]}")
        place.add_headers.append((words[1], words[2]))
    elif name == "directoryindex":
        place.index = each.words
    elif name not in HARMLESS:
        raise _unknown(each)


def _names(server: Server, each: Directive) -> None:
    server.names += [word.partition(":")[0] for word in each.words]


def _root(server: Server, each: Directive) -> None:
    server.root = each.words[0]


def _log(server: Server, each: Directive) -> None:
    path = each.words[0]
    if not path.startswith("|"):
        path = path.replace("${APACHE_LOG_DIR}", "/var/log/httpd")
        server.access_log = path if path.startswith("/") else "/var/log/httpd/" + path.removeprefix("logs/")


def _alias(server: Server, each: Directive) -> None:
    server.locations.append(Location(kind="/", pattern=each.words[0], alias=each.words[1]))


def _redirect(server: Server, each: Directive) -> None:
    status = _STATUS.get(each.words[0].lower(), each.words[0])
    words = each.words[1:] if status.isdigit() else each.words
    target = [words[1] + "$path_rest"] if len(words) > 1 else []
    made = Location(kind="/", pattern=words[0], returns=[status if status.isdigit() else "302", *target])
    server.locations.append(made)


def _proxy(server: Server, each: Directive) -> None:
    path, target = each.words[0], each.words[1]
    made = Location(kind="/", pattern=path)
    if target == "!":
        made.root = server.root or "/var/www/html"
    elif not target.startswith("http://"):
        raise each.mistake(f"The local cloud's httpd passes requests on to http:// only, not to {target}")
    else:
        made.proxy = target if "/" in target[7:] else target + "/"
        made.set_headers = [
            ("X-Forwarded-For", "$proxy_add_x_forwarded_for"),
            ("X-Forwarded-Host", "$http_host"),
            ("X-Forwarded-Server", "$host"),
        ]
    server.locations.append(made)


def _preserve(server: Server, each: Directive) -> None:
    if each.words[0].lower() == "on":
        server.set_headers.append(("Host", "$http_host"))


_SERVER: dict[str, Callable[[Server, Directive], None]] = {
    "servername": _names, "serveralias": _names, "documentroot": _root, "customlog": _log, "alias": _alias,
    "redirect": _redirect, "proxypass": _proxy, "proxypreservehost": _preserve, "errorlog": lambda server, each: None,
}  # fmt: skip


def _folder(each: Directive, config: _Config) -> None:
    path = each.words[0]
    if path == "~" or any(sign in path for sign in "*?["):
        raise each.mistake("The local cloud's httpd has no patterns in <Directory>")
    made = config.folders.setdefault(path, Folder(path))
    for inner in each.block or []:
        name, words = inner.name.lower(), [word.lower() for word in inner.words]
        if name == "require":
            made.shut = words[:2] == ["all", "denied"]
        elif name == "options":
            made.listed = _listed(words, made.listed)
        elif name == "allowoverride":
            made.own_rules = "" if words == ["none"] else ".htaccess"
        elif name in ("directoryindex", "header", "errordocument"):
            _place(config.main, inner)
        elif name not in ("order", "allow", "deny", *HARMLESS):
            raise _unknown(inner)


def _listed(words: list[str], before: bool | None) -> bool | None:
    for sign, value in (("-", False), ("+", True), ("", True)):
        if sign + "indexes" in words:
            return value
    return before if any(word[:1] in "+-" for word in words) else "all" in words


def _location(server: Server, each: Directive) -> None:
    pattern = each.words[-1]
    made = Location(kind="~" if each.name.lower() == "locationmatch" else "/", pattern=pattern)
    if made.kind == "~":
        try:
            re.compile(pattern)
        except re.error as error:
            raise each.mistake(f"Regex could not be compiled: {error}") from error
    for inner in each.block or []:
        name = inner.name.lower()
        if name == "require":
            if [word.lower() for word in inner.words[:2]] == ["all", "denied"]:
                made.returns = ["403"]
        elif name == "proxypass":
            _proxy(server, Directive("ProxyPass", [pattern, *inner.words], inner.line, inner.path))
        elif name != "options":
            _place(made, inner)
    server.locations.append(made)


def _only_known(directives: list[Directive], names: tuple[str, ...]) -> None:
    for each in directives:
        if each.name.lower() not in (*names, *HARMLESS):
            raise _unknown(each)


def _unknown(each: Directive) -> Mistake:
    absent = next((what for start, what in _ABSENT.items() if each.name.lower().startswith(start)), "")
    if absent:
        return each.mistake(f"The local cloud's httpd has no {absent}: {each.name}")
    return each.mistake(
        f"Invalid command '{each.name}', perhaps misspelled or defined by a module not included in the server "
        "configuration"
    )
