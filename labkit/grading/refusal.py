"""Configuration that would run code or reach out while it is only being read: refused by name and line.

Asked before any tool sees the files. A submission that has one of these can't be judged as submitted: it is the
student's to remove it, and the message says where it stands.

What belongs here: what Terraform and CloudFormation would do beyond describing resources. What does not: whether
the description is right.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import yaml

#: events (keys, values, list items) of one template; far more than the lab's has
MOST_EVENTS = 20_000
DEEPEST = 40
_MOST_BYTES = 1 << 20

_HCL_COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|(#[^\n]*|//[^\n]*|/\*.*?\*/)', re.DOTALL)
_BLOCK = re.compile(
    r'^[ \t]*(data|resource|provisioner|provider|module|terraform|import|ephemeral|run)\b(?:[ \t]+"([^"]*)")?',
    re.MULTILINE,
)
_SOURCE = re.compile(r'^[ \t]*(source|backend|cloud)\b[ \t]*(?:=[ \t]*)?"?([^"\n{]*)"?', re.MULTILINE)
_FILE = re.compile(
    r"\b(file|filebase64|templatefile|fileset|filemd5|filesha1|filesha256|filesha512|filebase64sha256|filebase64sha512|pathexpand|abspath)\s*\(\s*(?:\"((?:[^\"\\]|\\.)*)\"|([^,)]*))"
)
_NETWORKED = {
    "http",
    "external",
    "terraform_remote_state",
    "local_file",
    "local_sensitive_file",
    "template_file",
    "archive_file",
}
_RUNS = {"local-exec", "remote-exec", "file", "chef", "puppet", "habitat", "salt-masterless"}
_PROVIDERS = {
    "aws",
    "hashicorp/aws",
    "registry.terraform.io/hashicorp/aws",
    "registry.opentofu.org/hashicorp/aws",
}
_INSIDE = re.compile(r"(?:\$\{path\.(?:module|root)\}/|\./)?(?:build/)?[A-Za-z0-9_][A-Za-z0-9_.-]*")
_CFN_TYPES = ("AWS::CloudFormation::CustomResource", "AWS::CloudFormation::Macro", "AWS::CloudFormation::Stack",
              "AWS::CloudFormation::ModuleVersion", "AWS::CloudFormation::Module")  # fmt: skip


@dataclass(frozen=True)
class Untrusted:
    """One thing that is refused: the file, the line (from 1), what it is, why."""

    file: str
    line: int
    what: str
    why: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.line}: {self.what} is refused: {self.why}"


def find(files: Mapping[str, str]) -> list[Untrusted]:
    """Everything that is refused in these files, in order of file and line."""
    found: list[Untrusted] = []
    for name, text in files.items():
        if name.endswith((".tf", ".tf.json", ".tfvars", ".tofu")):
            found += _terraform(name, text)
        elif name.endswith((".yaml", ".yml")) or name == "cloudformation-template.json":
            found += _cloudformation(name, text)
    return sorted(found, key=lambda each: (each.file, each.line))


# ---- Terraform --------------------------------------------------------------------------------------


def _terraform(name: str, text: str) -> Iterator[Untrusted]:
    if name.endswith(".json"):
        yield Untrusted(name, 1, "JSON configuration", "the lab's files are HCL")
        return
    plain = _HCL_COMMENT.sub(lambda m: m[1] if m[1] else re.sub(r"[^\n]", " ", m[2]), text)
    for match in _BLOCK.finditer(plain):
        why = _block(match[1], match[2] or "")
        if why:
            yield Untrusted(name, _line(plain, match.start(1)), f'{match[1]} "{match[2] or ""}"', why)
    for match in _SOURCE.finditer(plain):
        why = _source(match[1], match[2].strip())
        if why:
            yield Untrusted(name, _line(plain, match.start(1)), match[0].strip()[:80], why)
    for match in _FILE.finditer(plain):
        if not _INSIDE.fullmatch(match[2] or ""):
            shown = match[0].strip()[:60]
            yield Untrusted(name, _line(plain, match.start()), shown, "it reads a file outside the lab's own")


def _block(kind: str, label: str) -> str:
    """Why this block is refused, "" when it is not."""
    if kind == "data" and label in _NETWORKED:
        return "it runs a program, reads files or asks the network while planning"
    if kind in ("data", "resource") and not label.startswith("aws_"):
        return "the only provider is hashicorp/aws"
    if kind == "provisioner" and (label in _RUNS or label):
        return "it runs a program on the machine that deploys"
    if kind == "module":
        return "modules are code from elsewhere"
    if kind == "provider" and label != "aws":
        return "the only provider is hashicorp/aws"
    return ""


def _source(kind: str, value: str) -> str:
    if (
        kind == "source"
        and value not in _PROVIDERS
        and not value.startswith(("aws_", "data.", "var.", "local."))
    ):
        return "the only provider is hashicorp/aws"
    if kind in ("backend", "cloud"):
        return "the state stays on this machine"
    return ""


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


def _line(text: str, position: int) -> int:
    return text.count("\n", 0, position) + 1
