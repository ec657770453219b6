"""Secrets and personal paths taken out of text before it leaves a machine.

What belongs here: what is a secret by its form or its value, and what stands in its place. What does not: which files go
anywhere (labkit.lesson.handing_in.help_bundle).
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: shorter values are words that stand in many places by chance
_SHORTEST = 8
#: names of variables whose values nobody else may have
_SECRET_NAME = re.compile(r"(SECRET|TOKEN|PASSWORD|PASSWD|CREDENTIAL|PRIVATE|API_?KEY)", re.IGNORECASE)
#: what a secret looks like: the group is taken out, or the whole where there is none
_FORMS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (
        "a private key",
        re.compile(r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----.{1,8000}?-----END [A-Z ]{0,30}PRIVATE KEY-----", re.DOTALL),
    ),
    ("an AWS key id", re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b")),
    (
        "an AWS secret",
        re.compile(
            r"(?:secret_?access_?key|session_?token|security_?token)[\"']?\s{0,9}[:=]\s{0,9}[\"']?([A-Za-z0-9/+=]{16,2000})",
            re.IGNORECASE,
        ),
    ),
    ("a signature", re.compile(r"X-Amz-(?:Signature|Security-Token|Credential)=([^&\s\"'<>]{8,3000})", re.IGNORECASE)),
    ("a signature", re.compile(r"\bSignature=([0-9a-f]{64})")),
    ("a token", re.compile(r"\bBearer\s+([A-Za-z0-9._~+/=-]{16,4000})")),
    ("a token", re.compile(r"\b(?:gh[pousr]_\w{30,255}|github_pat_\w{30,255}|glpat-[\w-]{20,255}|xox[abprs]-[\w-]{10,255})")),
    ("a token", re.compile(r"\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{10,2000}")),
    ("a password", re.compile(r"\bpassword[\"']?\s{0,9}[:=]\s{0,9}[\"']([^\"'\s]{4,200})[\"']", re.IGNORECASE)),
    ("a password", re.compile(r"\b[a-z][a-z0-9+.-]{1,20}://[^/\s:@]{1,100}:([^/\s@]{1,200})@", re.IGNORECASE)),
)  # fmt: skip


@dataclass(frozen=True)
class Redaction:
    """What is taken out. `values`: secrets that are known, with what each is. `paths`: folders, with what stands for each."""

    values: Mapping[str, str] = field(default_factory=dict)
    paths: Mapping[str, str] = field(default_factory=dict)

    def clean(self, text: str) -> tuple[str, Counter[str]]:
        """The text without them, and how many of what were taken out."""
        found: Counter[str] = Counter()
        for value, what in sorted(self.values.items(), key=lambda item: -len(item[0])):
            found[what] += text.count(value)
            text = text.replace(value, f"[{what}]")
        for what, form in _FORMS:
            text, count = form.subn(lambda match, what=what: _without(match, what), text)  # type: ignore[misc]
            found[what] += count
        for path, instead in sorted(self.paths.items(), key=lambda item: -len(item[0])):
            text = re.sub(rf"{re.escape(path)}(?![\w-])", lambda _, instead=instead: instead, text)  # type: ignore[misc]
        return text, +found


def known(variables: Mapping[str, str], more: Iterable[str] = ()) -> dict[str, str]:
    """The secrets in an environment, by their names, and `more` values."""
    named = [value for name, value in variables.items() if _SECRET_NAME.search(name)]
    return {value: "a secret of this machine" for value in (*named, *more) if len(value) >= _SHORTEST}


def _without(match: re.Match[str], what: str) -> str:
    """The match with its secret part replaced."""
    if not match.re.groups:
        return f"[{what}]"
    start, end = (place - match.start() for place in match.span(1))
    return f"{match[0][:start]}[{what}]{match[0][end:]}"
