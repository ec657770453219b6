"""The instance metadata service.

AWS: EC2, "Use IMDS" (UserGuide/configuring-instance-metadata-service.html) and "Instance metadata
categories" (UserGuide/ec2-instance-metadata.html).
"""

import json
import time
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

import pytest
from werkzeug.test import Client, TestResponse

from labkit.aws.records import Credentials, InstanceRecord
from labkit.cloud.instances.metadata import CREDENTIAL_SECONDS, MetadataService
from labkit.cloud.ports import NotTrusted

TTL, TOKEN = "X-aws-ec2-metadata-token-ttl-seconds", "X-aws-ec2-metadata-token"
RECORD = InstanceRecord(
    instance_id="i-0123456789abcdef0",
    region="ap-south-1",
    account_id="123456789012",
    state="running",
    image_id="ami-0123456789abcdef0",
    instance_type="t3.micro",
    availability_zone="ap-south-1a",
    vpc_id="vpc-1",
    subnet_id="subnet-1",
    private_ip="10.0.1.23",
    public_ip="",
    mac="02:00:00:00:00:01",
    security_group_ids=("sg-1", "sg-2"),
    user_data=b"#!/bin/bash\n\xff",
    profile_arn="arn:aws:iam::123456789012:instance-profile/profile",
    role_arn="arn:aws:iam::123456789012:role/path/server",
    imds_tokens="required",
)


@dataclass
class Issuer:
    """Counts what it gives out."""

    clock: "Clock"
    given: list[tuple[str, str, int]] = field(default_factory=list)

    trusted: bool = True

    def issue(self, role_arn: str, session_name: str, *, seconds: int, service: str = "") -> Credentials:
        assert service == "ec2.amazonaws.com"
        if not self.trusted:
            raise NotTrusted("The role does not trust EC2.")
        self.given.append((role_arn, session_name, seconds))
        return Credentials(f"ASIA{len(self.given)}", "secret", "token", self.clock.now + seconds)


@dataclass
class Clock:
    now: float = 1_700_000_000.0

    def __call__(self) -> float:
        return self.now


class Instance:
    """A metadata service, and what an instance would ask of it."""

    def __init__(self, **changes: Any) -> None:
        self.record = replace(RECORD, **changes)
        self.clock = Clock()
        self.issuer = Issuer(self.clock)
        self.service = MetadataService(lambda: self.record, self.issuer, clock=self.clock)
        self.client = Client(self.service)

    def token(self, seconds: str = "60") -> str:
        return self.client.put("/latest/api/token", headers={TTL: seconds}).text

    def get(self, path: str) -> TestResponse:
        return self.client.get(f"/latest/{path}", headers={TOKEN: self.token()})


@pytest.mark.parametrize("seconds", ["0", "21601", "x", "", "-1", "1.5", "²", "9" * 50])
def test_a_token_lives_from_one_second_to_six_hours(seconds: str) -> None:
    """400 Bad Request: the PUT request is not valid."""
    assert Instance().client.put("/latest/api/token", headers={TTL: seconds}).status_code == 400


def test_a_token_without_time_to_live_is_refused() -> None:
    assert Instance().client.put("/latest/api/token").status_code == 400


def test_a_token_is_not_given_through_a_proxy() -> None:
    """The PUT request is refused when it has an X-Forwarded-For header: 403 Forbidden."""
    headers = {TTL: "60", "X-Forwarded-For": "10.0.0.1"}
    assert Instance().client.put("/latest/api/token", headers=headers).status_code == 403


def test_version_1_is_refused_when_tokens_are_required_and_answered_when_optional() -> None:
    """401 Unauthorized without a token where HttpTokens is required."""
    assert Instance().client.get("/latest/meta-data/instance-id").status_code == 401
    optional = Instance(imds_tokens="optional").client.get("/latest/meta-data/instance-id")
    assert (optional.status_code, optional.text) == (200, RECORD.instance_id)


def test_a_token_expires_and_is_good_for_one_instance_only() -> None:
    """A token can be used only on the instance it was generated on; 401 for one that expired."""
    one, other = Instance(), Instance()
    token = one.token("10")
    path = "/latest/meta-data/instance-id"
    assert one.client.get(path, headers={TOKEN: token}).status_code == 200
    assert other.client.get(path, headers={TOKEN: token}).status_code == 401
    one.clock.now += 11
    assert one.client.get(path, headers={TOKEN: token}).status_code == 401


@pytest.mark.parametrize("token", ["", "x", "ffffffff.x.y", "é", "ffffffff..", "." * 10])
def test_forged_tokens_are_refused_even_where_none_is_needed(token: str) -> None:
    answer = Instance(imds_tokens="optional").client.get("/latest/meta-data/", headers={TOKEN: token})
    assert answer.status_code == 401


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("meta-data/ami-id", RECORD.image_id),
        ("meta-data/instance-type", "t3.micro"),
        ("meta-data/hostname", "ip-10-0-1-23.ap-south-1.compute.internal"),
        ("meta-data/local-ipv4", "10.0.1.23"),
        ("meta-data/mac/", RECORD.mac),
        ("meta-data/placement/region", "ap-south-1"),
        ("meta-data/placement/availability-zone", "ap-south-1a"),
        ("meta-data/security-groups", "sg-1\nsg-2"),
        ("meta-data/network/interfaces/macs/", f"{RECORD.mac}/"),
        (f"meta-data/network/interfaces/macs/{RECORD.mac}/vpc-id", "vpc-1"),
        (f"meta-data/network/interfaces/macs/{RECORD.mac}/subnet-id", "subnet-1"),
        (f"meta-data/network/interfaces/macs/{RECORD.mac}/security-group-ids", "sg-1\nsg-2"),
        ("meta-data/iam/security-credentials/", "server"),
        ("meta-data/iam/", "info\nsecurity-credentials/"),
        ("", "dynamic\nmeta-data\nuser-data"),
    ],
)
def test_values_and_listings(path: str, text: str) -> None:
    answer = Instance().get(path)
    assert (answer.status_code, answer.text) == (200, text)


@pytest.mark.parametrize(
    "path",
    ["meta-data/public-ipv4", "meta-data/none", "meta-data/ami-id/x", "meta-data/tags/", "nothing",
     "meta-data/iam/security-credentials/other"],
)  # fmt: skip
def test_what_is_not_there_is_404(path: str) -> None:
    assert Instance().get(path).status_code == 404


def test_without_profile_there_is_no_iam() -> None:
    assert Instance(profile_arn="", role_arn="").get("meta-data/iam/").status_code == 404


def test_changes_of_the_instance_show() -> None:
    instance = Instance()
    instance.record = replace(RECORD, public_ip="203.0.113.77", tags={"Name": "web"}, metadata_tags=True)
    assert instance.get("meta-data/public-ipv4").text == "203.0.113.77"
    assert instance.get("meta-data/tags/instance/Name").text == "web"


def test_tags_show_only_where_they_are_allowed() -> None:
    """UserGuide/work-with-tags-in-IMDS.html: InstanceMetadataTags is disabled by default."""
    assert Instance(tags={"Name": "web"}).get("meta-data/tags/instance/Name").status_code == 404


def test_user_data_comes_as_it_was_given() -> None:
    assert Instance().get("user-data").data == RECORD.user_data
    assert Instance(user_data=b"").get("user-data").status_code == 404


def test_the_identity_document() -> None:
    """UserGuide/instance-identity-documents.html."""
    document = json.loads(Instance().get("dynamic/instance-identity/document").text)
    assert (document["instanceId"], document["region"]) == (RECORD.instance_id, "ap-south-1")
    assert (document["accountId"], document["privateIp"]) == ("123456789012", "10.0.1.23")


def test_credentials_of_the_role() -> None:
    """UserGuide/instance-metadata-security-credentials.html."""
    instance = Instance()
    found = json.loads(instance.get("meta-data/iam/security-credentials/server").text)
    assert (found["Code"], found["Type"], found["AccessKeyId"], found["Token"]) == (
        "Success",
        "AWS-HMAC",
        "ASIA1",
        "token",
    )
    assert time.strptime(found["Expiration"], "%Y-%m-%dT%H:%M:%SZ")
    assert instance.issuer.given == [(RECORD.role_arn, RECORD.instance_id, CREDENTIAL_SECONDS)]


def test_a_role_that_does_not_trust_ec2_has_no_credentials() -> None:
    """IAM user guide, "Troubleshoot IAM and Amazon EC2"; the answer as in aws/aws-cli issue 2060."""
    instance = Instance()
    instance.issuer.trusted = False
    assert instance.get("meta-data/iam/security-credentials").text == "server"
    found = json.loads(instance.get("meta-data/iam/security-credentials/server").text)
    assert found["Code"] == "AssumeRoleUnauthorizedAccess"
    assert found["Message"].startswith("EC2 cannot assume the role server.")
    assert "AccessKeyId" not in found
    instance.issuer.trusted = True
    assert "AccessKeyId" in instance.get("meta-data/iam/security-credentials/server").text


def test_who_looks_learns_what_was_asked_by_whatever_name() -> None:
    asked: list[str] = []
    service = MetadataService(lambda: RECORD, Issuer(Clock()), asked=asked.append)
    client = Client(service)
    client.get("/latest/meta-data/?a-mark.png", headers={"Host": "2852039166"})
    assert asked == ["/latest/meta-data/?a-mark.png"]


def test_credentials_stay_the_same_until_shortly_before_they_expire() -> None:
    """New ones are available at least five minutes before the old ones expire."""
    instance = Instance()

    def key() -> str:
        text = instance.get("meta-data/iam/security-credentials/server").text
        return str(json.loads(text)["AccessKeyId"])

    assert key() == key() == "ASIA1"
    instance.clock.now += CREDENTIAL_SECONDS - 301
    assert key() == "ASIA2"


@pytest.mark.parametrize("jump", [-30 * 24 * 3600.0, 30 * 24 * 3600.0])
def test_after_a_clock_that_jumps_tokens_and_credentials_are_good_again(jump: float) -> None:
    """A laptop that slept, a virtual machine whose clock was set: whoever asks anew gets what is good now."""
    instance = Instance()
    instance.get("meta-data/iam/security-credentials/server")
    instance.clock.now += jump
    answer = instance.get("meta-data/iam/security-credentials/server")
    assert answer.status_code == 200
    expires = datetime.fromisoformat(json.loads(answer.text)["Expiration"]).timestamp()
    assert 300 < expires - instance.clock.now <= CREDENTIAL_SECONDS + max(0, -jump)


def test_another_role_has_other_credentials() -> None:
    instance = Instance()
    instance.get("meta-data/iam/security-credentials/server")
    instance.record = replace(RECORD, role_arn="arn:aws:iam::123456789012:role/other")
    assert instance.get("meta-data/iam/security-credentials/other").status_code == 200
    assert [role for role, *_ in instance.issuer.given] == [RECORD.role_arn, instance.record.role_arn]


def test_listings_issue_no_credentials() -> None:
    instance = Instance()
    instance.get("meta-data/iam/security-credentials/")
    instance.get("meta-data/")
    assert instance.issuer.given == []


def test_other_methods_are_refused() -> None:
    assert Instance().client.post("/latest/meta-data/").status_code == 405
    assert Instance().client.put("/latest/meta-data/").status_code == 405
