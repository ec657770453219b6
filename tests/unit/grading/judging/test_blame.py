"""Whose fault it is: only what no submission can bring about is our trouble."""

import errno

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, ParamValidationError

from labkit.base.errors import CloudDeclined, CloudError
from labkit.grading.judging import blame
from labkit.grading.judging.failure import Failed
from labkit.grading.systems.gaps import NoSuchText


def refused(status: int, message: str = "Access Denied") -> ClientError:
    answer = {
        "Error": {"Code": "AccessDenied", "Message": message},
        "ResponseMetadata": {"HTTPStatusCode": status},
    }
    return ClientError(answer, "PutObject")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (Failed("it is shut"), "it is shut"),
        (NoSuchText("main.tf was not handed in"), "main.tf was not handed in"),
        (refused(403), "AWS refused PutObject (AccessDenied): Access Denied"),
        (refused(404, "<!doctype html><p>not found"), "AWS refused PutObject (AccessDenied)"),
        (ParamValidationError(report='Invalid bucket name "No Bucket"'), 'Invalid bucket name "No Bucket"'),
        (CloudDeclined("no instance i-1 runs here"), "no instance i-1 runs here"),
        (IsADirectoryError(errno.EISDIR, "Is a directory", "/somewhere/flask_app.py"), "flask_app.py"),
        (FileExistsError(errno.EEXIST, "File exists", "/somewhere/build"), "build"),
    ],
)
def test_what_a_submission_brings_about_is_a_failure_with_its_reason(error: Exception, words: str) -> None:
    verdict = blame.failure(error)
    assert verdict is not None
    assert verdict.outcome == "failed"
    assert words in verdict.reason
    assert "/somewhere" not in verdict.reason


@pytest.mark.parametrize(
    "error",
    [
        refused(500), refused(503), CloudError("The local cloud stopped answering."), KeyError("x"), MemoryError(),
        OSError(errno.ENOSPC, "No space left on device"), OSError(errno.EMFILE, "Too many open files"),
        ConnectionClosedError(endpoint_url="http://127.0.0.1"),
    ],
)  # fmt: skip
def test_what_the_machine_or_the_cloud_does_is_not_charged_by_its_kind(error: Exception) -> None:
    assert blame.failure(error) is None
