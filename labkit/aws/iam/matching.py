"""Patterns of policies: wildcards, ARNs, policy variables.

What belongs here: whether one text matches one pattern. What does not: statements and conditions.
AWS IAM: Resource element, "Using wildcards in resource ARNs"; "IAM policy elements: Variables and tags".
"""

import re
from collections.abc import Mapping
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
    """Whether `text` matches `pattern`, in which * is any text and ? one character; case counts.

    Without going back: the text between two stars is looked for where it first occurs, and never again.
    """
    if pattern in ("*", text):
        return True
    if "*" not in pattern:
        return len(pattern) == len(text) and _find(pattern, text, 0, len(text)) == 0
    first, *middle, last = pattern.split("*")
    start, end = len(first), len(text) - len(last)
    if start > end or _find(first, text, 0, start) != 0 or _find(last, text, end, len(text)) != end:
        return False
    for piece in middle:
        found = _find(piece, text, start, end)
        if found < 0:
            return False
        start = found + len(piece)
    return True


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


def _find(piece: str, text: str, start: int, end: int) -> int:
    """Where `piece`, in which ? is any character, first occurs in text[start:end]; -1 where it does not.

    With a ? by shift-and: one bit for each character of the piece that the text read so far may end in
    (Baeza-Yates and Gonnet, 1992).
    """
    if "?" not in piece:
        return text.find(plain(piece), start, end)
    anywhere, bits = _bits(piece)
    reached, whole = 0, 1 << (len(piece) - 1)
    for place in range(start, end):
        reached = (reached << 1 | 1) & (bits.get(text[place], 0) | anywhere)
        if reached & whole:
            return place - len(piece) + 1
    return -1


@lru_cache(maxsize=4096)
def _bits(piece: str) -> tuple[int, Mapping[str, int]]:
    """Of a piece: the places that any character fits, and those that one character fits."""
    anywhere, bits = 0, dict[str, int]()
    for place, character in enumerate(piece):
        if character == "?":
            anywhere |= 1 << place
        else:
            bits[plain(character)] = bits.get(plain(character), 0) | 1 << place
    return anywhere, bits
