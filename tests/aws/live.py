"""A whole local cloud for tests: its API, functions and instances made in one line.

What belongs here: making things with sensible defaults, under names that nobody else has. What does not:
what is expected of them.
"""

import io
import itertools
import json
import os
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from labkit.base.events import Emit, ignore
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.targets import Clients, Keys

REGION = "ap-south-1"
ANYWHERE = "0.0.0.0/0"
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
_BY_SUBNET = "resolve:ssm:/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@dataclass(frozen=True)
class Vpc:
    """A VPC with a public and a private subnet, and an open security group."""

    vpc: str
    public: str
    private: str
    public_table: str
    private_table: str
    group: str
    gateway: str


@dataclass
class Live:
    """The cloud; every method makes something new, or asks."""

    local: LocalCloud
    clients: Clients
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def __getattr__(self, service: str) -> Any:
        """`live.s3` is the client of S3, for every service."""
        if service.startswith("_"):
            raise AttributeError(service)
        return self.clients.client({"lambda_": "lambda"}.get(service, service), read_timeout=60)

    def start_again(self, emit: Emit = ignore) -> None:
        """Start the cloud that has ended; its port may have become another's meanwhile."""
        self.clients = Clients(self.local.ensure(emit).target(self.clients.target.region))

    def name(self, kind: str) -> str:
        """A name that nothing else has."""
        return f"{kind}-{next(self._numbers)}"

    def as_(self, keys: Mapping[str, str]) -> Clients:
        """Clients with somebody's keys."""
        found = Keys(keys["AccessKeyId"], keys["SecretAccessKey"], keys.get("SessionToken", ""))
        return Clients(self.clients.target, found)

    def signed(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> dict[str, str]:
        """The headers of a request as the account's owner, signed, for a client of one's own making."""
        from botocore import auth
        from botocore.awsrequest import AWSRequest

        target = self.clients.target
        request = AWSRequest(method, f"{target.endpoint_url}{path}", dict(headers), body)
        signer = auth.S3SigV4Auth if service == "s3" else auth.SigV4Auth
        keys = Credentials(target.owner.access_key_id, target.owner.secret_access_key)
        signer(keys, service, target.region).add_auth(request)
        return dict(request.headers.items())

    def role(self, *statements: Mapping[str, object], service: str = "lambda.amazonaws.com") -> str:
        """The ARN of a role that `service` may assume; without statements it may do everything."""
        name = self.name("role")
        trusted = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        arn = self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=policy(trusted))["Role"]["Arn"]
        document = policy(*(statements or (EVERYTHING,)))
        self.iam.put_role_policy(RoleName=name, PolicyName="p", PolicyDocument=document)
        return str(arn)

    def profile(self, *statements: Mapping[str, object]) -> str:
        """The name of an instance profile with a role for EC2."""
        role = self.role(*statements, service="ec2.amazonaws.com").rpartition("/")[2]
        self.iam.create_instance_profile(InstanceProfileName=role)
        self.iam.add_role_to_instance_profile(InstanceProfileName=role, RoleName=role)
        return role

    def bucket(self) -> str:
        """A new bucket."""
        name = self.name("live-bucket")
        self.s3.create_bucket(Bucket=name, CreateBucketConfiguration={"LocationConstraint": REGION})
        return name

    def vpc(self, *, internet: bool = True, cidr: str = "10.0.0.0/16") -> Vpc:
        """A network; without `internet` nothing leads out."""
        ec2 = self.ec2
        vpc = ec2.create_vpc(CidrBlock=cidr)["Vpc"]["VpcId"]
        begin = cidr.rsplit(".", 2)[0]
        subnets = [
            ec2.create_subnet(VpcId=vpc, CidrBlock=f"{begin}.{n}.0/24", AvailabilityZone=f"{REGION}a")[
                "Subnet"
            ]["SubnetId"]
            for n in (1, 2)
        ]
        tables = [ec2.create_route_table(VpcId=vpc)["RouteTable"]["RouteTableId"] for _ in subnets]
        for table, subnet in zip(tables, subnets, strict=True):
            ec2.associate_route_table(RouteTableId=table, SubnetId=subnet)
        gateway = ""
        if internet:
            gateway = ec2.create_internet_gateway()["InternetGateway"]["InternetGatewayId"]
            ec2.attach_internet_gateway(InternetGatewayId=gateway, VpcId=vpc)
            ec2.create_route(RouteTableId=tables[0], DestinationCidrBlock=ANYWHERE, GatewayId=gateway)
        group = ec2.create_security_group(GroupName="open", Description="open", VpcId=vpc)["GroupId"]
        everything = [{"IpProtocol": "-1", "IpRanges": [{"CidrIp": ANYWHERE}]}]
        ec2.authorize_security_group_ingress(GroupId=group, IpPermissions=everything)
        return Vpc(vpc, subnets[0], subnets[1], tables[0], tables[1], group, gateway)

    def function(self, source: str, **settings: Any) -> str:
        """A function whose `lambda_handler(event, context)` is in `source`; its name."""
        name = settings.pop("FunctionName", None) or self.name("function")
        settings = {
            "Runtime": "python3.13", "Handler": "lambda_function.lambda_handler", "Timeout": 10,
            "Role": settings.pop("Role", None) or self.role(), "Code": {"ZipFile": zipped({"lambda_function.py": source})},
            **settings,
        }  # fmt: skip
        self.lambda_.create_function(FunctionName=name, **settings)
        eventually(lambda: self.lambda_.get_function_configuration(FunctionName=name)["State"] == "Active")
        return name

    def call(self, name: str, event: object = None) -> Any:
        """What the function answers."""
        answer = self.lambda_.invoke(FunctionName=name, Payload=json.dumps(event).encode())
        value = json.loads(answer["Payload"].read())
        assert "FunctionError" not in answer, value
        return value

    def run(self, source: str, event: object = None, **settings: Any) -> Any:
        """Make a function and call it once."""
        return self.call(self.function(source, **settings), event)

    @contextmanager
    def instance(self, script: str | bytes, vpc: Vpc | None = None, **settings: Any) -> Iterator[str]:
        """An instance with this user data, its user data ended; it is terminated afterwards."""
        found = vpc or self.vpc()
        interface = {
            "DeviceIndex": 0, "SubnetId": settings.pop("SubnetId", found.public), "Groups": [found.group],
            "AssociatePublicIpAddress": settings.pop("public", True),
        }  # fmt: skip
        newest = _BY_SUBNET.removeprefix("resolve:ssm:")
        image = settings.pop("ImageId", "") or self.ssm.get_parameter(Name=newest)["Parameter"]["Value"]
        made = self.ec2.run_instances(
            ImageId=image, InstanceType="t3.micro", MinCount=1, MaxCount=1, UserData=script,
            NetworkInterfaces=[interface], **settings,
        )["Instances"][0]["InstanceId"]  # fmt: skip
        try:
            self.local.await_boot(made)
            yield made
        finally:
            self.ec2.terminate_instances(InstanceIds=[made])

    def inside(self, instance: str, command: str) -> str:
        """What a shell command prints inside an instance."""
        return self.local.output_inside(instance, ["/bin/bash", "-c", command])[1]

    def described(self, instance: str) -> Any:
        """The instance as DescribeInstances shows it."""
        return self.ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]


def policy(*statements: Mapping[str, object]) -> str:
    """A policy document."""
    return json.dumps({"Version": "2012-10-17", "Statement": list(statements)})


def zipped(files: Mapping[str, str]) -> bytes:
    """A deployment package."""
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return data.getvalue()


def refused(call: Callable[..., object], **arguments: object) -> tuple[str, str]:
    """Code and message of the error that AWS answers with."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"], error.response["Error"]["Message"]
    raise AssertionError("it was not refused")


def eventually(condition: Callable[[], Any], seconds: float = 15) -> Any:
    """The first true value of `condition`; what it is at the end, when the time is over."""
    deadline = time.monotonic() + seconds
    while not (value := condition()) and time.monotonic() < deadline:
        time.sleep(0.02)
    return value


@contextmanager
def open_live(
    folder: Any, account: str = "", region: str = REGION, *, lasting: bool = False, pace: str = ""
) -> Iterator[Live]:
    """A cloud in `folder`, of this kind of account; it ends with this process, however that ends."""
    reader, writer = os.pipe()
    local = LocalCloud(folder, leash=reader, lasting=lasting, wanted=account, pace=pace)
    try:
        yield Live(local, Clients(local.ensure().target(region)))
    finally:
        local.stop()
        os.close(reader)
        os.close(writer)
