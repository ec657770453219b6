"""AWS as the place of a lesson: which region, whose account, what it is called on the screen, and what it refuses first.

What belongs here: what must be known before a step may go there. What does not: what steps ask of a place
(labkit.lesson.place), credentials by themselves (labkit.deploy.credentials).
"""

import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass

from labkit.aws.accounts import LEARNER_LAB
from labkit.base.errors import DeployError, UsageError
from labkit.base.events import Emit
from labkit.course.workspace import Workspace
from labkit.deploy import aws_evidence, credentials
from labkit.deploy.credentials import Holder
from labkit.deploy.targets import Clients, aws

TITLES = {"aws": "AWS", "learner-lab": "AWS, Learner Lab"}
#: is set in a rehearsal, whose screens must not claim to show AWS
REHEARSAL = "LAB_REHEARSAL"
_ELSEWHERE = "AWS_ENDPOINT_URL"
_NOTHING = "Nothing was started."


def region(name: str, wanted: str, workspace: Workspace, usual: str) -> str:
    """Where to go: as wanted, else as before, else the lab's usual one as far as the account is open there.

    Raises DeployError when the lab stands in another region of the same target.
    """
    known = workspace.standing
    if wanted and known.deployed and wanted != known.region:
        raise DeployError(
            f"Your lab stands in {known.region}; in {wanted} it would be a second one, and nothing would count it.",
            hint=f"{_NOTHING} Leave out --region, or first:  ./lab destroy --target {name}",
        )
    chosen = wanted or known.region or usual
    if name == "learner-lab" and not wanted:
        return LEARNER_LAB.region(chosen)
    return chosen


def is_rehearsed(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether what answers here only stands for AWS."""
    return bool(environment.get(REHEARSAL))


def words(name: str, where: str, digits: str, environment: Mapping[str, str] = os.environ) -> str:
    """What a screen's first line calls it."""
    account = f", account …{digits}" if digits else ""
    rehearsed = " (rehearsal, not AWS)" if is_rehearsed(environment) else ""
    return f"{TITLES[name]}{rehearsed}, {where}{account}"


@dataclass(frozen=True)
class Arrival:
    """Clients that AWS answers, and whom it takes us for."""

    clients: Clients
    holder: Holder


def arrive(
    name: str, where: str, workspace: Workspace, emit: Emit, environment: Mapping[str, str] = os.environ
) -> Arrival:
    """Go there, or say why not, before anything is begun.

    Raises UsageError for a region that is none, and where this terminal means another cloud; DeployError for credentials
    that AWS refuses, an account that is not the one deployed to, and a region that a Learner Lab does not open.
    """
    _refuse_other_clouds(environment)
    clients = Clients(aws(where, name))
    holder = credentials.require(clients, "validate", emit)
    assert holder is not None  # AWS is not the local cloud
    if holder.in_learner_lab and where not in LEARNER_LAB.regions:
        opened = " and ".join(LEARNER_LAB.regions)
        raise DeployError(
            f"A Learner Lab opens {opened} only, not {where}.",
            hint=f"{_NOTHING} Say it:  --region {LEARNER_LAB.regions[0]}",
        )
    if name == "learner-lab" and not holder.in_learner_lab:
        raise DeployError(
            f"These credentials are no Learner Lab's: AWS calls you {_short(holder.arn)}.",
            hint=f"{_NOTHING} For an account of your own:  --target aws",
        )
    if name != "learner-lab" and holder.in_learner_lab:
        raise DeployError(
            "These credentials are a Learner Lab's.", hint=f"{_NOTHING} Say so:  --target learner-lab"
        )
    _refuse_another_account(name, workspace, holder)
    return Arrival(clients, holder)


def _refuse_other_clouds(environment: Mapping[str, str]) -> None:
    leads = sorted(n for n in environment if n.startswith(_ELSEWHERE) and environment[n])
    if leads:
        raise UsageError(
            f"{leads[0]} is set here: AWS commands in this terminal mean another cloud.",
            hint=f"{_NOTHING} Leave a shell of the local cloud with: exit   Elsewhere:  unset {' '.join(leads)}",
        )


def _refuse_another_account(name: str, workspace: Workspace, holder: Holder) -> None:
    known = workspace.standing
    if known.deployed and known.account not in ("", fingerprint(workspace, holder)):
        raise DeployError(
            f"These credentials are of the account …{holder.account[-4:]}; your lab stands in …{known.digits}.",
            hint=f"{_NOTHING} Use that account's credentials. Is it gone for good (a Learner Lab that was reset)? Then "
            f"forget it:  ./lab destroy --target {name} --forget",
        )


def fingerprint(workspace: Workspace, holder: Holder) -> str:
    """What stands for the account in the record, which may be handed on: never its number."""
    return aws_evidence.account_hash(holder.account, workspace.variant)


def remember(workspace: Workspace, arrival: Arrival) -> None:
    """Keep where this is, and that somebody agreed to what it costs."""
    workspace.save_standing(
        region=arrival.clients.target.region,
        digits=arrival.holder.account[-4:],
        account=fingerprint(workspace, arrival.holder),
        agreed=True,
    )


def has_agreed(workspace: Workspace, holder: Holder) -> bool:
    """Whether the word was given for this account before."""
    known = workspace.standing
    return known.agreed and known.account == fingerprint(workspace, holder)


def left(holder: Holder, now: float | None = None) -> str:
    """How long the session lasts, as far as anybody knows."""
    if holder.ends is None:
        return "no end is known"
    minutes = seconds_left(holder, now) / 60
    return f"ends in {minutes / 60:.1f} h" if minutes >= 100 else f"ends in {minutes:.0f} min"


def seconds_left(holder: Holder, now: float | None = None) -> float:
    """Until the session ends; for ever where no end is known."""
    return math.inf if holder.ends is None else holder.ends - (time.time() if now is None else now)


def _short(arn: str) -> str:
    return arn.rpartition(":")[2]
