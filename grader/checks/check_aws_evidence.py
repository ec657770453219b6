"""Bonus aws-evidence."""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from grader.support.evidence import read, suspecting
from labkit.aws.addresses import ACCOUNT_ID
from labkit.deploy.aws_evidence import FILE, REQUESTS, account_hash
from labkit.grading.api import Failed, Lab

#: properties that are the same wherever these files stand
_SAME = (
    "CidrBlock",
    "Ingress",
    "Egress",
    "Versioning",
    "PublicAccessBlock",
    "KeySchema",
    "Billing",
    "Metadata",
    "Days",
)

_HINT = "while your lab stands on AWS:  ./lab evidence, then pack again"


def check(lab: Lab) -> None:
    """Your own lab stood on AWS: what stood there is what your files make, and it answered three times.

    The local cloud is an imitation. What works on AWS works.
    """
    if FILE not in lab.files:
        raise Failed(f"{FILE} was not handed in", hint=_HINT, expected=FILE, found="no such file")
    with suspecting(FILE, "03"):
        wrong = next(_wrong(lab, read(lab, FILE, "03")), "")
    if wrong:
        raise Failed(
            f"{FILE} does not show your lab on AWS: {wrong}", expected="your lab on AWS", found=wrong,
            hint=_HINT,
        )  # fmt: skip


def _wrong(lab: Lab, told: Mapping[str, Any]) -> Iterator[str]:
    if told.get("token") != lab.variant.lab_token:
        yield "it holds another token than yours"
    account = told.get("account")
    if not isinstance(account, str) or len(account) != 64:
        yield "it names no account"
    if account == account_hash(ACCOUNT_ID, lab.variant):
        yield "this is the local cloud's account"
    requests = told.get("requests")
    answered = {_request(each) for each in requests} - {""} if isinstance(requests, list) else set()
    if len(answered) < REQUESTS:
        yield f"{len(answered)} of {REQUESTS} different requests were answered"
    there = told.get("inventory")
    yield from _other_things(lab, there if isinstance(there, Mapping) else {})


def _request(value: object) -> str:
    """The id of an answered request, "" for anything else."""
    if not isinstance(value, Mapping) or value.get("status") != 200:
        return ""
    try:
        return str(uuid.UUID(str(value.get("id"))))
    except ValueError:
        return ""


def _other_things(lab: Lab, there: Mapping[str, Any]) -> Iterator[str]:
    """What your files make here and was not there, or was not the same."""
    for role, properties in lab.inventory().items():
        theirs = there.get(role)
        if not isinstance(theirs, Mapping):
            yield f"no {role} stood there"
            return
        for name in _SAME:
            if name in properties and properties[name] != theirs.get(name):
                yield f"{role} had another {name}"
