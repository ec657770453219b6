"""moto on a loopback port, plain or corrected, for tests that compare the two."""

import contextlib
import json
import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import boto3
import pytest
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import ResponseParserError
from werkzeug.serving import WSGIRequestHandler, make_server

from labkit.aws.records import FunctionRecord, InvocationResult
from labkit.cloud.moto_seam.backends import forget_everything
from labkit.cloud.moto_seam.install import Hooks, install
from labkit.cloud.moto_seam.start_up import import_services
from labkit.cloud.pace import Pace

REGION = "ap-south-1"
IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
Scenario = Callable[["Aws"], Any]


class _Quiet(WSGIRequestHandler):
    def log(self, *_: Any) -> None: ...


@dataclass
class Calls:
    """The data plane as the corrections see it: what was asked, and what it answers."""

    invoked: list[tuple[FunctionRecord, bytes, dict[str, Any]]] = field(default_factory=list)
    result: InvocationResult = field(default_factory=lambda: InvocationResult(b'{"ok": true}'))
    refuse: Exception | None = None
    console: bytes = b"boot log\n"
    status: str = "ok"
    denied: set[str] = field(default_factory=set)

    def hooks(self) -> Hooks:
        return Hooks(
            invoke=self._invoke,
            console_output=lambda instance_id: self.console,
            instance_status=lambda instance_id: self.status,
            role_allows=lambda role, action, *_: action not in self.denied,
            pace=Pace(pending=0.0),  # states on the way have tests of their own
        )

    def _invoke(self, function: FunctionRecord, payload: bytes, **kwargs: Any) -> InvocationResult:
        self.invoked.append((function, payload, kwargs))
        if self.refuse:
            raise self.refuse
        return self.result


class Aws:
    """boto3 clients of one running moto, by attribute: `aws.ec2`; and the data plane behind it."""

    def __init__(self, endpoint: str) -> None:
        self._endpoint = endpoint
        self._clients: dict[tuple[str, str], Any] = {}
        self.calls = Calls()

    def __getattr__(self, service: str) -> Any:
        return self.client(service)

    def client(self, service: str, region: str = REGION, **keys: str) -> Any:
        name = service.rstrip("_")  # `lambda_`, because `lambda` is a keyword
        if keys:
            return self._make(name, region, **keys)
        if (name, region) not in self._clients:
            self._clients[name, region] = self._make(name, region)
        return self._clients[name, region]

    def _make(self, service: str, region: str, **keys: str) -> Any:
        keys = keys or {"aws_access_key_id": "A" * 20, "aws_secret_access_key": "secret"}
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        return boto3.client(service, region_name=region, endpoint_url=self._endpoint, config=config, **keys)

    def image(self, name: str = IMAGE) -> str:
        return str(self.ssm.get_parameter(Name=name)["Parameter"]["Value"])

    def network(self) -> tuple[str, str]:
        """A VPC with one subnet."""
        vpc = self.ec2.create_vpc(CidrBlock="10.7.0.0/16")["Vpc"]["VpcId"]
        subnet = self.ec2.create_subnet(VpcId=vpc, CidrBlock="10.7.1.0/24", AvailabilityZone=f"{REGION}a")
        return vpc, subnet["Subnet"]["SubnetId"]

    def run(self, **kwargs: Any) -> dict[str, Any]:
        """One instance, as RunInstances answers it."""
        wanted = {"ImageId": self.image(), "InstanceType": "t3.micro", "MinCount": 1, "MaxCount": 1, **kwargs}
        return dict(self.ec2.run_instances(**wanted)["Instances"][0])

    def instance(self, instance_id: str) -> dict[str, Any]:
        found = self.ec2.describe_instances(InstanceIds=[instance_id])
        return dict(found["Reservations"][0]["Instances"][0])

    def role(self, name: str = "lab", service: str = "lambda.amazonaws.com") -> str:
        allow = {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}
        trust = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        return str(self.iam.create_role(RoleName=name, AssumeRolePolicyDocument=trust)["Role"]["Arn"])


class Moto:
    """One server; what it serves is plain or corrected moto, without state at first."""

    def __init__(self, aws: Aws) -> None:
        self._aws = aws

    @contextlib.contextmanager
    def plain(self) -> Iterator[Aws]:
        forget_everything()
        self._aws.calls = Calls()
        yield self._aws
        forget_everything()

    @contextlib.contextmanager
    def corrected(self) -> Iterator[Aws]:
        with self.plain() as aws:
            replacements = install(aws.calls.hooks())
            forget_everything()
            try:
                yield aws
            finally:
                forget_everything()
                replacements.undo()

    def compare(self, scenario: Scenario) -> tuple[Any, Any]:
        """What the scenario finds on plain moto, and on corrected moto."""
        with self.plain() as aws:
            fault = scenario(aws)
        with self.corrected() as aws:
            return fault, scenario(aws)


def refusal(call: Callable[..., Any], **kwargs: Any) -> str:
    """ "Code: message" of AWS's error, or "" when the call succeeds."""
    try:
        call(**kwargs)
    except ClientError as error:
        return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
    except ResponseParserError:
        return "500: moto broke"
    return ""


@contextlib.contextmanager
def serving() -> Iterator[Moto]:
    import_services()
    from moto.ec2.models import amis
    from moto.server import DomainDispatcherApplication, create_backend_app

    amis.AMIS.clear()  # 500 that nobody here asks for, made anew for each region; those that SSM names stay
    app = DomainDispatcherApplication(create_backend_app)
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield Moto(Aws(f"http://127.0.0.1:{server.server_port}"))
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def no_outside_settings(patch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "MOTO_"))]:
        patch.delenv(name)
