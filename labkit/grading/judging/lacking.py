"""What AWS has and only the local cloud lacks, met by a submission: said by name, and nobody's loss.

Such a line is not judged, whatever is tried again: a person must look. So it is kept apart from our trouble.

What belongs here: knowing it from what engine and cloud say. What does not: what is emulated (labkit.cloud), the
submission's own programs, who may say anything.
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from labkit.grading.judging.failure import Failed
from labkit.grading.model import Verdict

#: how the local cloud's API and its CloudFormation refuse what they do not have
_SAID = (
    re.compile(r"(?:.*?: )?([^\n]*?) (?:is|are) not emulated by the local cloud"),
    re.compile(r"The local cloud does not emulate ([^\n]+?)\.(?:\s|\"|$)"),
)
#: beside which stands what AWS would refuse as well
_WRONG = re.compile(r"^#[/:]|\n#[/:]")


class NotEmulated(Exception):
    """The local cloud lacks what the submission uses; `what` is its name."""

    def __init__(self, what: str) -> None:
        super().__init__(f"the local cloud does not emulate {what}")
        self.what = what


def named(text: str) -> str:
    """What the refusal `text` says that the local cloud lacks; "" where it is none, or something is wrong besides."""
    if _WRONG.search(text):
        return ""
    found = (match[1] for pattern in _SAID if (match := pattern.search(text)))
    return next(found, "").removeprefix("The ").rpartition("): ")[2].strip()


def failure(reason: str, text: str = "", *, hint: str = "", **more: Any) -> Exception:
    """NotEmulated where `reason` names what only the local cloud lacks; otherwise Failed with `text` or the reason."""
    what = named(reason)
    return NotEmulated(what) if what else Failed(text or reason, hint=hint, **more)


def by_policy(denials: Iterable[Mapping[str, Any]]) -> str:
    """The condition keys that refusals hung on, and that only the local cloud does not know; "" for none."""
    keys = {key for each in denials for key in str(each.get("lacking", "")).split(", ") if key}
    return f"the condition key {', '.join(sorted(keys))}" if keys else ""


def verdict(what: str) -> Verdict:
    """The verdict on a line that could not be tried for this."""
    return Verdict(
        reason=f"not emulated: the local cloud does not have {what}, and AWS does",
        lacking=what,
        hint="this costs nothing; your instructor has to look at the line",
    )
