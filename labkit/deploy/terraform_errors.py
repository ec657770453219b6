"""What to tell a person when Terraform failed: one message for each known trouble, with the next thing to do.

What belongs here: from diagnostics to one DeployError. What does not: how the diagnostics were read.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from labkit.deploy.terraform_stream import Diagnostic
from labkit.errors import DeployError


@dataclass(frozen=True)
class _Trouble:
    """A pattern in what Terraform or AWS said, what it means, and what to do. {0} is what was said."""

    pattern: str
    means: str
    hint: str


_TROUBLES = (
    _Trouble(
        r"acquiring the state lock",
        "Another Terraform is still at work on these files: {0}",
        "Wait until it has ended, then run the same command again.",
    ),
    _Trouble(
        r"query available provider packages|Failed to install provider|registry service|provider registry",
        "The AWS provider can't be fetched: {0}",
        "Connect to the internet, or let LAB_TF_MIRROR name a folder with a filesystem mirror.",
    ),
    _Trouble(
        r"Unsupported Terraform Core version",
        "This Terraform does not fit the files: {0}",
        "Install Terraform 1.11, or use --engine cloudformation.",
    ),
    _Trouble(
        r"Expired ?Token|RequestExpired|token.{0,40}expired",
        "Your AWS credentials have expired: {0}",
        "Get fresh ones (in a Learner Lab: AWS Details, AWS CLI), then run the same command again: it goes on.",
    ),
    _Trouble(
        r"No valid credential sources|InvalidClientTokenId|SignatureDoesNotMatch",
        "AWS does not know your credentials: {0}",
        "Set them up (aws configure), then run the same command again.",
    ),
    _Trouble(
        r"connection refused|no such host|network is unreachable|connection reset",
        "AWS's endpoint does not answer: {0}",
        "For the local cloud:  ./lab cloud status   For AWS: check the connection. Then run it again.",
    ),
    _Trouble(
        r"AlreadyExists|already exists|BucketAlreadyOwnedByYou|ResourceInUse|InvalidGroup\.Duplicate",
        "Something of that name exists and Terraform does not know it (a run was interrupted, or its state "
        "file is lost): {0}",
        "Delete what is left, by name and tag, then go on:  ./lab destroy   and   ./lab deploy",
    ),
    _Trouble(
        r"AccessDenied|UnauthorizedOperation|not authorized to perform",
        "AWS denied it: {0}",
        "Read who was denied what. In a Learner Lab use the account's own role:  --lab-role LabRole",
    ),
)


def failed(what: str, errors: Sequence[Diagnostic], other: Sequence[str], log: str) -> DeployError:
    """The error to raise when Terraform's `what` failed; the first diagnostic explains the rest.

    `other` are lines that were no JSON (Terraform itself broke); `log` is where all of it can be read.
    """
    if not errors:
        last = other[-1] if other else "it was ended from outside"
        return DeployError(
            f"terraform {what} ended without a reason: {last}",
            hint=f"Run it again. Its own words are in {log}",
        )
    first = errors[0]
    said = f"{first.address}: {first.text}" if first.address else first.text
    for trouble in _TROUBLES:
        if re.search(trouble.pattern, said, re.IGNORECASE):
            return DeployError(trouble.means.format(said), hint=trouble.hint)
    return DeployError(
        f"terraform {what} failed. {first.finding()}" + (f" ({first.address})" if first.address else ""),
        hint=f"Mend {_place(first)}, then run the step again.",
    )


def _place(error: Diagnostic) -> str:
    return f"{error.file}, line {error.line}" if error.line else error.address or "the files"
