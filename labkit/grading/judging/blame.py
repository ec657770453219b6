"""Whose fault it is when a check, or what a check uses, raises something.

Only what the grader's own calls meet can be our trouble, and of that only what no submission could bring about: a
cloud that does not answer, a full disk. What AWS refuses, an output that can't be what it says, a file that is in the
way are the submission's, and are failures with the reason that was seen.

What belongs here: exceptions to verdicts. What does not: what is left after this (session tries the same check on
the reference system, and sees there whose fault it is).
"""

import errno
import traceback
from collections.abc import Mapping
from pathlib import Path

from labkit.base.errors import CloudDeclined
from labkit.grading.judging.failure import Failed
from labkit.grading.model import Verdict
from labkit.grading.systems import gaps

#: what is wrong with a name or a kind of file; everything else (a full disk, no memory) is the machine's
_OF_FILES = frozenset(
    {errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOENT, errno.ENAMETOOLONG, errno.EINVAL, errno.ELOOP, errno.EILSEQ}
)  # fmt: skip
_OUTPUTS = "compare your outputs with those of a fresh template: each names what it says"


def failure(error: Exception) -> Verdict | None:
    """The failed verdict that `error` is; None where its kind does not say whose fault it is."""
    if isinstance(error, Failed):
        return _of_failed(error)
    if isinstance(error, gaps.NoSuchText):
        return Verdict("failed", reason=str(error), hint=error.hint)
    if isinstance(error, CloudDeclined):
        return Verdict("failed", reason=f"what your lab names is not there: {error.message}", hint=_OUTPUTS)
    if isinstance(error, OSError):
        return _of_file(error)
    return _of_call(error)


def _of_failed(failed: Failed) -> Verdict:
    if not 0 <= failed.fraction < 1:
        raise ValueError(f"a failure with fraction {failed.fraction}")
    return Verdict(
        "failed", float(failed.fraction), failed.reason, failed.hint, failed.expected, failed.found, failed.evidence
    )  # fmt: skip


def _of_file(error: OSError) -> Verdict | None:
    if error.errno not in _OF_FILES:
        return None
    name = Path(str(error.filename or "a file")).name
    reason = f"{name} can't be used as the file that belongs there: {error.strerror}"
    return Verdict("failed", reason=reason, hint="is a folder where a file belongs, or the other way round?")


def _of_call(error: Exception) -> Verdict | None:
    """A call of the AWS API that was refused (4xx), or that could not even be written down."""
    from botocore.exceptions import ClientError, ParamValidationError

    if isinstance(error, ClientError):
        said: Mapping[str, object] = error.response.get("Error", {})
        if int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)) >= 500:
            return None
        words = str(said.get("Message", ""))
        words = "" if "<" in words else f": {words}"  # a page for people
        return Verdict(
            "failed",
            reason=f"AWS refused {error.operation_name} ({said.get('Code', '')}){words}",
            hint="does what your outputs name exist, and does a policy of yours refuse this?",
        )
    if isinstance(error, ParamValidationError):
        return Verdict("failed", reason=f"what your lab names can't be asked for: {error}", hint=_OUTPUTS)
    return None


def unfinished(seen: Verdict) -> Verdict:
    """The failure of a submission on which a check comes to no end, where it comes to one on the reference system."""
    return Verdict(
        "failed",
        reason=f"it can't be judged on your lab, and can on the reference system: {seen.reason}",
        hint="what stands here that the lab does not ask for? If you find nothing, show this to your instructor",
    )


def where(error: BaseException) -> tuple[str, ...]:
    """For staff: the last frames, without paths above the kit."""
    frames = traceback.extract_tb(error.__traceback__)[-4:]
    return tuple(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}: {frame.line}" for frame in frames)
