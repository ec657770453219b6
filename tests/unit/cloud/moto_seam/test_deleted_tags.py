"""A new thing of an old name has no tags: plain moto gives it those of the one that was deleted."""

import pytest

pytestmark = pytest.mark.slow


def test_a_new_log_group_does_not_inherit_tags(moto):
    """CloudWatch Logs API reference, DeleteLogGroup."""

    def scenario(aws):
        logs = aws.client("logs")
        logs.create_log_group(logGroupName="again", tags={"a": "1"})
        arn = logs.describe_log_groups(logGroupNamePrefix="again")["logGroups"][0]["logGroupArn"]
        logs.delete_log_group(logGroupName="again")
        logs.create_log_group(logGroupName="again")
        return logs.list_tags_for_resource(resourceArn=arn)["tags"]

    assert moto.compare(scenario) == ({"a": "1"}, {})
