"""What a role may do beyond what it needs: every statement read, every action that AWS knows asked for.

What belongs here: going through policies for what they allow outside a needed set; each find is confirmed by
the one evaluator. What does not: reading the policies from an account, and what is needed (the lab's checks).

An allow under a condition counts where a caller with the role can fulfil the condition; a deny under a condition
protects only where the condition always holds. What can't be decided within limits is said to be so.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from labkit.aws.iam.catalog import Action, Kind, actions
from labkit.aws.iam.circumstances import circumstances
from labkit.aws.iam.evaluator import Decision, Request, evaluate, names
from labkit.aws.iam.globs import Searcher, Undecided
from labkit.aws.iam.matching import Context, expand, matches
from labkit.aws.iam.principals import names_everybody
from labkit.aws.iam.statements import Statement, statements
from labkit.aws.records import PolicyDocument, Principal


@dataclass(frozen=True)
class Policies:
    """All that applies to a role's session: its own policies, its boundary, the policies of resources.

    `on_resources`: ARN of a bucket or role → its policy (of a role: the trust policy). `tags`: the role's.
    """

    principal: Principal
    identity: tuple[PolicyDocument, ...] = ()
    boundary: PolicyDocument | None = None
    on_resources: Mapping[str, PolicyDocument] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Needed:
    """What may be allowed: these actions (patterns, lower case) on what matches one of these patterns."""

    actions: tuple[str, ...]
    resources: tuple[str, ...]


@dataclass(frozen=True)
class Excess:
    """Something allowed that is not needed.

    `action` in lower case, and the statement's `pattern` that means it ("" where it names what it does not mean);
    `resource` as the statement writes it, `example` one that is allowed; `policy` and
    `statement` allow it. Not `decided`: the policies are too entangled to tell on what it is allowed.
    """

    action: str
    pattern: str
    resource: str
    example: str
    policy: str
    statement: str
    decided: bool = True


def excesses(
    policies: Policies, needed: Sequence[Needed], catalog: Callable[[str], Iterable[Action]] = actions
) -> Iterator[Excess]:
    """What the policies allow beyond `needed`, one find for each statement, action and kind of resource.

    As they are found: whoever has seen enough may stop. `catalog` gives the actions that a pattern means.
    """
    read = _Read(policies)
    for grant in read.grants:
        for action in _meant(grant.statement, catalog):
            wanted = [p for need in needed if _any(need.actions, action.name) for p in need.resources]
            yield from read.find(grant, action, wanted)


def allows(policies: Policies, action: str, resource: str) -> bool:
    """Whether the policies allow the action on this resource under circumstances that a caller can bring about."""
    read, name = _Read(policies), action.lower()
    speaking = [s for s in (*(g.statement for g in read.grants), *read.denials) if _speaks(s, name)]
    try:
        return any(read.allowed(name, resource, context) for context in circumstances(policies, speaking))
    except Undecided:
        return False


def granted(policies: Policies, action: str) -> list[str]:
    """The resources, as they are written, of the statements that allow the action, under whatever conditions."""
    speaking = (g.statement for g in _Read(policies).grants if _speaks(g.statement, action.lower()))
    return [
        f"all but {pattern}" if statement.not_resources else pattern
        for statement in speaking
        for pattern in statement.resources
    ]


def decide(policies: Policies, action: str, resource: str, context: Context | None = None) -> Decision:
    """What the evaluator decides about a request of the role's session."""
    hanging = [policy for arn, policy in policies.on_resources.items() if _hangs_on(arn, resource)]
    request = Request(policies.principal, action, (resource,), context or {})
    return evaluate(request, policies.identity, hanging, boundary=policies.boundary)


@dataclass(frozen=True)
class _Grant:
    """An allow statement, and the policy that it stands in."""

    policy: str
    statement: Statement


class _Read:
    """The statements that apply to one role."""

    def __init__(self, policies: Policies) -> None:
        self._policies = policies
        found = list(_applying(policies))
        self.grants = [grant for grant in found if grant.statement.effect == "Allow"]
        self.denials = [grant.statement for grant in found if grant.statement.effect == "Deny"]
        boundary = statements(policies.boundary.document) if policies.boundary else None
        self.denials += [s for s in boundary or () if s.effect == "Deny"]
        self._searcher = Searcher()
        self._within = None if boundary is None else [s for s in boundary if s.effect == "Allow"]

    def find(self, grant: _Grant, action: Action, needed: Sequence[str]) -> Iterator[Excess]:
        """Resources outside `needed` on which the statement allows the action, one of each kind at most."""
        within = None if self._within is None else [s for s in self._within if _speaks(s, action.name)]
        denials = [s for s in self.denials if _speaks(s, action.name)]
        if any(not s.conditions and not s.not_resources and "*" in s.resources for s in denials):
            return
        others = (*denials, *(within or ()))
        for kind in action.kinds:
            try:
                for context in circumstances(self._policies, others, grant.statement):
                    example = self._example(grant.statement, within, denials, kind, needed, context)
                    if example is not None and self.allowed(action.name, example, context):
                        yield _excess(grant, action.name, example, context)
                        break
            except Undecided:
                yield _excess(grant, action.name, "", {})

    def _example(
        self,
        allow: Statement,
        within: Sequence[Statement] | None,
        denials: Sequence[Statement],
        kind: Kind,
        needed: Sequence[str],
        context: Context,
    ) -> str | None:
        """A text that is a resource of the kind, allowed, within the boundary, not denied, and not needed."""
        if not _holds(allow, context):
            return None
        inside, outside = [[kind.pattern]], [*kind.never, *needed]
        for each in (allow, *(_turned(s) for s in denials if _holds(s, context))):
            patterns = _expanded(each, context)
            (outside.extend if each.not_resources else inside.append)(patterns)
        if within is None:
            return self._searcher.witness(inside, outside)
        for each in (s for s in within if _holds(s, context)):
            patterns = _expanded(each, context)
            more = ([], patterns) if each.not_resources else ([patterns], [])
            found = self._searcher.witness([*inside, *more[0]], [*outside, *more[1]])
            if found is not None:
                return found
        return None

    def allowed(self, action: str, resource: str, context: Context) -> bool:
        return decide(self._policies, action, resource, context).allowed


def _applying(policies: Policies) -> Iterator[_Grant]:
    """The statements of the role's own policies, and those of resources that name it, bound to their resource.

    What a resource allows to everybody is the resource's openness, not a right of the role.
    """
    for policy in policies.identity:
        yield from (_Grant(policy.name, each) for each in statements(policy.document))
    for arn, policy in policies.on_resources.items():
        for each in statements(policy.document):
            how = names(each, policies.principal)
            granted = how == "direct" and not names_everybody(each.principal)
            if granted or (how and each.effect == "Deny"):
                trust = ":role/" in arn
                yield _Grant(
                    policy.name, replace(each, resources=(arn,), not_resources=False) if trust else each
                )


def _hangs_on(arn: str, resource: str) -> bool:
    return resource == arn or (":s3:::" in arn and resource.startswith(f"{arn}/"))


def _meant(statement: Statement, catalog: Callable[[str], Iterable[Action]]) -> Iterator[Action]:
    if statement.not_actions:
        yield from (each for each in catalog("*") if not _any(statement.actions, each.name))
        return
    seen = set[str]()
    for pattern in statement.actions:
        for action in catalog(pattern):
            if action.name not in seen:
                seen.add(action.name)
                yield action


def _any(patterns: Sequence[str], text: str) -> bool:
    return any(matches(pattern, text) for pattern in patterns)


def _speaks(statement: Statement, action: str) -> bool:
    return _any(statement.actions, action) != statement.not_actions


def _holds(statement: Statement, context: Context) -> bool:
    return all(each.holds(context, variables=statement.variables) for each in statement.conditions)


def _turned(denial: Statement) -> Statement:
    """A deny as what it leaves: a resource must not match where it names, and must where it excepts."""
    return replace(denial, not_resources=not denial.not_resources)


def _expanded(statement: Statement, context: Context) -> list[str]:
    if not statement.variables:
        return list(statement.resources)
    return [text for each in statement.resources if (text := expand(each, context)) is not None]


def _excess(grant: _Grant, action: str, example: str, context: Context) -> Excess:
    statement = grant.statement
    written = [r for r in statement.resources if (text := expand(r, context)) and matches(text, example)]
    resource = written[0] if written and not statement.not_resources else example
    meant = "" if statement.not_actions else next(p for p in statement.actions if matches(p, action))
    return Excess(action, meant, resource, example, grant.policy, statement.sid, decided=bool(example))
