"""A request on which the application behind the door breaks: what its sender is told.

moto looks at little of what it is given, and raises Python's own exceptions at what it does not expect: a name in
an expression that nobody defined, a list where a map belongs. AWS looks at everything first, and refuses.

What belongs here: which exceptions do not mean that, and AWS's words for them. What does not: checks before moto
(labkit.cloud.moto_seam), whose fault it is (labkit.grading).
"""

from collections.abc import Mapping

from labkit.base.errors import LabError
from labkit.base.text import printable, shortened
from labkit.cloud.door import pages
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused

#: what the machine or the cloud itself fails in, whatever was asked for
_OURS = (LabError, OSError, MemoryError, EOFError)
#: the code by which each service refuses what is no valid request ("Common errors" of its API reference)
_CODES: Mapping[str, str] = {
    "s3": "InvalidRequest",
    "ec2": "InvalidParameterValue",
    "lambda": "InvalidParameterValueException",
    "iam": "ValidationError",
    "sts": "ValidationError",
    "cloudformation": "ValidationError",
    "logs": "InvalidParameterException",
}


def refused(error: Exception, asked: Asked) -> Refused | None:
    """The refusal that the sender gets in place of this exception; None where the cloud itself has failed.

    The message says what is known: that this cloud could not read the request, and how AWS refuses.
    """
    if isinstance(error, NotImplementedError):
        return Refused(
            400,
            "UnsupportedOperation",
            f"The local cloud does not emulate {asked.operation} as it was asked for.",
        )
    if isinstance(error, _OURS) or type(error) is RuntimeError:  # no thread can be started, for example
        return None
    if isinstance(error, ValueError) and pages.has_token(asked):
        return pages.no_token(asked.service)
    code = _CODES.get(asked.service, "ValidationException")
    return Refused(400, code, _unread(error, asked, code))


def _unread(error: Exception, asked: Asked, code: str) -> str:
    what = shortened(printable(f"{type(error).__name__}: {error}"), 120)
    return (
        f"The local cloud can't read this request of {asked.operation} ({what}). "
        f"AWS refuses requests that are not valid with {code}."
    )
