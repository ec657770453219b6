"""Policy documents, read once into statements that can be matched fast.

What belongs here: the elements of a statement and whether they match a request. What does not: how
the verdicts of many statements make a decision (labkit.aws.iam.evaluator).
AWS IAM: "IAM JSON policy element reference".
"""

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from labkit.aws.iam.conditions import Condition, parse_conditions
from labkit.aws.iam.matching import Context, expand, matches

#: documents read and kept; the oldest goes first
_KEPT = 512


@dataclass(frozen=True)
class Statement:
    """One statement. `sid` is its Sid, or its place in the policy counted from 1."""

    sid: str
    effect: Literal["Allow", "Deny"]
    actions: tuple[str, ...]  # lower case
    not_actions: bool
    resources: tuple[str, ...]
    not_resources: bool
    conditions: tuple[Condition, ...]
    principal: object
    not_principal: object
    variables: bool

    def covers(self, action: str, resource: str, context: Context) -> bool:
        """Whether the statement speaks of this action (lower case) on this resource in this context."""
        if any(matches(pattern, action) for pattern in self.actions) == self.not_actions:
            return False
        if self._names(resource, context) == self.not_resources:
            return False
        return all(condition.holds(context, variables=self.variables) for condition in self.conditions)

    def _names(self, resource: str, context: Context) -> bool:
        for pattern in self.resources:
            wanted = expand(pattern, context) if self.variables else pattern
            # A * that ends a component reaches over colons (IAM user guide, Resource element).
            if wanted is not None and matches(wanted, resource):
                return True
        return False


_read: OrderedDict[int, tuple[Mapping[str, object], tuple[Statement, ...]]] = OrderedDict()


def statements(document: Mapping[str, object]) -> tuple[Statement, ...]:
    """The statements of a policy document, which must not be changed after it was given to this function."""
    entry = _read.get(id(document))
    if entry is not None and entry[0] is document:
        return entry[1]
    parsed = _parse(document)
    _read[id(document)] = (document, parsed)  # holding the document keeps its id from being reused
    while len(_read) > _KEPT:
        _read.popitem(last=False)
    return parsed


def _parse(document: Mapping[str, object]) -> tuple[Statement, ...]:
    found = document.get("Statement", [])
    items = found if isinstance(found, list) else [found]
    variables = document.get("Version") == "2012-10-17"
    return tuple(
        _statement(item, str(number), variables)
        for number, item in enumerate(items, 1)
        if isinstance(item, Mapping)
    )


def _statement(item: Mapping[str, object], number: str, variables: bool) -> Statement:
    actions = item.get("Action", item.get("NotAction"))
    resources = item.get("Resource", item.get("NotResource"))
    return Statement(
        sid=str(item.get("Sid") or number),
        effect="Allow" if item.get("Effect") == "Allow" else "Deny",
        actions=tuple(pattern.lower() for pattern in _texts(actions)),
        not_actions="Action" not in item,
        # A trust policy has no Resource: it speaks of the role that it hangs on.
        resources=_texts(resources) if resources is not None else ("*",),
        not_resources="NotResource" in item and "Resource" not in item,
        conditions=parse_conditions(item.get("Condition")),
        principal=item.get("Principal"),
        not_principal=item.get("NotPrincipal"),
        variables=variables,
    )


def _texts(value: object) -> tuple[str, ...]:
    if value is None:
        return ()
    return tuple(str(item) for item in value) if isinstance(value, list) else (str(value),)
