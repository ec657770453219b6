"""The circumstances that conditions of policies tell apart, as condition keys that a caller can bring about.

What belongs here: which values of which keys are worth trying for some statements, and what a role's session can't
choose. What does not: whether a condition holds (conditions), what a request's keys are (labkit.cloud.door.contexts).
AWS IAM: "AWS global condition context keys".
"""

import ipaddress
import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Protocol

from labkit.aws.iam.catalog import known_prefix
from labkit.aws.iam.conditions import Condition
from labkit.aws.iam.globs import Searcher, Undecided
from labkit.aws.iam.matching import Context, Values
from labkit.aws.iam.statements import Statement
from labkit.aws.records import Principal
from labkit.base.text import whole

#: combinations of values that are tried before the question is given up
MOST = 64
_VARIABLE = re.compile(r"\$\{\s*([^},\s]+)[^}]*\}")
_OTHER = "something-else"
_ADDRESSES = ("203.0.113.77", "2001:db8::77")
_NUMBERS = ("0", "1000000")
#: keys that every request has with one of two values, and the usual one: a program calls for itself, over TLS
_USUAL: Mapping[str, str] = {"aws:securetransport": "true", "aws:viaawsservice": "false"}
#: what no session of a role has (IAM: "AWS global condition context keys")
_NEVER = ("aws:username", "aws:multifactorauthage", "aws:multifactorauthpresent")


class Session(Protocol):
    """Whose circumstances: a role's session, and the role's tags."""

    @property
    def principal(self) -> Principal: ...  # noqa: D102
    @property
    def tags(self) -> Mapping[str, str]: ...  # noqa: D102


def circumstances(
    session: Session, others: Sequence[Statement], allow: Statement | None = None
) -> Iterator[Context]:
    """Condition keys that the statements tell apart, in those combinations under which `allow` may hold.

    Those come first that fulfil the fewest conditions of `others`. Raises Undecided after `MOST`.
    """
    allows = [allow] if allow else []
    conditions = [each for statement in (*allows, *others) for each in statement.conditions]
    named = {key.lower() for s in (*allows, *others) for key in _VARIABLE.findall(" ".join(_texts(s)))}
    keys = sorted({each.key for each in conditions} | named - {"*", "?", "$"})
    must = allow.conditions if allow else ()
    choices = [_choices(key, must, [c for s in others for c in s.conditions], session) for key in keys]
    usual = {**_USUAL, **_fixed(session)}
    for count, values in enumerate(itertools.product(*choices)):
        if count >= MOST:
            raise Undecided
        yield usual | {key: v for key, v in zip(keys, values, strict=True) if v is not None}


def _texts(statement: Statement) -> Iterator[str]:
    yield from statement.resources
    yield from (text for condition in statement.conditions for text in condition.wanted)


def _fixed(session: Session) -> dict[str, Values]:
    """What the session can't choose."""
    who = session.principal
    tags = {f"aws:principaltag/{key.lower()}": value for key, value in session.tags.items()}
    return {
        "aws:principalarn": who.role_arn,
        "aws:principalaccount": who.account_id,
        "aws:principaltype": "AssumedRole",
        "aws:principalisawsservice": "false",
        **tags,
    }


def _choices(
    key: str, must: Sequence[Condition], others: Sequence[Condition], session: Session
) -> list[Values | None]:
    """Values of one key worth trying, those first that fulfil the fewest of `others`; None: a request without it."""
    fixed = _fixed(session)
    if key in fixed:
        return [fixed[key]]
    if key in _NEVER or key.startswith("aws:principaltag/") or not _is_known(key):
        return [None]
    must = [c for c in must if c.key == key and not _has_variable(c)]
    others = [c for c in others if c.key == key]
    kept = [v for v in dict.fromkeys(_tried(key, [*must, *others])) if all(_holds(c, v) for c in must)]
    kept.sort(key=lambda value: sum(_holds(c, value) for c in others))
    return kept if others or any(_has_variable(c) for c in must) else kept[:1]


def _tried(key: str, conditions: Sequence[Condition]) -> list[Values | None]:
    if key in _USUAL:
        return [_USUAL[key], "false" if _USUAL[key] == "true" else "true"]
    truths = all(c.operator in ("bool", "null") for c in conditions)
    tried: list[Values | None] = [*_values(conditions), *([] if truths else [_OTHER]), None]
    if any(condition.quantifier for condition in conditions):
        several = tuple(v for v in tried if isinstance(v, str))
        tried += [several, several[:-1]]
    if key == "aws:currenttime":
        now = datetime.now(UTC)
        return [now.isoformat(), *(v for v in tried if isinstance(v, str) and _is_later(v, now))]
    return tried


def _holds(condition: Condition, value: Values | None) -> bool:
    return condition.holds({} if value is None else {condition.key: value})


def _is_known(key: str) -> bool:
    """Whether AWS has condition keys that begin so."""
    prefix = key.partition(":")[0]
    return prefix == "aws" or known_prefix(prefix)


def _has_variable(condition: Condition) -> bool:
    return any("${" in text for text in condition.wanted)


def _values(conditions: Sequence[Condition]) -> Iterator[str]:
    likes: list[list[str]] = []
    unlike: list[str] = []
    for condition in conditions:
        kind = condition.operator
        if kind.endswith("like"):
            (unlike.extend if "not" in kind else likes.append)(list(condition.wanted))
        for text in condition.wanted:
            yield from _around(kind, text)
    for wanted in (likes, *([one] for one in likes)):
        found = Searcher().witness(wanted, unlike) if wanted else None
        if found is not None:
            yield found


def _around(kind: str, text: str) -> Iterator[str]:
    """A value that a condition names, and its neighbours."""
    if kind == "bool":
        yield from ("true", "false")
    elif kind.startswith("numeric"):
        yield from (text, *_NUMBERS)
        if (number := whole(text)) is not None:
            yield from (str(number + 1), str(number - 1))
    elif kind.startswith("date"):
        yield from _dates(text)
    elif "ipaddress" in kind:
        yield from _in_network(text)
        yield from _ADDRESSES
    elif kind == "null":
        yield _OTHER
    else:
        yield text.replace("*", "x").replace("?", "x")


def _dates(text: str) -> Iterator[str]:
    try:
        date = datetime.fromisoformat(text)
    except ValueError:
        return
    date = date if date.tzinfo else date.replace(tzinfo=UTC)
    yield from ((date + timedelta(days=days)).isoformat() for days in (0, 1, -1))


def _is_later(text: str, now: datetime) -> bool:
    try:
        return datetime.fromisoformat(text) >= now
    except (ValueError, TypeError):
        return False


def _in_network(text: str) -> Iterator[str]:
    try:
        yield str(ipaddress.ip_network(text, strict=False)[0])
    except ValueError:
        return
