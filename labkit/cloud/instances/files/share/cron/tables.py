"""What a table says: crontab(5)'s five fields, nicknames, variables, users of system tables."""

import re
import time
from collections.abc import Set
from dataclasses import dataclass, field

_NAMES = {
    3: ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"],
    4: ["sun", "mon", "tue", "wed", "thu", "fri", "sat"],
}
_LIMITS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 7))
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class Mistake(Exception):
    """What is wrong with a line, in crontab's words."""


@dataclass(frozen=True)
class Job:
    """A command, the minutes at which it runs (none: at the start of crond), and its environment."""

    command: str
    fields: tuple[frozenset[int], ...]
    #: days of the month and of the week: where both are given, one of them is enough
    either_day: bool = False
    at_start: bool = False
    environment: dict[str, str] = field(default_factory=dict)

    def due(self, at: time.struct_time) -> bool:
        """Whether it runs in this minute."""
        if self.at_start:
            return False
        minute, hour, day, month, week = self.fields
        if at.tm_min not in minute or at.tm_hour not in hour or at.tm_mon not in month:
            return False
        days = (at.tm_mday in day, (at.tm_wday + 1) % 7 in week)
        return any(days) if self.either_day else all(days)


def read(text: str, *, with_user: bool) -> list[Job]:
    """The jobs of a table. Raises Mistake."""
    found: list[Job] = []
    environment: dict[str, str] = {}
    for number, raw in enumerate(text.splitlines(), 1):
        line = raw.strip()
        variable = re.fullmatch(r"""([A-Za-z_]\w*)\s*=\s*(["']?)(.*)\2""", line)
        if not line or line.startswith("#"):
            continue
        if variable:
            environment = {**environment, variable[1]: variable[3]}
        else:
            found.append(_job(line, number, dict(environment), with_user=with_user))
    return found


def _job(line: str, number: int, environment: dict[str, str], *, with_user: bool) -> Job:
    count = 1 if line.startswith("@") else 5
    words = line.split(None, count + (1 if with_user else 0))
    if len(words) < count + (2 if with_user else 1):
        raise Mistake(f"{number}: bad command")
    if words[0] == "@reboot":
        return Job(words[-1], (), at_start=True, environment=environment)
    times = _NICKNAMES.get(words[0], "").split() if count == 1 else words[:5]
    if not times:
        raise Mistake(f"{number}: bad time specifier")
    fields = tuple(_field(word, index, number) for index, word in enumerate(times))
    either = not times[2].startswith("*") and not times[4].startswith("*")
    return Job(words[-1], fields, either, environment=environment)


def _field(word: str, index: int, number: int) -> frozenset[int]:
    names = ("minute", "hour", "day-of-month", "month", "day-of-week")
    found: set[int] = set()
    for part in word.lower().split(","):
        match = re.fullmatch(r"(\*|(\w+)(?:-(\w+))?)(?:/(\d+))?", part)
        if match is None:
            raise Mistake(f"{number}: bad {names[index]}")
        found |= _range(match, index, f"{number}: bad {names[index]}")
    return frozenset(0 if index == 4 and each == 7 else each for each in found)


def _range(match: "re.Match[str]", index: int, wrong: str) -> Set[int]:
    low, high = _LIMITS[index]
    if match[1] != "*":
        low = _number(match[2], index, wrong)
        high = _number(match[3], index, wrong) if match[3] else high if match[4] else low
    if not _LIMITS[index][0] <= low <= high <= _LIMITS[index][1] or match[4] == "0":
        raise Mistake(wrong)
    return set(range(low, high + 1, int(match[4] or 1)))


def _number(word: str, index: int, wrong: str) -> int:
    if word.isdigit():
        return int(word)
    names = _NAMES.get(index, [])
    if word[:3] not in names:
        raise Mistake(wrong)
    return names.index(word[:3]) + (index == 3)
