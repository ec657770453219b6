"""Which engine deploys: chosen by name, made for a source and a target, never mixed.

What belongs here: the choice and its refusals. What does not: what an engine does.
"""

from collections.abc import Sequence

from labkit.base.errors import DeployError, UsageError
from labkit.base.events import Emit, ignore
from labkit.deploy.cloudformation import DEAD, CloudFormation
from labkit.deploy.model import Engine, Source
from labkit.deploy.removing import survivors
from labkit.deploy.targets import Clients
from labkit.deploy.terraform import Terraform
from labkit.deploy.terraform_command import Setup

NAMES = ("cloudformation", "terraform")
TITLES = {"cloudformation": "CloudFormation", "terraform": "Terraform"}


def make_engine(name: str, clients: Clients, source: Source, emit: Emit, setup: Setup) -> Engine:
    """The engine of this name. Raises UsageError for another."""
    if name == "terraform":
        return Terraform(clients, source, emit, setup)
    if name == "cloudformation":
        return CloudFormation(clients, source, emit)
    raise UsageError(f"There is no engine {name}.", hint=f"The engines are: {', '.join(NAMES)}")


def choose(wanted: str | None, remembered: str, allowed: Sequence[str]) -> str:
    """The engine to use: the one wanted, else the one remembered, as far as the course allows it.

    Raises UsageError when the one wanted is not among those `allowed`.
    """
    if wanted is None:
        return remembered if remembered in allowed else allowed[0]
    if wanted not in allowed:
        raise UsageError(
            f"This course uses {' and '.join(TITLES[name] for name in allowed)} only.",
            hint=f"Leave out --engine, or say --engine {allowed[0]}.",
        )
    return wanted


class OtherEngineStands(DeployError):
    """What stands was made with the other engine."""


def standing(clients: Clients, source: Source) -> str:
    """The engine that made what stands, "" where nothing does: asked of the account, never of a record.

    A stack that can be used is CloudFormation's; what stands without one is Terraform's.
    """
    stack = CloudFormation(clients, source, ignore).describe()
    if stack is not None and stack["StackStatus"] not in DEAD:
        return "cloudformation"
    found = survivors.find(clients, prefix=source.name, tag_value=source.tags[survivors.TAG])
    return "terraform" if any(each.kind in _MADE for each in found) else ""


#: what no engine leaves behind, and nothing makes by itself
_MADE = {"VPC", "instance", "function", "bucket", "table"}


def refuse_switch(wanted: str, clients: Clients, source: Source) -> None:
    """Raise OtherEngineStands when something stands that the other engine made.

    Two engines over the same names would each find the other's resources and fail half-way.
    """
    made = standing(clients, source)
    if made and made != wanted:
        raise OtherEngineStands(
            f"Your lab stands already, made with {TITLES[made]}; {TITLES[wanted]} would not know it.",
            hint=f"Delete it first:\n  ./lab destroy\nthen:\n  ./lab deploy --engine {wanted}",
        )
