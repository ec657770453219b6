"""Condition keys about sessions, resources and accounts; which AWS has and the local cloud lacks."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import Principal
from labkit.cloud.door import condition_keys
from labkit.cloud.door.authority import NoFacts
from labkit.cloud.door.contexts import RequestContext, Source
from labkit.cloud.door.reading import Asked

ROLE = f"arn:aws:iam::{ACCOUNT_ID}:role/server"
SERVER = Principal(
    "session", f"arn:aws:sts::{ACCOUNT_ID}:assumed-role/server/i-0123", ACCOUNT_ID, "A:i-0123", ROLE
)


class Facts(NoFacts):
    """A role and a table with tags, and the instance whose session it is."""

    def role_tags(self, role_arn: str) -> Mapping[str, str]:
        return {"lab:variant": "abc"} if role_arn == ROLE else {}

    def table_tags(self, region: str, table: str) -> Mapping[str, str]:
        return {"lab:variant": "xyz"} if table == "images" else {}

    def instance(self, instance_id: str) -> Any:
        found = type(
            "Record",
            (),
            {"instance_id": "i-0123", "region": "eu-west-1", "vpc_id": "vpc-1", "private_ip": "10.0.1.4"},
        )
        return found if instance_id == "i-0123" else None


def source(service: str = "dynamodb", principal: Principal = SERVER, **parameters: Any) -> Source:
    asked = Asked(
        service=service, operation="PutItem", region="eu-west-1", parameters=parameters, wire="json"
    )
    return Source({}, asked, principal, Facts(), True, None)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("aws:resourceaccount", ACCOUNT_ID), ("aws:principaltag/lab:variant", "abc"), ("aws:resourcetag/lab:variant", "xyz"),
        ("aws:ec2instancesourcevpc", "vpc-1"), ("aws:ec2instancesourceprivateipv4", "10.0.1.4"),
        ("ec2:sourceinstancearn", f"arn:aws:ec2:eu-west-1:{ACCOUNT_ID}:instance/i-0123"), ("ec2:roledelivery", "2.0"),
        ("aws:principalisawsservice", "false"),
    ],
)  # fmt: skip
def test_a_key_that_is_known_has_the_value_that_aws_gives(key: str, value: str) -> None:
    asked = source(TableName="images")
    assert RequestContext(asked, {})[key] == value
    assert asked.lacking == set()


def test_s3_has_its_own_key_of_the_account_and_no_tags_of_buckets() -> None:
    context = RequestContext(source("s3"), {})
    assert context["s3:resourceaccount"] == ACCOUNT_ID
    assert "aws:resourcetag/lab:variant" not in context


@pytest.mark.parametrize("key", ["aws:principalorgid", "aws:sourcearn", "aws:nosuchkey", "s3:nosuchkey", "x"])
def test_a_key_that_is_absent_here_as_on_aws_is_not_lacking(key: str) -> None:
    asked = source()
    assert key not in RequestContext(asked, {})
    assert asked.lacking == set()


@pytest.mark.parametrize("key", ["aws:tokenissuetime", "s3:tlsversion", "dynamodb:attributes", "ec2:vpc"])
def test_a_key_that_only_the_local_cloud_lacks_is_noted(key: str) -> None:
    asked = source()
    assert key not in RequestContext(asked, {})
    assert asked.lacking == {key}


def test_a_user_has_nothing_of_an_instance() -> None:
    user = replace(SERVER, kind="user", role_arn="")
    assert condition_keys.of_session("aws:ec2instancesourcevpc", user, Facts()) == ""
