"""Policy warnings: what the files would do that AWS allows and nobody should want, each with its line.

What belongs here: rules over the text of the student's files, the same for both engines. What does not: whether
the files are valid (the engines say that), and what stands (labkit.deploy.inventory).

The rules read lines, not syntax trees: both languages write one property on a line, and a rule that names a line
is worth more to a student than one that names a node. Comments are not read.
"""

import ast
import datetime
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from labkit.aws import runtimes
from labkit.deploy.model import Finding

#: the file in which each engine declares resources
DECLARED_IN = {"terraform": "main.tf", "cloudformation": "cloudformation-template.yaml"}
#: Python of each file's place: Amazon Linux 2023 offers 3.11 by name, the function's runtime is 3.13
_PYTHON = {"flask_app.py": (3, 11), "lambda_function.py": (3, 13)}
_COMMENT = re.compile(r"(^|\s)(#|//).*$")

#: ports by which people come in, not programs
_FOR_PEOPLE = {22: "SSH", 3389: "RDP"}

Rule = Callable[["Text"], Iterator[tuple[int, str]]]


@dataclass(frozen=True)
class Text:
    """One file's lines without comments, and what a rule must know about the place it is for."""

    name: str
    lines: tuple[str, ...]
    region: str

    def matching(self, pattern: str) -> Iterator[tuple[int, re.Match[str]]]:
        """(line number from 1, match) of each line in which `pattern` is found."""
        for number, line in enumerate(self.lines, 1):
            found = re.search(pattern, line, re.IGNORECASE)
            if found:
                yield number, found


def warnings(files: Mapping[str, bytes], engine: str, region: str) -> tuple[Finding, ...]:
    """Every warning about the files that this engine uses, in order of file and line."""
    other = set(DECLARED_IN.values()) - {DECLARED_IN[engine]}
    found = []
    for name, data in files.items():
        if name in other:
            continue
        text = data.decode("utf-8", "replace")
        lines = tuple(_COMMENT.sub("", line) for line in text.split("\n"))
        rules = [*_EVERYWHERE, *(_DECLARATIONS if name == DECLARED_IN[engine] else ())]
        found += [
            Finding(says, name, line) for rule in rules for line, says in rule(Text(name, lines, region))
        ]
        found += _python(name, text)
    return tuple(sorted(found, key=lambda finding: (finding.file, finding.line)))


def bucket_protection(files: Mapping[str, bytes], engine: str) -> tuple[str, ...]:
    """What the bucket lacks: "versions", "public-access blocks", "encryption", "refusal of plain HTTP"."""
    name = DECLARED_IN[engine]
    text = "\n".join(
        _COMMENT.sub("", line) for line in files.get(name, b"").decode("utf-8", "replace").split("\n")
    )
    return tuple(what for what, holds in _PROTECTIONS.items() if not holds(text))


# ---- Everywhere -----------------------------------------------------------------------------------


def _credentials(text: Text) -> Iterator[tuple[int, str]]:
    """AWS: "Managing access keys": AKIA and ASIA begin an access key id."""
    for line, _ in text.matching(r"\b(AKIA|ASIA)[0-9A-Z]{16}\b"):
        yield line, "an access key stands in the file; whoever reads it can use your account. Use a role."
    for line, _ in text.matching(r"(secret_?(access_?)?key|password)\W{1,4}[\"'][A-Za-z0-9/+=]{12,}[\"']"):
        yield (
            line,
            "a secret stands in the file; whoever reads it can use it. Use a role, or a parameter of SSM.",
        )


def _carriage_returns(text: Text) -> Iterator[tuple[int, str]]:
    first = next((number for number, line in enumerate(text.lines, 1) if line.endswith("\r")), 0)
    if first and text.name.endswith((".sh", ".py")):
        yield first, "lines end as on Windows (CRLF); bash on the server takes that for text. Save with LF."


def _images(text: Text) -> Iterator[tuple[int, str]]:
    for line, found in text.matching(r"\bami-[0-9a-f]{8,17}\b"):
        yield line, f"{found[0]} exists in one region only, and ages; find the image through SSM."


def _old_images(text: Text) -> Iterator[tuple[int, str]]:
    """Amazon Linux 2: supported until 2026-06-30 (AWS: "Amazon Linux 2 FAQs")."""
    for line, _ in text.matching(r"^\s*(default|ImageId|ami|image_parameter)\W.*\bamzn2\b"):
        yield line, "Amazon Linux 2 is past its end of life; choose the al2023 image."


def _zones(text: Text) -> Iterator[tuple[int, str]]:
    zone = r"[\"'\s]((?:[a-z]{2}-(?:[a-z]+-)+\d)[a-f])[\"'\s]?$"
    for line, found in text.matching(zone):
        if not found[1].startswith(text.region):
            yield (
                line,
                f"the zone {found[1]} is not in {text.region}, where you deploy; take one of {text.region}.",
            )


def _python(name: str, text: str) -> Iterator[Finding]:
    """Syntax that the Python at the file's place does not know (or nobody's: then the line is the mistake's)."""
    version = _PYTHON.get(name)
    if version is None:
        return
    try:
        ast.parse(text, feature_version=version)
    except (SyntaxError, ValueError) as error:
        line = getattr(error, "lineno", 0) or 0
        where = "your server" if name == "flask_app.py" else "your function"
        what = getattr(error, "msg", None) or str(error)
        yield Finding(
            f"Python {version[0]}.{version[1]}, which runs on {where}, does not take it: {what}.", name, line
        )


# ---- Where resources are declared --------------------------------------------------------------------


def _open_to_the_world(text: Text) -> Iterator[tuple[int, str]]:
    """An address range of everybody, in a rule for what comes in."""
    inwards = False
    for number, line in enumerate(text.lines, 1):
        if re.search(r"egress|aws_route\"|AWS::EC2::Route\b", line, re.IGNORECASE):
            inwards = False
        elif re.search(r"ingress", line, re.IGNORECASE):
            inwards = True
        elif re.match(r"(resource|data|output|locals)\b|  \w+:\s*$", line):
            inwards = False
        if inwards and re.search(r"0\.0\.0\.0/0|::/0", line):
            yield number, _of_the_door(_same_rule(text.lines, number - 1))


def _of_the_door(rule: str) -> str:
    """The warning and the mend that fits the rule's ports: who should come in by them."""
    start, end = (re.search(rf"\b{name}_?port\W+(\d+)", rule, re.IGNORECASE) for name in ("from", "to"))
    low, high = (int(found[1]) if found else -1 for found in (start, end or start))
    for port, what in _FOR_PEOPLE.items():
        if low <= port <= high and high - low < 1024:
            return (
                f"port {port} ({what}) is open to the whole internet; name your own address (/32) as its source, "
                "or leave the rule out: no step needs it."
            )
    if high - low >= 1024 or re.search(r"protocol\W+-1\b", rule, re.IGNORECASE):
        return (
            "the door is open to the whole internet, at more ports than your service has; name the one port, and "
            "the function's group as its source."
        )
    return "the door is open to the whole internet; name the function's group as its source."


def _same_rule(lines: tuple[str, ...], index: int) -> str:
    """The text of the rule in which a line stands: its neighbours at its depth or below; a list's are its owner's."""
    if re.match(r"\s*(- )?[\"']?[\d:]", lines[index]):
        index = next(i for i in range(index, -1, -1) if _depth(lines[i]) < _depth(lines[index]))
    depth = _depth(lines[index])

    def is_outside(number: int) -> bool:
        return bool(lines[number].strip()) and _depth(lines[number]) < depth

    def begins(number: int) -> bool:
        return lines[number].lstrip().startswith("- ") and _depth(lines[number]) == depth

    first, last = index, index + 1
    while first > 0 and not begins(first) and not is_outside(first - 1):
        first -= 1
    while last < len(lines) and not begins(last) and not is_outside(last):
        last += 1
    return "\n".join(lines[first:last])


def _depth(line: str) -> int:
    """How far in a line begins; a dash of a list is a part of the way."""
    return len(line) - len(line.lstrip(" -"))


def _wildcards(text: Text) -> Iterator[tuple[int, str]]:
    """`*` in an Allow. Listing every action of a service is a wildcard as well."""
    allow = False
    for number, line in enumerate(text.lines, 1):
        effect = re.search(r"\bEffect\b\W+(Allow|Deny)", line)
        if effect:
            allow = effect[1] == "Allow"
        if allow and (found := re.search(r"[\"'\s\[-](\*|[a-z0-9]+:\*)[\"']?[,\]\s]*$", line)):
            if re.search(r"Resource", line) or (found[1] == "*" and not re.search(r"Action", line)):
                continue
            yield number, f"{found[1]} allows more than the lab needs; list the actions."


def _old_metadata(text: Text) -> Iterator[tuple[int, str]]:
    for line, _ in text.matching(r"http_?tokens\W+optional"):
        yield (
            line,
            "the first metadata service (IMDSv1) stays open: a request that is tricked reads the role's keys; say required.",
        )


def _metadata_left_open(text: Text) -> Iterator[tuple[int, str]]:
    for line, _ in text.matching(r"resource \"aws_instance\"|Type: AWS::EC2::Instance\b"):
        if not any(re.search(r"http_?tokens", other, re.IGNORECASE) for other in text.lines):
            yield line, "IMDSv2 is not required: add http_tokens (HttpTokens) = required."


def _runtimes(text: Text) -> Iterator[tuple[int, str]]:
    for line, found in text.matching(r"runtime\W+(\S+)"):
        name = found[1].strip("\"',")
        if runtimes.known(name) and runtimes.closed(name, update=False, day=datetime.date.today()):
            yield line, f"the runtime {name} is retired: AWS creates no function with it; choose python3.13."


def _public_bucket(text: Text) -> Iterator[tuple[int, str]]:
    for line, found in text.matching(r"\b(acl|AccessControl)\W+(public-read(-write)?|PublicRead(Write)?)"):
        yield line, f"{found[2]} lets everybody read the bucket; leave it out."
    for line, found in text.matching(
        r"\b(block_public_acls|block_public_policy|ignore_public_acls|restrict_public_buckets|BlockPublicAcls"
        r"|BlockPublicPolicy|IgnorePublicAcls|RestrictPublicBuckets)\W+false"
    ):
        yield line, f"{found[1]} is off: the bucket can be made public; say true."


def _public_policy(text: Text) -> Iterator[tuple[int, str]]:
    """An Allow for everybody. S3 user guide, "The meaning of public": Principal "*", alone or as AWS."""
    allow = False
    for number, line in enumerate(text.lines, 1):
        effect = re.search(r"\bEffect\b\W+(Allow|Deny)", line)
        if effect:
            allow = effect[1] == "Allow"
        if allow and re.search(r"\b(Principal|AWS)\b[\"']?\s*[=:]\s*\[?\s*[\"']\*[\"']", line):
            yield number, "everybody on the internet is allowed this; name who may."


def _names_as_text(text: Text) -> Iterator[tuple[int, str]]:
    """A resource's name where its id belongs: CloudFormation user guide, "Ref". Names of depended-on resources are names."""
    if not text.name.endswith(".yaml"):
        return
    whole = "\n".join(text.lines)
    section = whole.partition("\nResources:")[2]
    names = set(re.findall(r"(?m)^  (\w+):\s*$", section))
    for number, found in text.matching(r"^ {6,}(?:- )?(?:([\w:]+):\s+|- )[\"']?(\w+)[\"']?\s*$"):
        if found[2] in names and found[1] not in ("DependsOn", "Ref", "Fn::GetAtt"):
            yield number, f"{found[2]} is written as text here; the resource of this name is  !Ref {found[2]}"


_EVERYWHERE: tuple[Rule, ...] = (_credentials, _carriage_returns, _images, _old_images, _zones)
_DECLARATIONS: tuple[Rule, ...] = (
    _open_to_the_world, _wildcards, _old_metadata, _metadata_left_open, _runtimes, _public_bucket,
    _public_policy, _names_as_text,
)  # fmt: skip


def _all_blocks(text: str) -> bool:
    names = (
        "block_?public_?acls",
        "block_?public_?policy",
        "ignore_?public_?acls",
        "restrict_?public_?buckets",
    )
    return all(re.search(rf"{name}\W+true", text, re.IGNORECASE) for name in names)


def _has(pattern: str) -> Callable[[str], bool]:
    return lambda text: re.search(pattern, text, re.IGNORECASE | re.DOTALL) is not None


_PROTECTIONS: Mapping[str, Callable[[str], bool]] = {
    "versions": _has(r"(aws_s3_bucket_versioning|VersioningConfiguration).{0,200}?status\W+Enabled"),
    "public-access blocks": _all_blocks,
    "encryption": _has(r"aws_s3_bucket_server_side_encryption|BucketEncryption"),
    "refusal of plain HTTP": _has(r"aws:SecureTransport"),
}
