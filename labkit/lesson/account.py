"""Is this account fit for the lab? What `./lab doctor --target aws` looks at; nothing is changed, nothing costs.

What belongs here: the account's side of step 00, as checks. What does not: the machine's (labkit.lesson.doctor), the rules
(labkit.deploy.planning.ahead), credentials (labkit.deploy.credentials).
"""

from collections.abc import Iterator

from labkit.deploy import credentials
from labkit.deploy.planning import ahead
from labkit.lesson import aws, limit, preflight, roles
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult

_DELETING = credentials.NEEDED["destroy"]


def examine(context: Context) -> Iterator[CheckResult]:
    """Who we are there, until when, what the account has room for, refuses and would charge.

    Raises DeployError and UsageError as aws.arrive does: without credentials nothing else can be asked.
    """
    holder = context.arrival.holder
    yield CheckResult(
        f"account: …{holder.account[-4:]} in {context.region}, as {holder.arn.rpartition(':')[2]}", True
    )
    yield _session(context)
    yield _role(context)
    yield _room(context)
    yield _files(context)
    why = limit.exceeded(context)
    name = f"cost: no more than {limit.of(context):g} USD an hour" if limit.of(context) else "cost: no limit"
    yield CheckResult(name, not why, why, hint="./lab deploy --cost-limit USD" if why else "")


def _session(context: Context) -> CheckResult:
    """Time to deploy and to delete again."""
    name = f"session: {aws.left(context.arrival.holder)}"
    enough = aws.seconds_left(context.arrival.holder) > _DELETING
    return CheckResult(
        name,
        enough,
        "" if enough else "deleting may take an hour (a function's network interface goes late)",
        hint="" if enough else "Get fresh credentials first (in a Learner Lab: Start Lab again).",
    )


def _role(context: Context) -> CheckResult:
    if not context.own_role:
        return CheckResult("roles: your own are made", True)
    there = roles.exists(context.clients, context.own_role)
    return CheckResult(
        f"role: {context.own_role}",
        there,
        "" if there else f"this account has no role {context.own_role}",
        hint="" if there else "Is it a Learner Lab? Name another role:  ./lab deploy --lab-role NAME",
    )


def _room(context: Context) -> CheckResult:
    if context.workspace.standing.deployed:
        return CheckResult("room: your lab stands there already", True)
    lacking = list(preflight.lacking(context))
    return CheckResult(
        "room: for one more VPC and one more server",
        not lacking,
        " ".join(lacking),
        hint="See what stands there:  ./lab sweep --target aws" if lacking else "",
    )


def _files(context: Context) -> CheckResult:
    most = ahead.concurrency(context.clients)
    found = list(map(str, preflight.refused(context, most)))
    return CheckResult(
        f"files: nothing that this account refuses{f' (Lambda: {most} at once)' if most else ''}",
        not found,
        found[0] if found else "",
        hint="Mend the line, then:  ./lab doctor --target " + context.target if found else "",
        details=tuple(each[:76] for each in found[1:6]),
    )
