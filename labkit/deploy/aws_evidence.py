"""Evidence that a lab stood on AWS: what stood there, three requests that it answered, whose account it was.

What belongs here: the file's content, made through the AWS API. What does not: judging it (grader/checks), where it
is kept. It is evidence, no proof: whoever can write this file can invent it; a person may ask for the account.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Protocol

from labkit.base.errors import DeployError
from labkit.deploy import inventory
from labkit.deploy.targets import Clients
from labkit.deploy.troubles import told

FILE = "aws-evidence.json"
REQUESTS = 3
#: long, and the files say it already
_LEFT_OUT = "UserData"


class Own(Protocol):
    """A student's own values, as labkit.course.variant makes them."""

    @property
    def student(self) -> str:
        """The student's id."""

    @property
    def name(self) -> str:
        """How everything of the lab begins."""

    @property
    def code(self) -> str:
        """What everything of the lab is tagged with."""

    @property
    def lab_token(self) -> str:
        """The student's own token."""


def collect(clients: Clients, own: Own) -> dict[str, Any]:
    """The evidence, as plain JSON values.

    Raises DeployError when no lab of this variant stands there, or AWS can't be asked.
    """
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        return _collected(clients, own)
    except (BotoCoreError, ClientError) as error:
        raise told(error) or DeployError(
            f"AWS can't be asked: {error}",
            hint="Look at your credentials and the region:  aws sts get-caller-identity",
        ) from error


def _collected(clients: Clients, own: Own) -> dict[str, Any]:
    account = clients.client("sts").get_caller_identity()["Account"]
    there = inventory.read(clients, prefix=own.name, tag_value=own.code)
    function = next(
        (each["FunctionName"] for role, each in there.items() if role.startswith("function ")), ""
    )
    if not function:
        raise DeployError(
            f"No lab of {own.student} stands in {clients.target.region}.",
            hint="Name the region where it stands (a Learner Lab's: us-east-1 or us-west-2):\n"
            "  ./lab evidence --region us-east-1",
        )
    return {
        "format": 1,
        "student": own.student,
        "token": own.lab_token,
        "region": clients.target.region,
        "account": account_hash(account, own),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "requests": [_request(clients, function) for _ in range(REQUESTS)],
        "inventory": {role: _short(each) for role, each in there.items()},
    }


def account_hash(account: str, own: Own) -> str:
    """What stands for an account's number: the same for the same student only."""
    return hashlib.sha256(f"{account}/{own.lab_token}".encode()).hexdigest()


def _short(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in properties.items() if name != _LEFT_OUT}


def _request(clients: Clients, function: str) -> dict[str, Any]:
    """One call of the health branch: proves function, network, door and server."""
    answer = clients.client("lambda").invoke(FunctionName=function, Payload=b'{"action": "health"}')
    try:
        status = json.loads(answer["Payload"].read()).get("statusCode")
    except (ValueError, AttributeError):
        status = None
    return {"id": answer["ResponseMetadata"].get("RequestId", ""), "status": status}
