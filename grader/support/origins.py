"""Where EC2_FLASK_URL comes from: its expression followed through the files to the server's private address.

What belongs here: following references in both languages. What does not: what the address is (the lab's clients).
Nothing is run: CloudFormation's functions are resolved with a mark in the address's place, of Terraform's expressions
only the references are read.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from labkit.base.errors import DeployError
from labkit.deploy import template
from labkit.grading.api import Lab
from labkit.grading.intake import hcl

VARIABLE = "EC2_FLASK_URL"
_MARK = "\x00"
_DYNAMIC = re.compile(r"\{\{resolve:ssm:([^:}]+)(?::\d+)?\}\}")
#: (type, attribute) that give the address of a server
_ADDRESSES = {("AWS::EC2::Instance", "PrivateIp"), ("AWS::EC2::NetworkInterface", "PrimaryPrivateIpAddress")}
_SERVERS = ("aws_instance", "aws_network_interface", "aws_eip", "aws_spot_instance_request")
_PATH = (".", "[", "]", "*")


def is_reference(lab: Lab) -> bool:
    """Whether the deployed EC2_FLASK_URL takes the address from the server; True where that can't be told."""
    if lab.engine == "terraform":
        names = [name for name in lab.files if name.endswith(".tf")]
        return terraform_refers(
            [data.decode("utf-8", "replace") for data in lab.system.files(names).values()]
        )
    return cloudformation_refers(lab.system.template_text, lab.system.parameters())


# -- CloudFormation ------------------------------------------------------------------------------------------


def cloudformation_refers(text: str, pseudo: Mapping[str, str]) -> bool:
    """As `is_reference`, for a template; `pseudo` are the pseudo parameters."""
    stack = _Stack(template.load(text), pseudo)
    values = list(_values_of(VARIABLE, stack.resources("AWS::Lambda::Function")))
    fixed = list(
        _values_of("PrivateIpAddress", stack.resources("AWS::EC2::Instance", "AWS::EC2::NetworkInterface"))
    )
    return all(_MARK in stack.text(value) or _names(value) & _names(fixed) for value in values)


class _Stack:
    """A template whose references can be resolved; the server's address is a mark."""

    def __init__(self, data: Mapping[str, Any], pseudo: Mapping[str, str]) -> None:
        self._resources: Mapping[str, Any] = data.get("Resources") or {}
        parameters = {**pseudo, **template.defaults(data)}
        try:
            self._known = template.environment(data, parameters, self._physical)
        except DeployError:  # then what hangs on a condition can't be told
            self._known = template.environment({**data, "Conditions": {}}, parameters, self._physical)

    def resources(self, *kinds: str) -> list[Any]:
        """The properties of all resources of these types."""
        return [each.get("Properties") for each in self._resources.values() if each.get("Type") in kinds]

    def text(self, value: Any) -> str:
        """The value with everything resolved; a mark too where something can't be."""
        try:
            return _DYNAMIC.sub(self._stored, str(template.resolve(value, self._known)))
        except (DeployError, RecursionError):
            return _MARK

    def _physical(self, logical: str, attribute: str) -> str:
        about = self._resources.get(logical) or {}
        if (about.get("Type"), attribute) in _ADDRESSES:
            return _MARK
        if about.get("Type") == "AWS::SSM::Parameter" and attribute == "Value":
            return self.text((about.get("Properties") or {}).get("Value"))
        return f"<{logical}.{attribute}>"

    def _stored(self, match: re.Match[str]) -> str:
        stored = self.resources("AWS::SSM::Parameter")
        return next(
            (self.text(each.get("Value")) for each in stored if self.text(each.get("Name")) == match[1]), ""
        )


def _values_of(key: str, value: Any) -> Iterator[Any]:
    """What stands behind this key, at whatever depth."""
    if isinstance(value, Mapping):
        for name, entry in value.items():
            if name == key:
                yield entry
            yield from _values_of(key, entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _values_of(key, entry)


def _names(value: Any) -> set[str]:
    """What is referred to by name, but for the port's: a parameter or a mapping that two expressions share."""
    if isinstance(value, Mapping):
        own = {str(value["Ref"])} if "Ref" in value else set()
        if isinstance(value.get("Fn::FindInMap"), list):
            own.add(str(value["Fn::FindInMap"]))
        found = own.union(*map(_names, value.values()))
    elif isinstance(value, list):
        found = set[str]().union(*map(_names, value))
    else:
        found = set(re.findall(r"\$\{([^}!.]+)\}", str(value)))
    return found - {"Port"}


# -- Terraform -----------------------------------------------------------------------------------------------


def terraform_refers(texts: Sequence[str]) -> bool:
    """As `is_reference`, for the files of a configuration."""
    try:
        blocks = [block for text in texts for block in hcl.read(text).blocks]
    except hcl.Unreadable:
        return True
    files = _Configuration(blocks)
    values = [tokens for each in files.expressions() for tokens in _assigned(each)]
    fixed = [attribute.tokens for attribute in files.addresses()]
    return all(files.reaches(value) or files.shares(value, fixed) for value in values)


class _Configuration:
    """Blocks by the paths at which their parts are referred to."""

    def __init__(self, blocks: Sequence[hcl.Block]) -> None:
        self._blocks = blocks
        self._parts: dict[str, list[hcl.Attribute]] = {}
        for block in blocks:
            for path, attributes in _referred(block):
                self._parts.setdefault(path, []).extend(attributes)

    def expressions(self) -> Iterator[tuple[hcl.Token, ...]]:
        """Every expression of the configuration."""
        for block in self._blocks:
            yield from (attribute.tokens for attribute in _attributes(block))

    def addresses(self) -> list[hcl.Attribute]:
        """Where servers are given a fixed private address."""
        servers = [
            b for b in self._blocks if b.kind == "resource" and b.labels[:1] and b.labels[0] in _SERVERS
        ]
        return [
            each
            for block in servers
            for each in _attributes(block)
            if each.name in ("private_ip", "private_ips")
        ]

    def reaches(self, tokens: Sequence[hcl.Token]) -> bool:
        """Whether some reference leads to a server's private address."""
        return any(_is_address(path) for path in self._paths(tokens, set()))

    def shares(self, tokens: Sequence[hcl.Token], others: Sequence[Sequence[hcl.Token]]) -> bool:
        """Whether it refers to a local value or a variable that one of the others refers to."""
        own = {path[:2] for path in self._paths(tokens, set())}
        theirs = {path[:2] for each in others for path in self._paths(each, set())}
        return any(path[0] in ("local", "var") and path[1:] != ("port",) for path in own & theirs)

    def _paths(self, tokens: Sequence[hcl.Token], seen: set[str]) -> Iterator[tuple[str, ...]]:
        """Every reference in the expression, and in what it refers to."""
        for path in _references(tokens):
            yield path
            for attribute in self._behind(path):
                key = f"{attribute.line} {attribute.name} {id(attribute)}"
                if key not in seen:
                    seen.add(key)
                    yield from self._paths(attribute.tokens, seen)

    def _behind(self, path: tuple[str, ...]) -> list[hcl.Attribute]:
        depth = 3 if path[0] == "data" else 2
        found = self._parts.get(".".join(path[:depth]), [])
        return [each for each in found if each.name in path[depth:]] or found


def _referred(block: hcl.Block) -> Iterator[tuple[str, list[hcl.Attribute]]]:
    match block.kind:
        case "locals":
            yield from ((f"local.{each.name}", [each]) for each in block.attributes)
        case "variable":
            yield ".".join(("var", *block.labels)), [a for a in block.attributes if a.name == "default"]
        case "resource" if block.labels[:1] and block.labels[0] not in _SERVERS:
            yield ".".join(block.labels), list(_attributes(block))
        case "data":
            yield ".".join(("data", *block.labels)), list(_attributes(block))


def _attributes(block: hcl.Block) -> Iterator[hcl.Attribute]:
    yield from block.attributes
    for inner in block.blocks:
        yield from _attributes(inner)


def _is_address(path: tuple[str, ...]) -> bool:
    names = path[1:] if path[0] == "data" else path
    return names[0] in _SERVERS and bool({"private_ip", "private_ips"} & set(names[2:]))


def _references(tokens: Sequence[hcl.Token]) -> Iterator[tuple[str, ...]]:
    """The names along each path (aws_instance.server[0].private_ip), those in strings included."""
    at = 0
    while at < len(tokens):
        token = tokens[at]
        yield from _references(token.inner)
        at += 1
        if token.kind != "name":
            continue
        path = [token.text]
        while at < len(tokens) and (tokens[at].text in _PATH or tokens[at - 1].text in (".", "[")):
            path += [tokens[at].text] if tokens[at].kind == "name" else []
            yield from _references(tokens[at].inner)
            at += 1
        if len(path) > 1:
            yield tuple(path)


def _assigned(tokens: Sequence[hcl.Token]) -> Iterator[Sequence[hcl.Token]]:
    """The expressions behind the variable's name in an object, each up to the next entry."""
    for at, token in enumerate(tokens):
        is_key = (
            token.text.strip('"') == VARIABLE and at + 1 < len(tokens) and tokens[at + 1].text in ("=", ":")
        )
        if is_key:
            yield tokens[at + 2 : _entry_end(tokens, at + 2)]


def _entry_end(tokens: Sequence[hcl.Token], start: int) -> int:
    depth = 0
    for at in range(start, len(tokens)):
        text = tokens[at].text if tokens[at].kind == "mark" else ""
        depth += (text in ("(", "[", "{")) - (text in (")", "]", "}"))
        following = tokens[at + 1].text if at + 1 < len(tokens) else ""
        is_next = at > start and following in ("=", ":") and tokens[at].kind in ("name", "string")
        if depth < 0 or (depth == 0 and (text == "," or tokens[at].kind == "newline" or is_next)):
            return at
    return len(tokens)
