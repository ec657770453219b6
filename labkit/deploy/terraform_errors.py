"""What to tell a person when Terraform failed: one message for each known trouble, with the next thing to do.

What belongs here: from diagnostics to one DeployError. What does not: how the diagnostics were read.
"""

from collections.abc import Sequence

from labkit.base.errors import DeployError, EngineError, EngineMissing
from labkit.deploy.terraform_stream import Diagnostic
from labkit.deploy.troubles import COMMON, Trouble, known

_UNREACHABLE = (
    "query available provider packages|Failed to install provider|registry service|provider registry"
)
_TROUBLES = (
    Trouble(
        r"could not be parsed as JSON|state file format|state data .{0,40}(corrupt|invalid)|unexpected end of JSON",
        "Terraform's state file is damaged (a full disk, or a kill while it was written): {0}",
        "Delete what stands by name and tag, which moves the file aside, then make it anew:\n  ./lab destroy && ./lab deploy",
        EngineError,
    ),
    Trouble(
        r"no space left on device",
        "The disk is full: {0}",
        "Free some disk space, then run the same command again.",
        EngineError,
    ),
    Trouble(
        r"acquiring the state lock",
        "Another Terraform is still at work on these files: {0}",
        "Wait until it has ended, then run the same command again.",
    ),
    Trouble(
        r"no available releases match|no versions? matching",
        "There is no such version of the AWS provider: {0}",
        "Compare required_providers in main.tf with a fresh one:  ./lab generate",
    ),
    Trouble(
        rf"(?s)hashicorp/aws.*({_UNREACHABLE})|({_UNREACHABLE}).*hashicorp/aws",
        "The AWS provider can't be fetched: {0}",
        "Connect to the internet, or let LAB_TF_MIRROR name a folder with a filesystem mirror.",
        EngineMissing,
    ),
    Trouble(
        _UNREACHABLE,
        "A provider can't be fetched: {0}",
        "The lab needs hashicorp/aws and no other: look at what your files ask for.",
    ),
    Trouble(
        r"Unsupported (Terraform|OpenTofu) Core version",
        "This Terraform does not fit the files: {0}",
        "Install Terraform 1.11, or use --engine cloudformation.",
    ),
    Trouble(
        r"AlreadyExists|already exists|BucketAlreadyOwnedByYou|ResourceInUse|InvalidGroup\.Duplicate",
        "Something of that name exists and Terraform does not know it (a run was interrupted, or its state "
        "file is lost): {0}",
        "Delete what is left, by name and tag, then go on:  ./lab destroy   and   ./lab deploy",
    ),
    *COMMON,
)


def failed(what: str, errors: Sequence[Diagnostic], other: Sequence[str], log: str) -> DeployError:
    """The error to raise when Terraform's `what` failed; the first diagnostic explains the rest.

    `other` are lines that were no JSON (Terraform itself broke); `log` is where all of it can be read.
    """
    if not errors:
        last = other[-1] if other else "it was ended from outside, or the disk is full"
        return EngineError(
            f"terraform {what} ended without a reason: {last}",
            hint=f"Run it again. Its own words are in {log}",
        )
    first = errors[0]
    text = first.text.partition(" To see which modules are")[0]
    said = f"{first.address}: {text}" if first.address else text
    told = known(said, _TROUBLES)
    if told is not None:
        return told
    return DeployError(
        f"terraform {what} failed. {first.finding()}" + (f" ({first.address})" if first.address else ""),
        hint=f"Mend {_place(first)}, then run the step again.",
    )


def _place(error: Diagnostic) -> str:
    return f"{error.file}, line {error.line}" if error.line else error.address or "the files"
