"""Proof that both engines create the same: what the files state, then what each creates on a fresh local cloud.

What belongs here: the order of the proof. What does not: reading and comparing (labkit.deploy).
"""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path

from labkit.base.errors import DeployError
from labkit.base.events import Emit, Event, ignore
from labkit.cloud.client.lifecycle import leashed
from labkit.course.manifest import Manifest
from labkit.deploy.cloudformation import TEMPLATE
from labkit.deploy.engines import NAMES, TITLES
from labkit.deploy.inventory import Inventory
from labkit.deploy.parity import Difference, compare
from labkit.deploy.stated import cloudformation, overriding, terraform
from labkit.deploy.stated.parts import Place
from labkit.deploy.terraform import Terraform
from labkit.lesson import drift
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places

STUDENT = "parity@lab.example"


def run_parity(places: Places, manifest: Manifest, emit: Emit) -> list[Difference]:
    """What differs between what the two engines create (left: the first of NAMES); empty: nothing.

    Takes about a minute, most of it waits of Terraform's provider. Leaves nothing behind. Raises DeployError
    when one of them does not deploy.
    """
    found = []
    for name in NAMES:
        emit(Event("note", f"{TITLES[name]} deploys the reference solution on a local cloud of its own …"))
        with deployed(places, manifest, name) as context:
            found.append(drift.existing(context))
        emit(Event("note", f"{len(found[-1])} things exist."))
    return compare(*found)


def run_static(places: Places, manifest: Manifest, emit: Emit) -> list[Difference]:
    """What differs between what the two engines' files state (left: the first of NAMES), creating nothing.

    The function's code is compared as well. Raises DeployError when a plan can't be made.
    """
    emit(Event("note", "The template is resolved, Terraform plans; nothing is created …"))
    with generated(places, manifest, "terraform") as context:
        return compare(stated_by_template(context), stated_by_plan(context))


def stated_by_template(context: Context) -> Inventory:
    """What the workspace's CloudFormation template states, at the context's target."""
    text = (context.workspace.path / "build" / TEMPLATE).read_text(encoding="utf-8")
    ssm, ec2 = context.clients.client("ssm"), context.clients.client("ec2")
    outside = cloudformation.Outside(
        tuple(zone["ZoneName"] for zone in ec2.describe_availability_zones()["AvailabilityZones"]),
        {
            name: ssm.get_parameter(Name=name)["Parameter"]["Value"]
            for name in cloudformation.ssm_parameters(text)
        },
    )
    return cloudformation.read(text, _place(context), outside, context.source.tags)


def stated_by_plan(context: Context) -> Inventory:
    """What the workspace's Terraform files state, at the context's target. Raises DeployError."""
    engine, place = context.engine, _place(context)
    if not isinstance(engine, Terraform):
        raise DeployError(
            "Your files are deployed with another engine than Terraform.", hint="Say --engine terraform."
        )
    return terraform.read(*overriding.plans(engine, place), place, context.workspace.path)


def _place(context: Context) -> Place:
    account = context.clients.client("sts").get_caller_identity()["Account"]
    return Place(context.workspace.variant.name, account, context.clients.target.region)


@contextlib.contextmanager
def generated(places: Places, manifest: Manifest, engine: str) -> Iterator[Context]:
    """The reference solution, generated and built in a folder of its own, with a cloud while the body runs."""
    with alone(places, manifest, Options(STUDENT, solution=True, engine=engine), ignore) as context:
        _done(context, engine, "generate")
        context.workspace.write_build()
        yield context


@contextlib.contextmanager
def alone(places: Places, manifest: Manifest, options: Options, emit: Emit) -> Iterator[Context]:
    """A folder and a cloud of its own while the body runs; no workspace is in it yet."""
    with tempfile.TemporaryDirectory(prefix="lab-alone-") as folder:
        own = Places(places.root, Path(folder))
        with leashed(own.state / "cloud") as cloud:
            yield Context(own, manifest, options, emit, cloud)


@contextlib.contextmanager
def deployed(places: Places, manifest: Manifest, engine: str) -> Iterator[Context]:
    """The reference solution, deployed by `engine` in a folder and a cloud of its own while the body runs."""
    with generated(places, manifest, engine) as context:
        _done(context, engine, "deploy")
        yield context


def _done(context: Context, engine: str, step: str) -> None:
    failed = [check for check in run_step(context, step).checks if not check.passed]
    if failed:
        raise DeployError(f"{TITLES[engine]}: {failed[0].name}: {failed[0].reason}")
