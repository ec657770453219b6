"""The module that CloudFormation puts beside inline code: a custom resource's function answers with it.

It goes into the function's package as it stands here, and knows nothing of the kit.
AWS: CloudFormation template reference, "cfn-response module".
"""

import json
from typing import Any

import urllib3

SUCCESS = "SUCCESS"
FAILED = "FAILED"


def send(
    event: dict[str, Any],
    context: Any,
    responseStatus: str,
    responseData: dict[str, Any],
    physicalResourceId: str | None = None,
    noEcho: bool = False,
    reason: str | None = None,
) -> None:
    """Tell CloudFormation how a request for a custom resource ended; what can't be told is printed."""
    told = {
        "Status": responseStatus,
        "Reason": reason or f"See the details in CloudWatch Log Stream: {context.log_stream_name}",
        "PhysicalResourceId": physicalResourceId or context.log_stream_name,
        "StackId": event["StackId"],
        "RequestId": event["RequestId"],
        "LogicalResourceId": event["LogicalResourceId"],
        "NoEcho": noEcho,
        "Data": responseData,
    }
    body = json.dumps(told).encode()
    print("Response body:", body.decode())
    try:
        answer = urllib3.PoolManager().request(
            "PUT", event["ResponseURL"], headers={"content-type": ""}, body=body
        )
        print("Status code:", answer.status)
    except Exception as error:
        print("send(..) failed executing the request:", error)
