"""What DescribeTable tells of a table: the parts that CreateTable and UpdateTable write alike.

What belongs here: functions on a description. What does not: when it is written (control), checks (checks).
"""

import time
from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.dynamodb.errors import not_found
from labkit.cloud.stores.dynamodb.tables.schema import GLOBAL, Table


def throughput(asked: Mapping[str, Any] | None) -> dict[str, Any]:
    """A table's or index's throughput as it is told; none for what is paid by request."""
    units = asked or {"ReadCapacityUnits": 0, "WriteCapacityUnits": 0}
    return {"NumberOfDecreasesToday": 0, **units}


def set_billing(description: dict[str, Any], mode: str, asked: Mapping[str, Any] | None) -> None:
    """Have it say how the table is paid for."""
    description["ProvisionedThroughput"] = throughput(asked)
    if mode == "PAY_PER_REQUEST":
        if "BillingModeSummary" not in description:
            since = {"LastUpdateToPayPerRequestDateTime": round(time.time(), 3)}
            description["BillingModeSummary"] = {"BillingMode": mode, **since}
    else:
        description.pop("BillingModeSummary", None)


def set_rest(description: dict[str, Any], request: Mapping[str, Any]) -> None:
    """Encryption, class and limits, as DescribeTable tells them."""
    encryption = request.get("SSESpecification")
    if encryption is not None:
        description.pop("SSEDescription", None)
        if encryption.get("Enabled"):
            described = {"Status": "ENABLED", "SSEType": encryption.get("SSEType", "KMS")}
            if "KMSMasterKeyId" in encryption:
                described["KMSMasterKeyArn"] = encryption["KMSMasterKeyId"]
            description["SSEDescription"] = described
    if request.get("TableClass") is not None:
        description["TableClassSummary"] = {"TableClass": request["TableClass"]}
    for name in ("OnDemandThroughput", "WarmThroughput"):
        if request.get(name) is not None:
            description[name] = {**description.get(name, {}), **request[name]}


def global_index(table: Table, name: str) -> dict[str, Any]:
    """The global index of this name. Raises DynamoError."""
    for each in table.description.get(GLOBAL, ()):
        if each["IndexName"] == name:
            found: dict[str, Any] = each
            return found
    raise not_found(f"Requested resource not found: Index: {name} not found")
