"""What can be set of a table besides: time to live, backups, tags.

What belongs here: these settings, which change nothing of what a table is. What does not: tables (control), what the time
to live does (expiry).

AWS: API reference of UpdateTimeToLive, UpdateContinuousBackups, TagResource and their like.
"""

import time
from collections.abc import Mapping
from typing import Any

from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid
from labkit.cloud.stores.dynamodb.tables import checks as table_checks
from labkit.cloud.stores.dynamodb.tables.control import Tables
from labkit.cloud.stores.dynamodb.tables.schema import Table


class Settings:
    """The settings of all tables of an account. For any thread."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    # -- time to live and backups ----------------------------------------------------------------------------

    def describe_ttl(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeTimeToLive."""
        name = self._tables.named(region, request["TableName"]).settings.get("ttl")
        told = (
            {"TimeToLiveStatus": "ENABLED", "AttributeName": name}
            if name
            else {"TimeToLiveStatus": "DISABLED"}
        )
        return {"TimeToLiveDescription": told}

    def update_ttl(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateTimeToLive."""
        wanted = request["TimeToLiveSpecification"]
        with self._tables.lock:
            table = self._tables.named(region, request["TableName"])
            name = table.settings.get("ttl")
            if wanted["Enabled"] == bool(name):
                raise invalid(f"TimeToLive is already {'enabled' if name else 'disabled'}")
            if name and wanted["AttributeName"] != name:
                raise invalid(
                    f"TimeToLive is active on a different AttributeName: current AttributeName is {name}"
                )
            table.settings["ttl"] = wanted["AttributeName"] if wanted["Enabled"] else ""
            self._tables.keep(table)
        return {"TimeToLiveSpecification": wanted}

    def describe_backups(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """DescribeContinuousBackups."""
        return self._backups(self._named(region, request["TableName"]))

    def update_backups(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UpdateContinuousBackups: remembered; there is nothing here that restores."""
        with self._tables.lock:
            table = self._named(region, request["TableName"])
            enabled = request["PointInTimeRecoverySpecification"]["PointInTimeRecoveryEnabled"]
            table.settings["recovery"] = time.time() if enabled else 0
            self._tables.keep(table)
        return self._backups(table)

    def _named(self, region: str, name: str) -> Table:
        try:
            return self._tables.named(region, name)
        except DynamoError as error:
            if error.code != "ResourceNotFoundException":
                raise
            raise DynamoError("TableNotFoundException", f"Table not found: {name}") from None

    @staticmethod
    def _backups(table: Table) -> dict[str, Any]:
        since = table.settings.get("recovery")
        recovery: dict[str, Any] = {"PointInTimeRecoveryStatus": "ENABLED" if since else "DISABLED"}
        if since:
            recovery |= {
                "RecoveryPeriodInDays": 35,
                "EarliestRestorableDateTime": since,
                "LatestRestorableDateTime": time.time(),
            }
        described = {"ContinuousBackupsStatus": "ENABLED", "PointInTimeRecoveryDescription": recovery}
        return {"ContinuousBackupsDescription": described}

    # -- tags ----------------------------------------------------------------------------------------------

    def tag(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """TagResource."""
        table_checks.check_tags(request["Tags"])
        if not request["Tags"]:
            raise invalid(
                "1 validation error detected: Value '[]' at 'tags': Atleast one Tag needs to be provided"
            )
        with self._tables.lock:
            table = self._tables.by_arn(region, request["ResourceArn"])
            tags = table.settings["tags"] | {each["Key"]: each["Value"] for each in request["Tags"]}
            table_checks.check_tags([{"Key": name, "Value": value} for name, value in tags.items()])
            table.settings["tags"] = tags
            self._tables.keep(table)
        return {}

    def untag(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """UntagResource."""
        if not request["TagKeys"]:
            raise invalid(
                "1 validation error detected: Value '[]' at 'tagKeys': Atleast one TagKey needs to be provided"
            )
        with self._tables.lock:
            table = self._tables.by_arn(region, request["ResourceArn"])
            for name in request["TagKeys"]:
                table.settings["tags"].pop(name, None)
            self._tables.keep(table)
        return {}

    def list_tags(self, region: str, request: Mapping[str, Any]) -> dict[str, Any]:
        """ListTagsOfResource."""
        tags = self._tables.by_arn(region, request["ResourceArn"]).settings["tags"]
        return {"Tags": [{"Key": name, "Value": value} for name, value in tags.items()]}
