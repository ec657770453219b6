"""Configuration that would run code or reach out while it is only being read: refused by name and line.

Asked before any tool sees the files. A submission that has one of these can't be judged as submitted: it is the
student's to remove it, and the message says where it stands.

What belongs here: asking of all files, and what Terraform would do beyond describing resources. What does not: what
CloudFormation would (template_refusal), whether the description is right.
"""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from labkit.base.text import printable, shortened
from labkit.grading.intake import hcl, template_refusal
from labkit.grading.intake.untrusted import MOST_BYTES, Untrusted

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
_BUILT = "build/flask_server_startup.sh.tftpl"
_READS = {
    "file", "fileexists", "filebase64", "templatefile", "filemd5", "filesha1", "filesha256", "filesha512",
    "filebase64sha256", "filebase64sha512", "pathexpand", "abspath",
}  # fmt: skip
#: of them those that give what is in the file, not only something about it
_SHOWS = {"file", "filebase64", "templatefile"}
#: functions of Terraform ("Functions") that only compute, and what types are written with
_COMPUTES = (
    "abs alltrue anytrue base64decode base64encode base64gunzip base64gzip base64sha256 base64sha512 basename bcrypt "
    "can ceil chomp chunklist cidrcontains cidrhost cidrnetmask cidrsubnet cidrsubnets coalesce coalescelist compact "
    "concat contains csvdecode dirname distinct element endswith flatten floor format formatdate formatlist indent "
    "index issensitive join jsondecode jsonencode keys length list log lookup lower map matchkeys max md5 merge min "
    "nonsensitive one parseint plantimestamp pow range regex regexall replace reverse rsadecrypt sensitive "
    "setintersection setproduct setsubtract setunion sha1 sha256 sha512 signum slice sort split startswith strcontains "
    "strrev substr sum textdecodebase64 textencodebase64 timeadd timecmp timestamp title tobool tolist tomap tonumber "
    "toset tostring transpose trim trimprefix trimspace trimsuffix try type upper urldecode urlencode uuid uuidv5 "
    "values yamldecode yamlencode zipmap set object tuple optional"
)
#: data that the provider fetches from the network, not from AWS's API
_FETCHED = {"aws_ip_ranges"}
#: attributes that name a file of this machine, and of which resources (none: of any)
_PATHS: Mapping[str, tuple[str, ...]] = {
    "filename": (),
    "zip_file": (),
    "source": ("aws_s3_object", "aws_s3_bucket_object"),
}
_MOST_FINDINGS = 20
_LONGEST_PATH = 12  # tokens
_LOOP = 4  # tokens: for NAME, NAME
#: what may stand before a bracket: functions, and words of expressions
_BEFORE_BRACKETS = {*_COMPUTES.split(), *_READS, "in", "if", "for", "else"}
_CONSTRAINT = re.compile(r"[0-9A-Za-z.,<>=!~+ -]{1,100}")
_PLAIN = r"[A-Za-z0-9_][A-Za-z0-9_.-]*"
_INSIDE = re.compile(rf"(?:\$\{{path\.(?:module|root)\}}/|\./)?(?P<inside>{_PLAIN}(?:/{_PLAIN})*)")
_TYPE = re.compile(r"aws_[a-z0-9_]+")


def is_terraforms(name: str) -> bool:
    """Whether Terraform may take configuration, values or tests from a file of this name."""
    low = name.lower()
    return low.endswith(_TERRAFORM) or (low.endswith(".json") and any(part in low for part in _JSON))


def harmful(files: Mapping[str, str]) -> list[Untrusted]:
    """What `find` finds, but for what may be no more than a slip."""
    return [each for each in find(files) if not each.unreadable]


def find(files: Mapping[str, str]) -> list[Untrusted]:
    """What is refused in these files, in order of file and line; of many things the first few."""
    found = list[Untrusted]()
    bodies = _bodies(files)
    paths = _local_paths(bodies.values())
    for name, text in files.items():
        low = name.lower()
        if name in bodies:
            found += itertools.islice(_terraform(name, bodies[name], paths), _MOST_FINDINGS)
        elif is_terraforms(name):
            found.append(Untrusted(name, 1, "JSON configuration", "the lab's files are HCL"))
        elif low.startswith(_TEMPLATE_NAME) and low.endswith((".yaml", ".yml", ".json")):
            found += itertools.islice(template_refusal.find(name, text), _MOST_FINDINGS)
    return sorted(found, key=lambda each: (each.file, each.line))


def shows_more(files: Mapping[str, str], reference: Mapping[str, str]) -> list[Untrusted]:
    """Where a mixture would show what is in a file of the lab, and the reference itself has no use for that.

    The files are the reference's, but for some of the student's text, which could copy them into what people see.
    """
    used = Counter(path for path, _ in _shown_files(reference))
    found = list[Untrusted]()
    for path, where in _shown_files(files):
        used[path] -= 1
        if used[path] < 0:
            found.append(where)
    return found


def _shown_files(files: Mapping[str, str]) -> Iterator[tuple[str, Untrusted]]:
    """Each file whose content these files take, by how and which, with the place."""
    bodies = _bodies(files)
    paths = _local_paths(bodies.values())
    for name, body in bodies.items():
        for block, scope in _with_scope(body, _Scope(paths)) if isinstance(body, hcl.Block) else ():
            for attribute in block.attributes:
                for called, path in _reads(attribute, scope):
                    if called in _SHOWS or called == attribute.name:
                        inside = _path(path, scope.within(attribute)) or "?"
                        why = "only your own text is tried here, and it may not copy files of the lab"
                        yield f"{called} {inside}", Untrusted(name, attribute.line, called, why)


def versions(files: Mapping[str, str]) -> tuple[str, ...]:
    """What these files ask of the provider's version, each as Terraform writes a version constraint."""
    blocks = (
        block for body in _bodies(files).values() if isinstance(body, hcl.Block) for block in body.blocks
    )
    settings = (inner for block in blocks if block.kind == "terraform" for inner in block.blocks)
    asked = (
        _requirement(attribute.tokens).get("version", "")
        for inner in settings
        if inner.kind == "required_providers"
        for attribute in inner.attributes
    )
    return tuple(sorted({each for each in asked if _CONSTRAINT.fullmatch(each)}))


def _read(text: str) -> hcl.Block | hcl.Unreadable:
    try:
        if len(text) > MOST_BYTES:
            raise hcl.Unreadable(1, "it is far larger than a configuration may be")
        return hcl.read(text)
    except hcl.Unreadable as error:
        return error


def _bodies(files: Mapping[str, str]) -> dict[str, hcl.Block | hcl.Unreadable]:
    return {name: _read(text) for name, text in files.items() if name.lower().endswith(_TERRAFORM)}


@dataclass(frozen=True)
class _Scope:
    """Where an expression stands: which local values are paths in the lab's folder, in a block of which type of
    resource, and which names mean something else there than they do at the top of a file."""

    paths: Mapping[str, str]
    resource: str = ""
    bound: frozenset[str] = frozenset()

    def inside(self, block: hcl.Block) -> "_Scope":
        """The scope of what is in `block`."""
        resource = next(iter(block.labels), "") if block.kind in ("resource", "data") else self.resource
        bound = set(self.bound)
        if block.kind == "dynamic":  # the label binds its name, unless an iterator is named
            given = (each.tokens for each in block.attributes if each.name == "iterator")
            bound |= {*block.labels, *(token.text for tokens in given for token in _flat(tokens))}
        return _Scope(self.paths, resource, frozenset(bound))

    def within(self, attribute: hcl.Attribute) -> "_Scope":
        """The scope of an attribute's expression, whose loops may bind further names anywhere in it."""
        tokens = list(_flat(attribute.tokens))
        loops = (at for at, token in enumerate(tokens) if token.kind == "name" and token.text == "for")
        bound = {token.text for at in loops for token in tokens[at + 1 : at + _LOOP]}
        return _Scope(self.paths, self.resource, self.bound | bound)


def _terraform(name: str, body: hcl.Block | hcl.Unreadable, paths: Mapping[str, str]) -> Iterator[Untrusted]:
    if isinstance(body, hcl.Unreadable):
        yield Untrusted(
            name, body.line, "what can't be read as Terraform's language", str(body), unreadable=True
        )
        return
    for block in body.blocks:
        why = _top(block)
        if why:
            yield Untrusted(name, block.line, _named(block), why)
    for block, scope in _with_scope(body, _Scope(paths)):
        if block.kind in ("provisioner", "connection"):
            yield Untrusted(name, block.line, _named(block), "it runs a program on the machine that deploys")
        for attribute in block.attributes:
            why = _attribute(attribute, scope)
            if why:
                yield Untrusted(name, attribute.line, attribute.name, why)
            elif unknown := _unknown_function(attribute.tokens):
                yield Untrusted(
                    name,
                    attribute.line,
                    f"{unknown}()",
                    "it is none of the functions that a lab's files may call",
                    unreadable=True,
                )


def _with_scope(block: hcl.Block, scope: _Scope) -> Iterator[tuple[hcl.Block, _Scope]]:
    """Each block, with the scope of what is in it."""
    scope = scope.inside(block)
    yield block, scope
    for each in block.blocks:
        yield from _with_scope(each, scope)


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
        return "" if _TYPE.fullmatch(label) else "the only provider is hashicorp/aws"
    if block.kind == "module":
        return "modules are code from elsewhere"
    return "" if block.kind in _DESCRIBING else "the lab's files have no such block"


def _settings(block: hcl.Block) -> str:
    for attribute in block.attributes:
        if attribute.name != "required_version":
            return f"the lab's files set nothing of Terraform's own: no {shortened(printable(attribute.name), 40)}"
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
    return _requirement(tokens).get("source") in _PROVIDERS


def _requirement(tokens: Sequence[hcl.Token]) -> Mapping[str, str]:
    """Source and version of a provider's requirement; {} when it says more, or is not written plainly."""
    if len(tokens) == 1 and _is_plain(tokens[0]):
        return {"version": tokens[0].text}
    inner = [token for token in tokens[1:-1] if token.text != ","]
    pairs = list(zip(inner[::3], inner[1::3], inner[2::3], strict=False))
    given = {key.text: value.text for key, mark, value in pairs if mark.text in "=:" and _is_plain(value)}
    plain = (
        [token.text for token in (*tokens[:1], *tokens[-1:])] == ["{", "}"]
        and 3 * len(given) == len(inner)
        and given.keys() <= {"source", "version"}
    )
    return given if plain else {}


def _is_plain(token: hcl.Token) -> bool:
    return token.kind == "string" and not token.inner


def _provider(block: hcl.Block, label: str) -> str:
    if label != "aws":
        return "the only provider is hashicorp/aws"
    named = [each.name for each in block.attributes] + [each.kind for each in block.blocks]
    others = sorted(set(named) - _OF_PROVIDER)
    return f"where it leads is the kit's to say: no {shortened(printable(others[0]), 40)}" if others else ""


def _local_paths(bodies: Iterable[hcl.Block | hcl.Unreadable]) -> Mapping[str, str]:
    """Local values that are, wherever they are set, one plain path inside the lab's own folder: name → path."""
    blocks = [
        block
        for body in bodies
        if isinstance(body, hcl.Block)
        for block in body.blocks
        if block.kind == "locals"
    ]
    values: dict[str, set[str]] = {}
    for each in (attribute for block in blocks for attribute in block.attributes):
        values.setdefault(each.name, set()).add(_path(each.tokens, _Scope({})) or "")
    return {name: found.pop() for name, found in values.items() if len(found) == 1 and "" not in found}


def _path(tokens: Sequence[hcl.Token], scope: _Scope) -> str | None:
    """The path in the lab's own folder that an expression is, written out or as a local value; None when it is none."""
    texts = [token.text for token in tokens]
    if len(texts) == 1:
        found = _INSIDE.fullmatch(texts[0]) if tokens[0].kind == "string" else None
        return found["inside"] if found and not (tokens[0].inner and "path" in scope.bound) else None
    is_local = texts[:2] == ["local", "."] and len(texts) == 3 and "local" not in scope.bound
    return scope.paths.get(texts[2]) if is_local else None


def _attribute(attribute: hcl.Attribute, scope: _Scope) -> str:
    """Why this attribute is refused, "" when it is not."""
    tokens = attribute.tokens
    if attribute.name == "provider" and scope.resource and tokens[:1] and tokens[0].text != "aws":
        return "the only provider is hashicorp/aws"
    within = scope.within(attribute)
    for called, path in _reads(attribute, scope):
        inside = _path(path, within)
        if inside is None or (called == _TEMPLATE and inside != _BUILT):
            return "it reads a file outside the lab's own, or does not write its path out"
    return ""


def _reads(attribute: hcl.Attribute, scope: _Scope) -> Iterator[tuple[str, Sequence[hcl.Token]]]:
    """What reads files in an attribute: itself, or functions that it calls; by name, with the path's tokens."""
    resources = _PATHS.get(attribute.name)
    if resources is not None and (scope.resource in resources if resources else scope.resource != ""):
        yield attribute.name, attribute.tokens
    yield from _read_paths(attribute.tokens)


def _unknown_function(tokens: Sequence[hcl.Token]) -> str:
    """The first function called that is none of those that are known, "" when all are; those of providers are not."""
    for at, token in enumerate(tokens):
        following = [each.text for each in tokens[at + 1 : at + 3] if each.kind == "mark"]
        if token.kind == "name" and (
            following == [":", ":"] or (following[:1] == ["("] and token.text not in _BEFORE_BRACKETS)
        ):
            return token.text
        if found := _unknown_function(token.inner):
            return found
    return ""


def _flat(tokens: Sequence[hcl.Token]) -> Iterator[hcl.Token]:
    for token in tokens:
        yield token
        yield from _flat(token.inner)


def _read_paths(tokens: Sequence[hcl.Token]) -> Iterator[tuple[str, Sequence[hcl.Token]]]:
    """Each function called that reads or lists files, with its first argument."""
    for at, token in enumerate(tokens):
        yield from _read_paths(token.inner)
        called = token.kind == "name" and token.text in _READS
        if called and [each.text for each in tokens[at + 1 : at + 2]] == ["("]:
            rest = tokens[at + 2 : at + 2 + _LONGEST_PATH]
            ends = (n for n, each in enumerate(rest) if each.kind == "mark" and each.text in ",)")
            yield token.text, rest[: next(ends, len(rest))]


def _named(block: hcl.Block) -> str:
    return " ".join([block.kind, *(f'"{label}"' for label in block.labels)])
