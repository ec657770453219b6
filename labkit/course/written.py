"""What people write into answers.md, read as they mean it: labels, numbers, units, whatever the markup around them.

What belongs here: pure functions from Markdown to plain lines, from a label to what stands behind it, from text to a
number. What does not: which questions there are and what is right (answers).
"""

import html
import math
import re
import unicodedata
from collections.abc import Iterator, Mapping

_BREAK = re.compile(r"<(?:br|/?p|/?div|/?tr|/?li|hr)\b[^<>]{0,80}>", re.IGNORECASE)
_TAG = re.compile(
    r"</?(?:a|b|strong|i|em|u|code|kbd|tt|pre|mark|small|span|sub|sup|font|center|table|thead|tbody|td|th|ul|ol|"
    r"details|summary)\b[^<>]{0,80}>",
    re.IGNORECASE,
)
_LINK = re.compile(r"!?\[([^\[\]\n]{0,300})\]\([^)\n]{0,300}\)")
_EMPHASIS = re.compile(r"[*`~$]|(?<![^\W_])_+|_+(?![^\W_])")
_ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
#: what opens a line and is no part of its words: quote, bullet, check box
_OPENING = re.compile(r"^(?:\s*(?:>|[-+•](?=\s)|\[[ xX]\]))*\s*")
#: what may stand before a label
_BEFORE = r"^(?:#{1,6}\s*|\d{1,2}[.)]\s+|\|\s*)?"
_RULE = re.compile(r"^[\s|:=-]*$")
_UNIT, _LABEL = re.compile(r"\([^()]*\)"), re.compile(r"#|[A-Za-z][A-Za-z ]{0,30}:")
_LONGEST = 1 << 18

_DIGITS = r"[0-9]{1,3}([ '’_,.])[0-9]{3}(?:\3[0-9]{3})*(?:[.,][0-9]+)?(?![0-9])|[0-9]{1,40}(?:[.,][0-9]{1,40})?|[.,][0-9]{1,40}"
_POWER = r"(?:[eE]([-+]?\d{1,3})|\s*[x×·]\s*10\s*\^?\s*([-+]?\d{1,3}))?"
_NUMBER = re.compile(rf"(?<![\w.,])([-+]?)\s?({_DIGITS}){_POWER}\s*([%¢a-zA-Zμ]*)")


def plain(text: str) -> str:
    """Markdown without its markup, a line for a line: emphasis, code, lists, quotes, HTML, comments, entities.

    Line ends are Unix's; blanks and signs of typography are their plain ones. Cells of a table stay apart by "|".
    """
    text = text[:_LONGEST].replace("\r\n", "\n").replace("\r", "\n").replace("\ufeff", "")
    text = html.unescape(_TAG.sub("", _BREAK.sub("\n", _without_comments(text))))
    text = unicodedata.normalize("NFKC", text).replace("\u2212", "-").replace("\u2013", "-")
    text = "".join(" " if unicodedata.category(c) == "Zs" or c == "\t" else c for c in text)
    text = "".join(c for c in text if c == "\n" or unicodedata.category(c) not in ("Cf", "Cc"))
    text = _EMPHASIS.sub("", _LINK.sub(r"\1", _ESCAPED.sub(r"\1", text)))
    return "\n".join(_OPENING.sub("", line).rstrip() for line in text.split("\n"))


def _without_comments(text: str) -> str:
    """Text without HTML's comments; one that is never closed is none."""
    first, *rest = text.split("<!--")
    kept, held = [first], ""
    for piece in rest:
        held += "<!--" + piece
        if "-->" in piece:
            kept.append(piece.partition("-->")[2])
            held = ""
    return " ".join(kept) + held


def behind(text: str, label: str) -> str | None:
    """What stands behind "label:" in plain text, on its line or on the next that says something; None without it.

    `label` is a regular expression; case does not count. Also "label (unit): …", "label = …" and a table's cell beside
    or below the label. "" when nothing was written.
    """
    beside = re.compile(
        rf"{_BEFORE}{label}\s*(?:\([^()\n]{{0,40}}\)|in\s\w+)?\s*(?::|=|\||$)[ |]*(.*)$", re.IGNORECASE
    )
    lines = text.split("\n")
    found: list[str] = []
    for place, line in enumerate(lines):
        below = _cell_below(lines, place, label)
        match = beside.match(line)
        if below is not None:
            found.append(below)
        elif match:
            found.append(match[1].strip(" |") or _next(lines[place + 1 :]))
    return next((each for each in found if each), "" if found else None)


def _cell_below(lines: list[str], place: int, label: str) -> str | None:
    """The cell below the head `label` of a table with several columns; None where this line is no such head."""
    if (
        place + 2 >= len(lines)
        or "|" not in lines[place]
        or "-" not in lines[place + 1]
        or not _RULE.match(lines[place + 1])
    ):
        return None
    heads = [cell.strip() for cell in lines[place].strip("| ").split("|")]
    cells = [cell.strip() for cell in lines[place + 2].strip("| ").split("|")]
    fits = re.compile(rf"{label}\s*(?:\(.*)?", re.IGNORECASE)
    return next((cell for head, cell in zip(heads, cells, strict=False) if fits.fullmatch(head)), None)


def _next(lines: list[str]) -> str:
    """The first line that says something and is no unit alone, unless another label or heading stands before it."""
    said = (
        words for line in lines if not _RULE.match(line) and not _UNIT.fullmatch(words := line.strip(" |"))
    )
    first = next(said, "")
    return "" if _LABEL.match(first) else first


def readings(text: str, units: Mapping[str, float]) -> list[float]:
    """What number `text` may mean, the likeliest first, in the unit that counts 1 of `units`; [] for none.

    "1,234" is read both ways that people write it. Of a calculation ("9 / 15 = 60 %") the result is meant. A unit
    that `units` does not know is not looked at.
    """
    for match in _NUMBER.finditer(text.rpartition("=")[2] if "=" in text else text):
        sign, digits, group = match[1], match[2], match[3]
        power = int(match[4] or match[5] or 0)
        factor = units.get(match[6].lower(), 1.0)
        values = [float(f"{sign}{each}e{power}") * factor for each in _spellings(digits, group)]
        return [value for value in values if math.isfinite(value)]
    return []


def _spellings(digits: str, group: str | None) -> Iterator[str]:
    """The digits as Python writes them: marks of thousands taken out, a decimal comma as a point."""
    if group:
        whole = digits.replace(group, "")
        yield whole.replace(",", ".")
        if group in ",." and digits.count(group) == 1 and whole.isdigit():
            yield digits.replace(",", ".")
    else:
        yield digits.replace(",", ".")
