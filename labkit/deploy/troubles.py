"""What AWS says that means the same whichever engine asked: one message each, with the next thing to do.

What belongs here: patterns in AWS's words, and advice. What does not: how an engine reports them.
"""

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.base.errors import DeployError, EngineError


@dataclass(frozen=True)
class Trouble:
    """A pattern in what was said, what it means, and what to do. {0} is what was said.

    `error`: whose trouble it is; EngineError where it has nothing to do with the files.
    """

    pattern: str
    means: str
    hint: str
    error: type[DeployError] = DeployError


#: how to come by credentials that last
FRESH = (
    "Get fresh ones (in a Learner Lab: Start Lab, then AWS Details, AWS CLI, Show: all three lines into "
    "~/.aws/credentials), then run the same command again."
)

#: what an account has no room for, or AWS will not have now; nothing in the files decides it
LIMITS = (
    Trouble(
        r"VpcLimitExceeded|maximum number of VPCs",
        "This account has as many VPCs in this region as it may: {0}",
        "Delete one that you do not need (./lab sweep --target aws), or destroy and deploy in another region.",
    ),
    Trouble(
        r"VcpuLimitExceeded|InstanceLimitExceeded|InsufficientInstanceCapacity|MaxSpotInstanceCount",
        "There is no room for another instance now: {0}",
        "End one that you do not need, or wait some minutes; then run the same command again.",
    ),
    Trouble(
        r"conditional operation is currently in progress|OperationAborted",
        "S3 is not done with a bucket of this name yet: {0}",
        "A name that was deleted may stay locked for a while (an hour at the most): run the same command again later.",
    ),
    Trouble(
        r"PendingVerification|OptInRequired|SubscriptionRequired|account is currently blocked",
        "AWS has not opened this account for it: {0}",
        "A new account is verified within hours: wait for AWS's mail, then run the same command again.",
    ),
    Trouble(
        r"UnreservedConcurrentExecution|below its minimum value of",
        "This account's concurrency is too small to reserve any of it: {0}",
        "Take reserved concurrency out of your file, then deploy again.",
    ),
    Trouble(
        r"\bfree (t\w+er|plan)",
        "This account's plan refuses that type of instance: {0}",
        "t3.micro is the lab's own; put it back, then deploy again.",
    ),
)

COMMON = (
    *LIMITS,
    Trouble(
        r"RequestTimeTooSkewed|Signature expired|Signature not yet current",
        "This machine's clock is wrong: AWS refuses what is signed with it: {0}",
        "Set the clock (in WSL2, in PowerShell:  wsl --shutdown ), then run the same command again.",
    ),
    Trouble(
        r"SSO.{0,60}(expired|invalid|Token)|aws sso login",
        "Your single sign-on has ended: {0}",
        "Sign on again (aws sso login), then run the same command again.",
    ),
    Trouble(
        r"Expired ?Token|RequestExpired|token.{0,40}expired",
        "Your AWS credentials have expired: {0}",
        FRESH,
    ),
    Trouble(
        r"No valid credential sources|Unable to locate credentials|Partial credentials|config profile .{1,80} not be found"
        r"|InvalidClientTokenId|UnrecognizedClientException|SignatureDoesNotMatch|AuthFailure|InvalidAccessKeyId",
        "AWS does not know your credentials: {0}",
        "Set them up (aws configure; in a Learner Lab paste all three lines of AWS Details, AWS CLI, Show into "
        "~/.aws/credentials), then run the same command again.",
    ),
    Trouble(
        r"connection refused|no such host|network is unreachable|connection reset|could not connect to the endpoint",
        "AWS's endpoint does not answer: {0}",
        "For the local cloud:  ./lab cloud status   For AWS: check the connection. Then run it again.",
    ),
    Trouble(
        r"service control policy",
        "A policy of the organization that the account belongs to forbids it: {0}",
        "Your files are right. Another region may be open (--region us-east-1); else ask whoever gave you the account.",
    ),
    Trouble(
        r"AccessDenied|UnauthorizedOperation|not authorized to perform",
        "AWS denied it: {0}",
        "Read who was denied what. A Learner Lab opens us-east-1 and us-west-2 only, and has a role of its own:\n"
        "  ./lab deploy --lab-role LabRole",
    ),
)


def known(said: str, troubles: Sequence[Trouble] = COMMON) -> DeployError | None:
    """The error for the first trouble that fits what was said; None when nobody knows it."""
    for trouble in troubles:
        if re.search(trouble.pattern, said, re.IGNORECASE):
            return trouble.error(trouble.means.format(said), hint=trouble.hint)
    return None


def told(error: Exception) -> DeployError | None:
    """The error for what an AWS client raised; None when nobody knows it, or nothing answered it at all."""
    if error.__class__.__module__.partition(".")[0] != "botocore":
        return None
    from botocore import exceptions

    if isinstance(error, exceptions.ClientError):
        reason = error.response.get("Error", {})
        if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0) >= 500:
            return EngineError(
                f"{error.operation_name} was answered with {reason.get('Code')}: the cloud itself failed, not your lab.",
                hint="Run the same command again. Of the local cloud, if it stays so:\n  ./lab cloud stop --forget && ./lab deploy",
            )
        return known(
            f"{error.operation_name} was answered with {reason.get('Code')}. {reason.get('Message', '')}"
        )
    nothing = isinstance(error, exceptions.ConnectionError | exceptions.HTTPClientError)
    return None if nothing else known(str(error))


@contextlib.contextmanager
def in_words() -> Iterator[None]:
    """A refusal of AWS's that means the same wherever it comes (expired credentials) becomes a DeployError."""
    try:
        yield
    except Exception as error:
        found = told(error)
        if found is None:
            raise
        raise found from error
