"""Ids, addresses and times that differ from run to run, named by their role: the same result, byte for byte.

What belongs here: a pure replacement in texts of a result. What does not: where the texts come from.
"""

import re
from collections.abc import Callable, Mapping

_ROLES = {
    "InstanceId": "<server>",
    "InstancePrivateIp": "<server's private address>",
    "InstancePublicIp": "<server's public address>",
    "VpcId": "<your VPC>",
}
_UUID = re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
#: without its zone, which is the same in every run: where it is wrong, it must be seen
_TIME = re.compile(r"\b\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?")
_DATE = re.compile(r"\b[A-Z][a-z]{2}, \d{1,2} [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d (?:[+-]\d{4}|GMT)")
_MILLISECONDS = re.compile(r"(?<=_ms\": )\d+(?:\.\d+)?")
_ID = re.compile(r"\b(acl|ami|eipalloc|eni|i|igw|rtb|rtbassoc|sg|sgr|subnet|vol|vpc)-[0-9a-f]{8,17}\b")
_KINDS = {
    "sg": "security group", "i": "instance", "eni": "interface", "igw": "internet gateway", "rtb": "route table",
    "vpc": "VPC", "ami": "image", "sgr": "rule", "vol": "volume", "acl": "network ACL",
}  # fmt: skip
_DURATION = re.compile(r"\b\d+\.\d+ ?(ms|s|seconds)\b")
_OBJECT = re.compile(r"\b0x[0-9a-f]{6,}\b")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}(?!\.?\d|/\d)\b")
_PID = re.compile(r"(?<=\[)\d+(?=\]:)|(?<=\b[Pp][Ii][Dd] )\d+")
_FIXED = ("0.0.0.0", "127.", "169.254.", "255.")
_SESSION = re.compile(r"(?<=assumed-role/)([\w+=,.@-]+)/[\w+=,.@-]+")
_VOLATILE = re.compile(
    "|".join(
        each.pattern
        for each in (_SESSION, _UUID, _DATE, _TIME, _MILLISECONDS, _ID, _DURATION, _OBJECT, _PID, _ADDRESS)
    )
)


def cut(text: str, limit: int) -> str:
    """The beginning of `text`, which ends at the same place in every run.

    What differs from run to run counts as one character, however long it is, and is never cut in two.
    """
    counted = place = 0
    for match in _VOLATILE.finditer(text):
        before = match.start() - place
        if counted + before >= limit:
            break
        counted, place = counted + before + 1, match.end()
    return text[: place + limit - counted]


class Names:
    """Replaces what differs between two runs of the same submission.

    `outputs` are the deployment's; what stands in the `fixed` text (the student's own files) stays: it does not
    differ, and may be the very mistake.
    """

    def __init__(self, outputs: Mapping[str, str], fixed: str = "") -> None:
        known = {value: _ROLES[name] for name, value in outputs.items() if name in _ROLES and value}
        self._known = dict(sorted(known.items(), key=lambda pair: -len(pair[0])))
        self._fixed = fixed

    def stable(self, text: str) -> str:
        """`text` with everything volatile replaced by its role."""
        for value, role in self._known.items():
            text = re.sub(rf"(?<![\w-]){re.escape(value)}(?![\w-])", role, text)
        text = _SESSION.sub(r"\1/<session>", text)
        text = self._named(_UUID, text, lambda _: "<uuid>")
        text = _DATE.sub("<time>", self._named(_TIME, text, lambda _: "<time>"))
        text = _MILLISECONDS.sub("<some>", text)
        text = self._named(_ID, text, lambda match: f"<{_KINDS.get(match[1], match[1])}>")
        text = _DURATION.sub(r"<some> \1", text)
        text = _OBJECT.sub("<object>", text)
        text = _PID.sub("<pid>", text)
        return self._named(
            _ADDRESS, text, lambda match: match[0] if match[0].startswith(_FIXED) else "<address>"
        )

    def _named(self, pattern: re.Pattern[str], text: str, role: Callable[[re.Match[str]], str]) -> str:
        """`text` with what `pattern` finds replaced by its role, but for what is fixed."""
        return pattern.sub(lambda match: match[0] if match[0] in self._fixed else role(match), text)
