"""Line numbers in the words of an engine, told as those of the student's file.

What belongs here: from lines of a built file to lines of the one it was built from. What does not: building (labkit.course.build).
"""

import difflib
import re

_LINE = re.compile(r"\bline (\d+)")


def told(message: str, built: str, own: str) -> str:
    """The message with the numbers of lines of `built` as those of `own`, which was built into it.

    A line that only `built` has (of code that was put in) keeps its number, and the message says whose it is.
    """
    blocks = difflib.SequenceMatcher(
        None, built.splitlines(), own.splitlines(), autojunk=False
    ).get_matching_blocks()

    def number(found: re.Match[str]) -> str:
        at = int(found[1]) - 1
        for block in blocks:
            if block.a <= at < block.a + block.size:
                return f"line {block.b + at - block.a + 1}"
        return f"{found[0]} of the file in build/"

    return _LINE.sub(number, message)
