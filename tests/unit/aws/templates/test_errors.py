"""The reasons of failed resources, in the form in which accounts record them."""

import re

import pytest
from botocore.exceptions import ClientError

from labkit.aws.templates.errors import reason_of


def _error(code: str, status: int) -> ClientError:
    meta = {"HTTPStatusCode": status, "RequestId": "r-1", "HostId": "h-1", "HTTPHeaders": {}, "RetryAttempts": 0}
    return ClientError({"Error": {"Code": code, "Message": "No."}, "ResponseMetadata": meta}, "Create")  # type: ignore[typeddict-item]


@pytest.mark.parametrize(
    ("service", "code", "status", "told"),
    [
        ("ec2", "InvalidAMIID.NotFound", 400, ("Ec2", "Request ID: r-1", "InvalidRequest")),
        ("ec2", "InvalidSubnet.Conflict", 400, ("Ec2", "Request ID: r-1", "AlreadyExists")),
        ("ec2", "VpcLimitExceeded", 400, ("Ec2", "Request ID: r-1", "ServiceLimitExceeded")),
        ("ec2", "UnauthorizedOperation", 403, ("Ec2", "Request ID: r-1", "AccessDenied")),
        ("iam", "NoSuchEntity", 404, ("Iam", "Request ID: r-1", "NotFound")),
        ("s3", "BucketAlreadyExists", 409, ("S3", "Request ID: r-1, Extended Request ID: h-1", "AlreadyExists")),
        ("s3", "BucketNotEmpty", 409, ("S3", "Request ID: r-1, Extended Request ID: h-1", "GeneralServiceException")),
        ("logs", "InvalidParameterException", 400, ("CloudWatchLogs", "Request ID: r-1", "InvalidRequest")),
        ("dynamodb", "ResourceNotFoundException", 400, ("DynamoDb", "Request ID: r-1", "NotFound")),
    ],
)  # fmt: skip
def test_a_failed_call_is_told_as_cloudformation_tells_it(
    service: str, code: str, status: int, told: tuple[str, str, str]
) -> None:
    spoken, ids, handler = told
    head = f'Resource handler returned message: "No. (Service: {spoken}, Status Code: {status}, {ids}) (SDK Attempt Count: 1)" '
    reason = reason_of(_error(code, status), service)
    assert reason.startswith(head + "(RequestToken: ")
    assert re.search(rf"[-0-9a-f]{{36}}, HandlerErrorCode: {handler}\)$", reason)
