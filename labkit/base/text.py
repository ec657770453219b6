"""Text that others wrote, made safe to show: no control characters, no runaway lines; and lengths of time in words.

What belongs here: pure functions on text. What does not: where the text goes.
"""

import textwrap
import unicodedata

#: categories that can move the cursor, change colours or reverse the reading order
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str) -> str:
    """`text` on one line: control, format and bidirectional characters shown as "?"; tabs as spaces."""
    shown = text.replace("\t", "    ").replace("\r\n", "\n").replace("\n", " ⏎ ")
    return "".join("?" if unicodedata.category(c) in _UNSAFE else c for c in shown)


def whole(text: str, digits: int = 18) -> int | None:
    """The whole number that `text` writes in at most so many of the digits 0 to 9, after a minus where it is negative.

    None for any other text: int() takes signs, blanks, other alphabets' digits, and fails on thousands of them.
    """
    bare = text.removeprefix("-")
    return int(text) if bare.isascii() and bare.isdigit() and len(bare) <= digits else None


def shortened(text: str, limit: int = 300) -> str:
    """`text` with its middle left out when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    keep = (limit - 3) // 2
    return f"{text[:keep]} … {text[-keep:]}"


def span(seconds: float) -> str:
    """A length of time in its largest fitting unit: "40 s", "12 min", "5 h", "3 d"."""
    minutes, hours = seconds / 60, seconds / 3600
    if minutes < 1:
        return f"{max(seconds, 0):.0f} s"
    if hours < 2:
        return f"{minutes:.0f} min"
    return f"{hours:.0f} h" if hours < 72 else f"{hours / 24:.0f} d"


def wrapped(text: str, width: int = 76) -> list[str]:
    """`text` as lines of at most `width` signs, indented by two; what is indented by four is an example, and stays."""
    lines: list[str] = []
    for part in text.splitlines():
        if part.startswith("    "):
            lines.append("  " + part)
        else:
            broken = textwrap.wrap(part, width, break_long_words=False, break_on_hyphens=False) or [""]
            lines += [f"  {line}" for line in broken]
    return lines
