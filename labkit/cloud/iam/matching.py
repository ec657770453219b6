"""Patterns of policies: wildcards, ARNs, policy variables.

What belongs here: whether one text matches one pattern. What does not: statements and conditions.
AWS IAM: Resource element, "Using wildcards in resource ARNs"; "IAM policy elements: Variables and tags".
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

Values = str | tuple[str, ...]
Context = Mapping[str, Values]

_VARIABLE = re.compile(r"\$\{([^}]*)\}")
_DEFAULT = re.compile(r"\s*([^,\s]+)\s*,\s*'([^']*)'\s*").fullmatch
#: stand for a literal * and ? (from a variable) inside a pattern
_STAR, _QUESTION = "\ue000", "\ue001"
_LITERAL = str.maketrans({"*": _STAR, "?": _QUESTION})
_PLAIN = str.maketrans({_STAR: "*", _QUESTION: "?"})


def matches(pattern: str, text: str) -> bool:
    """Whether `text` matches `pattern`, in which * is any text and ? one character; case counts."""
    if pattern == "*":
        return True
    return pattern == text or _regex(pattern)(text) is not None


def matches_arn(pattern: str, arn: str) -> bool:
    """As matches, but the six components of an ARN are compared one by one (IAM: ArnLike)."""
    if pattern in ("*", arn):
        return True
    wanted, given = pattern.split(":", 5), arn.split(":", 5)
    return len(wanted) == len(given) == 6 and all(map(matches, wanted, given))


def expand(pattern: str, context: Context) -> str | None:
    """`pattern` with its policy variables replaced, or None when one is not known.

    Wildcards inside a variable's value are literal. A variable with more than one value is not known.
    """
    if "${" not in pattern:
        return pattern
    missing = False

    def value(match: re.Match[str]) -> str:
        nonlocal missing
        found = _variable(match[1], context)
        missing = missing or found is None
        return (found or "").translate(_LITERAL)

    expanded = _VARIABLE.sub(value, pattern)
    return None if missing else expanded


def plain(pattern: str) -> str:
    """An expanded pattern as text, for comparisons without wildcards."""
    return pattern.translate(_PLAIN)


def _variable(name: str, context: Context) -> str | None:
    if name in ("*", "?", "$"):
        return name
    default = _DEFAULT(name)
    found = context.get((default[1] if default else name).strip().lower())
    if isinstance(found, str):
        return found
    return default[2] if default else None


@lru_cache(maxsize=4096)
def _regex(pattern: str) -> Callable[[str], re.Match[str] | None]:
    parts = (".*" if c == "*" else "." if c == "?" else re.escape(plain(c)) for c in pattern)
    return re.compile("".join(parts), re.DOTALL).fullmatch
