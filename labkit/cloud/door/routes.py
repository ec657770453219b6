"""Operations of REST services, found by method, path, query and headers.

What belongs here: matching a request against botocore's service descriptions, read when a service is
first asked for. What does not: services whose requests name their operation (see reading).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from botocore.exceptions import UnknownServiceError

from labkit.aws.services import descriptions

#: signing names that differ from botocore's name of the service
_BOTOCORE_NAMES = {
    "monitoring": "cloudwatch",
    "email": "ses",
    "elasticfilesystem": "efs",
    "states": "stepfunctions",
    "elasticloadbalancing": "elbv2",
    "tagging": "resourcegroupstaggingapi",
}
_LABEL = re.compile(r"\{([^}+]+)(\+?)\}")


def botocore_name(service: str) -> str:
    """What botocore calls the service with this signing name."""
    return _BOTOCORE_NAMES.get(service, service)


@dataclass(frozen=True)
class Route:
    """One operation: its path as a pattern, what the query must hold, and where its input is."""

    operation: str
    method: str
    path: Callable[[str], re.Match[str] | None]
    labels: tuple[str, ...]
    fixed: Mapping[str, str]
    needed_query: frozenset[str]
    needed_headers: Mapping[str, str]
    query: Mapping[str, str]
    deprecated: bool

    def score(self, query: Mapping[str, str], headers: Callable[[str], str]) -> int:
        """How much of the request the operation explains; -1 where it does not fit."""
        for name, value in self.fixed.items():
            if name != "x-id" and (name not in query or (value and query[name] != value)):
                return -1
        if not self.needed_query <= query.keys() or not all(headers(name) for name in self.needed_headers):
            return -1
        named = query.get("x-id") in ("", None, self.operation)
        explained = len(self.fixed) + len(self.needed_query) + len(self.needed_headers)
        return 4 * explained + 2 * named + (not self.deprecated)


@dataclass(frozen=True)
class Matched:
    """The operation of a request and its input from path, query and required headers, by parameter."""

    operation: str
    parameters: Mapping[str, str]


class Routes:
    """All operations of one REST service."""

    def __init__(self, protocol: str, routes: Sequence[Route]) -> None:
        self.protocol = protocol
        self._by_method: dict[str, list[Route]] = {}
        for route in routes:
            self._by_method.setdefault(route.method, []).append(route)

    def match(
        self, method: str, path: str, query: Mapping[str, str], headers: Callable[[str], str]
    ) -> Matched | None:
        """The operation that explains most of the request, or None. `path` is decoded.

        `headers` gives a header's value by its name, "" where it is not sent.
        """
        best: tuple[int, Route, re.Match[str]] | None = None
        for route in self._by_method.get(method, ()):
            found = route.path(path)
            score = route.score(query, headers) if found else -1
            if found and score >= 0 and (best is None or score > best[0]):
                best = (score, route, found)
        if best is None:
            return None
        _, route, found = best
        parameters = dict(zip(route.labels, found.groups(), strict=True))
        parameters |= {member: query[name] for name, member in route.query.items() if name in query}
        parameters |= {member: headers(name) for name, member in route.needed_headers.items()}
        return Matched(route.operation, parameters)


@lru_cache(maxsize=64)
def routes_of(service: str) -> Routes | None:
    """The routes of a service by its signing name; None for unknown services and those without REST."""
    loader = descriptions()
    try:
        model = loader.load_service_model(botocore_name(service), "service-2")
    except UnknownServiceError:
        return None
    protocol = model["metadata"]["protocol"]
    if not protocol.startswith("rest-"):
        return None
    shapes = model["shapes"]
    return Routes(protocol, [_route(op, shapes) for op in model["operations"].values()])


def _route(operation: Mapping[str, Any], shapes: Mapping[str, Any]) -> Route:
    uri, _, query = operation["http"]["requestUri"].partition("?")
    shape = shapes[operation["input"]["shape"]] if "input" in operation else {}
    members, required = shape.get("members", {}), set(shape.get("required", ()))
    in_query = _located(members, "querystring")
    in_headers = _located(members, "header")
    return Route(
        operation=operation["name"],
        method=operation["http"]["method"],
        path=_pattern(uri),
        labels=_labels(uri, members),
        fixed=dict(parse_qsl(query, keep_blank_values=True)),
        needed_query=frozenset(name for name, member in in_query.items() if member in required),
        needed_headers={name: member for name, member in in_headers.items() if member in required},
        query=in_query,
        deprecated=bool(operation.get("deprecated")),
    )


def _located(members: Mapping[str, Any], location: str) -> dict[str, str]:
    """Name on the wire → parameter, for members sent in `location`."""
    return {
        member.get("locationName", name): name
        for name, member in members.items()
        if member.get("location") == location
    }


def _pattern(uri: str) -> Callable[[str], re.Match[str] | None]:
    path, parts, end = uri.rstrip("/") or "", [], 0
    for label in _LABEL.finditer(path):
        parts += [re.escape(path[end : label.start()]), "(.+)" if label[2] else "([^/]+)"]
        end = label.end()
    greedy = "+}" in uri
    return re.compile("".join(parts) + re.escape(path[end:]) + ("" if greedy else "/?"), re.DOTALL).fullmatch


def _labels(uri: str, members: Mapping[str, Any]) -> tuple[str, ...]:
    wire = {
        member.get("locationName", name): name
        for name, member in members.items()
        if member.get("location") == "uri"
    }
    return tuple(wire.get(label[1], label[1]) for label in _LABEL.finditer(uri))
