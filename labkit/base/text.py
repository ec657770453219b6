"""Text that others wrote, made safe to show: no control characters, no runaway lines.

What belongs here: pure functions on text. What does not: where the text goes.
"""

import unicodedata

#: categories that can move the cursor, change colours or reverse the reading order
_UNSAFE = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}


def printable(text: str) -> str:
    """`text` on one line: control, format and bidirectional characters shown as "?"; tabs as spaces."""
    shown = text.replace("\t", "    ").replace("\r\n", "\n").replace("\n", " ⏎ ")
    return "".join("?" if unicodedata.category(c) in _UNSAFE else c for c in shown)


def shortened(text: str, limit: int = 300) -> str:
    """`text` with its middle left out when it is longer than `limit` characters."""
    if len(text) <= limit:
        return text
    keep = (limit - 3) // 2
    return f"{text[:keep]} … {text[-keep:]}"
