"""A site as records: servers, places in them, upstreams; whichever language they were written in."""

from collections.abc import Callable
from dataclasses import dataclass, field

#: what a location takes over from its server, and a server from what is above it
_TAKEN = ("root", "index", "max_body", "connect_timeout", "read_timeout", "default_type", "set_headers", "add_headers",
          "error_pages", "try_files", "access_log")  # fmt: skip


@dataclass(frozen=True)
class Look:
    """How a server presents itself: its `name` in headers, its logs, the page for a status, the line of a log.

    `line` gets client, time (%d/%b/%Y:%H:%M:%S +0000), request line, status, length, Referer and User-Agent.
    """

    name: str
    access_log: str
    error_log: str
    page: Callable[[int, str], str]
    line: str = '{client} - - [{at}] "{request}" {status} {length} "{referer}" "{agent}"\n'


@dataclass
class Place:
    """What holds at one level; None and empty mean: as the level above."""

    root: str | None = None
    alias: str | None = None
    index: list[str] | None = None
    proxy: str | None = None
    returns: list[str] | None = None
    try_files: list[str] | None = None
    default_type: str | None = None
    max_body: int | None = None
    connect_timeout: float | None = None
    read_timeout: float | None = None
    set_headers: list[tuple[str, str]] = field(default_factory=list)
    add_headers: list[tuple[str, str]] = field(default_factory=list)
    error_pages: dict[int, str] = field(default_factory=dict)
    access_log: str = ""

    def take_from(self, above: "Place") -> None:
        """Take over what this level does not say."""
        for name in _TAKEN:
            if not getattr(self, name) and getattr(self, name) != 0:
                setattr(self, name, getattr(above, name))


@dataclass
class Location(Place):
    """One location: modifier ("", "=", "~", "~*", "^~", "@"; "/": a prefix that ends where a name ends) and pattern."""

    kind: str = ""
    pattern: str = ""


@dataclass
class Server(Place):
    """One server block."""

    listens: list[tuple[str, int, bool]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)
    locations: list[Location] = field(default_factory=list)


@dataclass
class Folder:
    """What holds for the files below `path`: whether they may be read, and listed where there is no index.

    `own_rules`: a file of this name in it changes its rules; "" where none does.
    """

    path: str
    shut: bool | None = None
    listed: bool | None = None
    own_rules: str | None = None

    def over(self, above: "Folder") -> "Folder":
        """What holds here, with what this folder does not say taken from the one above."""
        return Folder(
            self.path,
            above.shut if self.shut is None else self.shut,
            above.listed if self.listed is None else self.listed,
            above.own_rules if self.own_rules is None else self.own_rules,
        )


@dataclass
class Site:
    """All of it."""

    look: Look
    servers: list[Server] = field(default_factory=list)
    upstreams: dict[str, list[str]] = field(default_factory=dict)
    folders: list[Folder] = field(default_factory=list)

    def folder_of(self, file: str) -> Folder:
        """The rules for a file: of all folders that it lies in, the inner ones last."""
        found = Folder("/")
        inside = [
            each for each in self.folders if (file.rstrip("/") + "/").startswith(each.path.rstrip("/") + "/")
        ]
        for each in sorted(inside, key=lambda one: len(one.path)):
            found = each.over(found)
        return found
