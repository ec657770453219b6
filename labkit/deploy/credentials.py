"""Whether the credentials of a target will last: asked before anything is begun that they could not finish.

What belongs here: who AWS takes us for, how long the session lasts as far as anybody can tell, and this
machine's clock. What does not: what is begun (the engines), errors in the middle of it (labkit.deploy.troubles).

AWS: IAM user guide, "Temporary security credentials in IAM" (keys that begin with ASIA belong to a session);
AWS SDKs and tools reference guide, "AWS access keys". A session's end stands in no file that AWS documents:
tools write it beside the keys under several names, and where none did, only the age of the file tells something.
"""

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

from labkit.base.errors import DeployError
from labkit.base.events import Emit, Event
from labkit.base.text import span
from labkit.deploy.targets import Clients, aws
from labkit.deploy.troubles import FRESH, known, told

#: what is begun → seconds that it may take on AWS (a function's network interfaces: up to 45 minutes to go)
NEEDED: Mapping[str, float] = {"validate": 60, "plan": 180, "apply": 600, "destroy": 3600}
#: AWS refuses signatures that are more than five minutes off
MOST_SKEW = 240
#: a Learner Lab's session lasts so long, and its keys are pasted into the file after it began
LEARNER_LAB_SECONDS = 4 * 3600
_LEARNER_LAB = ":assumed-role/voclabs/"
#: the variable, and the names that tools give it in the credentials file
_EXPIRY_VARIABLE = "AWS_CREDENTIAL_EXPIRATION"
_EXPIRY_SETTINGS = ("x_security_token_expires", "aws_expiration", "aws_session_expiration", "expiration")

_NOTHING = "Nothing was started."
_TOKEN_MISSING = (
    "Your AWS credentials are a session's (their key begins with ASIA), and the third line is missing: "
    "aws_session_token."
)


@dataclass(frozen=True)
class Holder:
    """Whom AWS takes us for. `ends`: when the session does, in seconds since the epoch; None: never, or nobody knows."""

    account: str
    arn: str
    ends: float | None = None

    @property
    def in_learner_lab(self) -> bool:
        """Whether this is a student of an AWS Academy Learner Lab."""
        return _LEARNER_LAB in self.arn


@dataclass(frozen=True)
class Session:
    """Credentials as they are found: whether a session's, when it ends, since when the file holds them.

    `ends` and `written` are seconds since the epoch; None: nobody knows.
    """

    temporary: bool
    ends: float | None = None
    written: float | None = None


def require(
    clients: Clients,
    what: str,
    emit: Emit,
    *,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], float] = time.time,
) -> Holder | None:
    """Return when `what` (a key of NEEDED) may begin: AWS takes the credentials, and they last long enough.

    A destroy begins with whatever time is left, since what is gone costs nothing. Emits a warning where nobody
    can tell how long they last. Raises DeployError, with the way to fresh ones, before anything was started.
    """
    if clients.target.is_local and clients.keys is None:
        return None  # the local cloud's administrator, for ever
    account, arn = _identity(clients, clock)
    session = found(clients, environment)
    ends, now = _end(session, arn), clock()
    if ends is None:
        if session.temporary:
            emit(Event("warning", _unknown(session, now)))
        return Holder(account, arn)
    left = ends - now
    if left <= 0 or (left < NEEDED[what] and what != "destroy"):
        raise DeployError(_too_short(what, left), hint=f"{_NOTHING} {FRESH}")
    if left < NEEDED[what]:
        emit(Event("warning", f"{_too_short(what, left)} What is not gone by then goes with the next run."))
    return Holder(account, arn, ends)


def on_aws(region: str, what: str, emit: Emit) -> Clients:
    """Clients of AWS itself, which takes the credentials that boto3 finds. Raises UsageError, and as `require`."""
    clients = Clients(aws(region))
    require(clients, what, emit)
    return clients


def found(clients: Clients, environment: Mapping[str, str]) -> Session:
    """What these clients sign with. Keys that renew themselves (a profile with a role, SSO) are not temporary."""
    if clients.keys is not None:
        return Session(bool(clients.keys.token), clients.keys.ends)
    import botocore.session

    core = botocore.session.Session()
    credentials = core.get_credentials()
    match getattr(credentials, "method", ""):
        case "env":
            ends = _moment(environment.get(_EXPIRY_VARIABLE, ""))
            return Session(bool(environment.get("AWS_SESSION_TOKEN")), ends)
        case "shared-credentials-file" | "config-file":
            settings = core.get_scoped_config()
            ends = next((_moment(str(settings[name])) for name in _EXPIRY_SETTINGS if name in settings), None)
            path = Path(str(core.get_config_variable("credentials_file"))).expanduser()
            written = path.stat().st_mtime if path.is_file() else None
            return Session(bool(settings.get("aws_session_token")), ends, written)
    return Session(temporary=False)


def _identity(clients: Clients, clock: Callable[[], float]) -> tuple[str, str]:
    """Account and ARN of who AWS says we are. Raises DeployError when it does not know us, or the clock is too far off."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        answer = clients.client("sts").get_caller_identity()
    except ClientError as error:
        _refuse_skew(error.response, clock)
        raise _refused(error, clients) from error
    except BotoCoreError as error:
        raise _refused(error, clients) from error
    _refuse_skew(answer, clock)
    return str(answer["Account"]), str(answer["Arn"])


def _refused(error: Exception, clients: Clients) -> DeployError:
    if _lacks_token(clients):
        return DeployError(_TOKEN_MISSING, hint=f"{_NOTHING} {FRESH}")
    means = told(error) or known(str(error))
    if means is not None:
        return DeployError(means.message, hint=f"{_NOTHING} {means.hint}")
    return DeployError(
        f"AWS does not say who you are: {error}",
        hint="See what the AWS CLI says:  aws sts get-caller-identity",
    )


def _lacks_token(clients: Clients) -> bool:
    """Whether a session's key is used without the session's token."""
    import botocore.session

    if clients.keys is not None:
        return clients.keys.access_key_id.startswith("ASIA") and not clients.keys.token
    found = botocore.session.Session().get_credentials()
    return found is not None and found.access_key.startswith("ASIA") and not found.token


def _refuse_skew(answer: Mapping[str, Any], clock: Callable[[], float]) -> None:
    date = answer.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date", "")
    try:
        skew = clock() - parsedate_to_datetime(date).timestamp()
    except ValueError:
        return  # an answer without a date says nothing about our clock
    if abs(skew) > MOST_SKEW:
        raise DeployError(
            f"This machine's clock is {span(abs(skew))} {'ahead of' if skew > 0 else 'behind'} AWS's; "
            "AWS refuses what is signed so.",
            hint="Set the clock (in WSL2, in PowerShell:  wsl --shutdown ), then run the same command again.",
        )


def _end(session: Session, arn: str) -> float | None:
    """When the session ends: as told, or in a Learner Lab at the latest."""
    if session.ends is not None or not session.temporary:
        return session.ends
    if _LEARNER_LAB in arn and session.written is not None:
        return session.written + LEARNER_LAB_SECONDS
    return None


def _unknown(session: Session, now: float) -> str:
    pasted = f"; the file has held them for {span(now - session.written)}" if session.written else ""
    return f"These are a session's keys, and nobody can tell when it ends{pasted}."


def _too_short(what: str, left: float) -> str:
    if left <= 0:
        return f"Your AWS credentials have expired (their session ended {span(-left)} ago)."
    return (
        f"Your AWS credentials end in {span(left)}; {what} on AWS may take {span(NEEDED[what])}, "
        "and one that is cut off leaves half of it."
    )


def _moment(text: str) -> float | None:
    """ISO 8601, with Z or without a zone (then UTC), as seconds since the epoch; None for anything else."""
    try:
        value = datetime.fromisoformat(text.strip())
    except ValueError:
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()
