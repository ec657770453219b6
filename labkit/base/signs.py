"""Signs for terminals that can't show ours: each has one in ASCII, so that no screen ends in an error.

What belongs here: this replacement. What does not: what is printed. Runs on Python 3.8, beside step 00.
"""

import codecs
import io

_NAME = "lab-signs"
_ASCII = {
    "✓": "+", "✗": "x", "→": ">", "·": "-", "…": "...", "⏎": "|", "×": "x", "±": "+/-", "–": "-", "—": "-", "“": '"', "”": '"',
    "─": "-", "│": "|", "┌": "+", "┐": "+", "└": "+", "┘": "+", "├": "+", "┤": "+", "┴": "+", "●": "*", "○": "o",
}  # fmt: skip


def _replaced(error):  # type: ignore[no-untyped-def]
    """What codecs asks for: the text for what can't be encoded, and where to go on."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return "".join(_ASCII.get(sign, "?") for sign in error.object[error.start : error.end]), error.end


codecs.register_error(_NAME, _replaced)


def use(stream: object) -> None:
    """Let `stream` show each sign that it has no letter for in ASCII."""
    if isinstance(stream, io.TextIOWrapper):
        stream.reconfigure(errors=_NAME)
