"""Which engine deploys: chosen by name, made for a source and a target, never mixed.

What belongs here: the choice and its refusals. What does not: what an engine does.
"""

from collections.abc import Sequence

from labkit.base.errors import DeployError, UsageError
from labkit.base.events import Emit
from labkit.deploy.cloudformation import CloudFormation
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


def refuse_switch(wanted: str, before: str, clients: Clients, source: Source) -> None:
    """Raise DeployError when something stands that the other engine made.

    Two engines over the same names would each find the other's resources and fail half-way.
    """
    if wanted == before:
        return
    standing = survivors.find(clients, prefix=source.name, tag_value=source.tags[survivors.TAG])
    if standing:
        raise DeployError(
            f"Your lab stands already, made with {TITLES[before]} ({len(standing)} resources, for example "
            f"{standing[0].kind} {standing[0].identifier}); {TITLES[wanted]} would not know them.",
            hint=f"Delete it first:  ./lab destroy   then:  ./lab deploy --engine {wanted}",
        )
