"""Configuration that would run code or reach out while it is only being read: refused by name and line.

Asked before any tool sees the files. A submission that has one of these can't be judged as submitted: it is the
student's to remove it, and the message says where it stands.

What belongs here: what Terraform and CloudFormation would do beyond describing resources. What does not: whether
the description is right.
"""

import itertools
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import Any

import yaml

from labkit.grading import hcl
from labkit.text import printable, shortened

#: events (keys, values, list items) of one template; far more than the lab's has
MOST_EVENTS = 20_000
DEEPEST = 40
_MOST_BYTES = 1 << 20

#: a submission's files of Terraform's language, however they are called
_TERRAFORM = (".tf", ".tofu", ".tfvars", ".hcl")
_TEMPLATE_NAME = "cloudformation-template."
#: anywhere in a JSON file's name: Terraform takes configuration, variables and tests from such
_JSON = (".tf", ".tofu")
#: blocks at the top of a file that only describe
_DESCRIBING = {"locals", "variable", "output", "moved", "removed"}
_OF_PROVIDER = {"region", "alias", "version", "default_tags", "ignore_tags"}
_PROVIDERS = {
    "aws",
    "hashicorp/aws",
    "registry.terraform.io/hashicorp/aws",
    "registry.opentofu.org/hashicorp/aws",
}
#: a template may read files itself: only the one that the kit escapes is taken
_TEMPLATE = "templatefile"
_BUILT = re.compile(r"(?:\$\{path\.(?:module|root)\}/|\./)?build/flask_server_startup\.sh\.tftpl")
_READS = {
    "file", "fileexists", "filebase64", "templatefile", "filemd5", "filesha1", "filesha256", "filesha512",
    "filebase64sha256", "filebase64sha512", "pathexpand", "abspath",
}  # fmt: skip
_LISTS = "fileset"
#: data that the provider fetches from the network, not from AWS's API
_FETCHED = {"aws_ip_ranges"}
#: attributes that name a file of this machine, and of which resources (none: of any)
_PATHS: Mapping[str, tuple[str, ...]] = {
    "filename": (), "zip_file": (), "source": ("aws_s3_object", "aws_s3_bucket_object"),
}  # fmt: skip
_MOST_FINDINGS = 20
_LONGEST_PATH = 12  # tokens
_PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_INSIDE = re.compile(rf"(?:\$\{{path\.(?:module|root)\}}/|\./)?{_PLAIN}(?:/{_PLAIN})*")
_CFN_TYPES = ("AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Macro", "AWS::CloudFormation::Stack",
              "AWS::CloudFormation::ModuleVersion", "AWS::CloudFormation::Module")  # fmt: skip


@dataclass(frozen=True)
class Untrusted:
    """One thing that is refused: the file, the line (from 1), what it is, why.

    `unreadable`: nobody knows what it is; Terraform is not run on it, and nothing else is the worse for it.
    """

    file: str
    line: int
    what: str
    why: str
    unreadable: bool = False

    def __str__(self) -> str:
        what = shortened(printable(self.what), 80)
        return f"{printable(self.file)}, line {self.line}: {what} is refused: {self.why}"


def is_terraforms(name: str) -> bool:
    """Whether Terraform may take configuration, values or tests from a file of this name."""
    low = name.lower()
    return low.endswith(_TERRAFORM) or (low.endswith(".json") and any(part in low for part in _JSON))


def harmful(files: Mapping[str, str]) -> list[Untrusted]:
    """What `find` finds, but for files of which nobody knows what they are."""
    return [each for each in find(files) if not each.unreadable]


def find(files: Mapping[str, str]) -> list[Untrusted]:
    """What is refused in these files, in order of file and line; of many things the first few."""
    found = list[Untrusted]()
    bodies = {name: _read(text) for name, text in files.items() if name.lower().endswith(_TERRAFORM)}
    inside = _local_paths([body for body in bodies.values() if isinstance(body, hcl.Block)])
    for name, text in files.items():
        low = name.lower()
        if name in bodies:
            found += itertools.islice(_terraform(name, bodies[name], inside), _MOST_FINDINGS)
        elif is_terraforms(name):
            found.append(Untrusted(name, 1, "JSON configuration", "the lab's files are HCL"))
        elif low.startswith(_TEMPLATE_NAME) and low.endswith((".yaml", ".yml", ".json")):
            found += itertools.islice(_cloudformation(name, text), _MOST_FINDINGS)
    return sorted(found, key=lambda each: (each.file, each.line))


# ---- Terraform --------------------------------------------------------------------------------------


def _read(text: str) -> hcl.Block | hcl.Unreadable:
    try:
        if len(text) > _MOST_BYTES:
            raise hcl.Unreadable(1, "it is far larger than a configuration may be")
        return hcl.read(text)
    except hcl.Unreadable as error:
        return error


def _terraform(name: str, body: hcl.Block | hcl.Unreadable, inside: Set[str]) -> Iterator[Untrusted]:
    if isinstance(body, hcl.Unreadable):
        yield Untrusted(
            name, body.line, "what can't be read as Terraform's language", str(body), unreadable=True
        )
        return
    for block in body.blocks:
        why = _top(block)
        if why:
            yield Untrusted(name, block.line, _named(block), why)
    for block, resource in _with_resource(body, ""):
        if block.kind in ("provisioner", "connection"):
            yield Untrusted(name, block.line, _named(block), "it runs a program on the machine that deploys")
        for attribute in block.attributes:
            why = _attribute(attribute, resource, inside)
            if why:
                yield Untrusted(name, attribute.line, attribute.name, why)


def _with_resource(block: hcl.Block, resource: str) -> Iterator[tuple[hcl.Block, str]]:
    """Each block, with the type of the resource that it is in."""
    resource = next(iter(block.labels), "") if block.kind in ("resource", "data") else resource
    yield block, resource
    for each in block.blocks:
        yield from _with_resource(each, resource)


def _top(block: hcl.Block) -> str:
    """Why this block at the top of a file is refused, "" when it is not."""
    label = next(iter(block.labels), "")
    if block.kind == "terraform":
        return _settings(block)
    if block.kind == "provider":
        return _provider(block, label)
    if block.kind in ("data", "resource"):
        if label in _FETCHED:
            return "it asks the network while planning"
        return "" if label.startswith("aws_") else "the only provider is hashicorp/aws"
    if block.kind == "module":
        return "modules are code from elsewhere"
    return "" if block.kind in _DESCRIBING else "the lab's files have no such block"


def _settings(block: hcl.Block) -> str:
    for inner in block.blocks:
        if inner.kind != "required_providers":
            return "the state and the program stay on this machine: no " + shortened(
                printable(inner.kind), 40
            )
        for attribute in inner.attributes:
            if attribute.name != "aws" or not _requires_aws(attribute.tokens):
                return "the only provider is hashicorp/aws"
    return ""


def _requires_aws(tokens: Sequence[hcl.Token]) -> bool:
    """Whether a provider's requirement is plain texts for its source, which is AWS's, and its version."""
    if len(tokens) == 1:
        return tokens[0].kind == "string"  # a version alone
    inner = [token for token in tokens[1:-1] if token.text != ","]
    pairs = list(zip(inner[::3], inner[1::3], inner[2::3], strict=False))
    given = {key.text: value.text for key, mark, value in pairs if mark.text in "=:" and _is_plain(value)}
    return (
        [token.text for token in (*tokens[:1], *tokens[-1:])] == ["{", "}"] and 3 * len(given) == len(inner)
        and given.keys() <= {"source", "version"} and given.get("source") in _PROVIDERS
    )  # fmt: skip


def _is_plain(token: hcl.Token) -> bool:
    return token.kind == "string" and not token.inner


def _provider(block: hcl.Block, label: str) -> str:
    if label != "aws":
        return "the only provider is hashicorp/aws"
    named = [each.name for each in block.attributes] + [each.kind for each in block.blocks]
    others = sorted(set(named) - _OF_PROVIDER)
    return f"where it leads is the kit's to say: no {shortened(printable(others[0]), 40)}" if others else ""


def _local_paths(bodies: Sequence[hcl.Block]) -> frozenset[str]:
    """Local values that are, wherever they are set, one plain path inside the lab's own folder."""
    blocks = [block for body in bodies for block in body.blocks if block.kind == "locals"]
    values = [each for block in blocks for each in block.attributes]
    others = {each.name for each in values if not _is_inside(each.tokens, frozenset())}
    return frozenset(each.name for each in values) - others


def _is_inside(tokens: Sequence[hcl.Token], inside: Set[str], pattern: re.Pattern[str] = _INSIDE) -> bool:
    """Whether an expression is a path in the lab's own folder, written out or as a local value."""
    texts = [token.text for token in tokens]
    if len(texts) == 1:
        return tokens[0].kind == "string" and pattern.fullmatch(texts[0]) is not None
    return texts[:2] == ["local", "."] and len(texts) == 3 and texts[2] in inside


def _attribute(attribute: hcl.Attribute, resource: str, inside: Set[str]) -> str:
    """Why this attribute is refused, "" when it is not."""
    elsewhere = "it reads a file outside the lab's own, or does not write its path out"
    tokens = attribute.tokens
    if any(token.kind == "name" and token.text == "for" for token in _flat(tokens)):
        inside = frozenset()  # "local" may be the loop's own
    resources = _PATHS.get(attribute.name)
    is_path = resources is not None and (resource in resources if resources else resource != "")
    if is_path and not _is_inside(tokens, inside):
        return elsewhere
    if attribute.name == "provider" and resource and tokens[:1] and tokens[0].text != "aws":
        return "the only provider is hashicorp/aws"
    for called, path in _read_paths(tokens):
        if called == _LISTS or not (
            _is_inside(path, frozenset(), _BUILT) if called == _TEMPLATE else _is_inside(path, inside)
        ):
            return elsewhere
    return ""


def _flat(tokens: Sequence[hcl.Token]) -> Iterator[hcl.Token]:
    for token in tokens:
        yield token
        yield from _flat(token.inner)


def _read_paths(tokens: Sequence[hcl.Token]) -> Iterator[tuple[str, Sequence[hcl.Token]]]:
    """Each function called that reads or lists files, with its first argument."""
    for at, token in enumerate(tokens):
        yield from _read_paths(token.inner)
        called = token.kind == "name" and (token.text in _READS or token.text == _LISTS)
        if called and [each.text for each in tokens[at + 1 : at + 2]] == ["("]:
            rest = tokens[at + 2 : at + 2 + _LONGEST_PATH]
            ends = (n for n, each in enumerate(rest) if each.kind == "mark" and each.text in ",)")
            yield token.text, rest[: next(ends, len(rest))]


def _named(block: hcl.Block) -> str:
    return " ".join([block.kind, *(f'"{label}"' for label in block.labels)])


# ---- CloudFormation ---------------------------------------------------------------------------------


def _cloudformation(name: str, text: str) -> Iterator[Untrusted]:
    bomb = _bomb(text)
    if bomb:
        yield Untrusted(name, bomb[0], "YAML", bomb[1])
        return
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except (yaml.YAMLError, ValueError, RecursionError):
        return  # no YAML is the engine's to refuse
    for key, value, parent in _pairs(root, ""):
        why = _cfn(str(key.value), value, parent)
        if why:
            yield Untrusted(name, key.start_mark.line + 1, _shown(key, value), why)
    for node in _nodes(root):
        if node.tag in ("!Transform", "!Include"):
            yield Untrusted(name, node.start_mark.line + 1, node.tag, "macros run code elsewhere")


def _bomb(text: str) -> tuple[int, str] | None:
    """Where the YAML is made to grow: aliases, depth, number of nodes. Line and reason."""
    if len(text) > _MOST_BYTES:
        return 1, "it is far larger than a template may be"
    depth = 0
    try:
        for number, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
            line = event.start_mark.line + 1 if event.start_mark else 1
            if isinstance(event, yaml.AliasEvent):
                return line, "aliases (*name) are not used here"
            depth += isinstance(event, yaml.CollectionStartEvent)
            depth -= isinstance(event, yaml.CollectionEndEvent)
            if depth > DEEPEST or number > MOST_EVENTS:
                return line, "it is nested too deep or has too many parts"
    except (yaml.YAMLError, ValueError, RecursionError):
        return None  # no YAML is the engine's to refuse
    return None


def _pairs(node: Any, parent: str) -> Iterator[tuple[Any, Any, str]]:
    """(key, value, the key above) of every mapping."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if isinstance(key, yaml.ScalarNode):
                yield key, value, parent
            yield from _pairs(value, str(getattr(key, "value", "")))
    elif isinstance(node, yaml.SequenceNode):
        for each in node.value:
            yield from _pairs(each, parent)


def _nodes(node: Any) -> Iterator[Any]:
    yield node
    children: Iterable[Any] = ()
    if isinstance(node, yaml.MappingNode):
        children = (each for pair in node.value for each in pair)
    elif isinstance(node, yaml.SequenceNode):
        children = node.value
    for child in children:
        yield from _nodes(child)


def _cfn(key: str, value: Any, parent: str) -> str:
    """Why this pair is refused, "" when it is not."""
    text = str(value.value) if isinstance(value, yaml.ScalarNode) else ""
    if key in ("Transform", "Fn::Transform"):
        return "macros and transforms run code elsewhere"
    if key == "Type" and (text.startswith("Custom::") or text in _CFN_TYPES):
        return "custom resources, nested stacks and modules are code from elsewhere"
    if key == "ServiceToken":
        return "custom resources call code while deploying"
    if key == "TemplateURL":
        return "nested stacks are files from elsewhere"
    return ""


def _shown(key: Any, value: Any) -> str:
    text = value.value if isinstance(value, yaml.ScalarNode) else "…"
    return f"{key.value}: {str(text)[:60]}"
