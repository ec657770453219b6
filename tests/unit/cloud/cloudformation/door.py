"""A local cloud for tests of CloudFormation: moto on a loopback port, with the engine behind its API."""

import contextlib
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError
from moto.moto_api._internal.models import moto_api_backend
from moto.server import DomainDispatcherApplication, create_backend_app

from labkit.aws.records import InvocationResult
from labkit.cloud.cloudformation.engine import Engine
from labkit.cloud.moto_seam import cloudformation as seam
from labkit.cloud.moto_seam.install import Hooks, install
from labkit.cloud.stores.s3.service import S3
from tests.unit.cloud.stores.s3_door import ACCOUNT, forget_buckets
from tests.unit.cloud.stores.s3_door import serving as serving_s3

REGION = "ap-south-1"
DATA = Path(__file__).parents[3] / "data" / "cloudformation"
LAB = (DATA / "lab.yaml").read_text()
NAMED = ["CAPABILITY_NAMED_IAM"]


class Cloud:
    """Clients of the cloud, and the few questions that most tests ask."""

    def __init__(self, url: str, buckets: S3) -> None:
        self._url, self._buckets = url, buckets
        self.engine = Engine(self.make_client)
        self.cloudformation = self.make_client("cloudformation", REGION)

    def make_client(self, service: str, region: str) -> Any:
        config = Config(retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
        keys = {"aws_access_key_id": "A" * 20, "aws_secret_access_key": "secret"}
        return boto3.client(service, region_name=region, endpoint_url=self._url, config=config, **keys)

    def client(self, service: str) -> Any:
        return self.engine.client(service, REGION)

    def create(self, body: str, name: str = "stack", **more: Any) -> dict[str, Any]:
        """Create a stack and wait; the stack as described afterwards."""
        more = {"Capabilities": NAMED, **more}
        stack_id = self.cloudformation.create_stack(StackName=name, TemplateBody=body, **more)["StackId"]
        return self.settled(stack_id)

    def update(self, body: str, name: str = "stack", **more: Any) -> dict[str, Any]:
        more = {"Capabilities": NAMED, **more}
        stack_id = self.cloudformation.update_stack(StackName=name, TemplateBody=body, **more)["StackId"]
        return self.settled(stack_id)

    def delete(self, name: str = "stack", **more: Any) -> dict[str, Any]:
        stack_id = self.stack(name)["StackId"]
        self.cloudformation.delete_stack(StackName=name, **more)
        return self.settled(stack_id)

    def settled(self, stack_id: str) -> dict[str, Any]:
        assert self.engine.wait(stack_id, 30), "the operation did not end"
        return self.stack(stack_id)

    def stack(self, name: str = "stack") -> dict[str, Any]:
        return dict(self.cloudformation.describe_stacks(StackName=name)["Stacks"][0])

    def outputs(self, name: str = "stack") -> dict[str, str]:
        return {item["OutputKey"]: item["OutputValue"] for item in self.stack(name).get("Outputs", [])}

    def physical(self, name: str = "stack") -> dict[str, str]:
        found = self.cloudformation.describe_stack_resources(StackName=name)["StackResources"]
        return {item["LogicalResourceId"]: item.get("PhysicalResourceId", "") for item in found}

    def events(self, name: str = "stack") -> list[tuple[str, str, str]]:
        """(logical id, status, reason), oldest first."""
        pages = self.cloudformation.get_paginator("describe_stack_events").paginate(StackName=name)
        found = [event for page in pages for event in page["StackEvents"]]
        return [
            (item["LogicalResourceId"], item["ResourceStatus"], item.get("ResourceStatusReason", ""))
            for item in reversed(found)
        ]

    def statuses(self, name: str = "stack") -> list[str]:
        """The stack's own statuses, oldest first."""
        return [
            status
            for logical_id, status, _ in self.events(name)
            if logical_id == self.stack(name)["StackName"]
        ]

    def refusal(self, body: str, **more: Any) -> str:
        """ "Code: message" of CreateStack's error; the test fails when there is none."""
        try:
            self.cloudformation.create_stack(
                StackName="refused", TemplateBody=body, **{"Capabilities": NAMED, **more}
            )
        except ClientError as error:
            return f"{error.response['Error']['Code']}: {error.response['Error']['Message']}"
        raise AssertionError("the template was taken")

    def reset(self) -> None:
        moto_api_backend.reset()
        forget_buckets(self._buckets)


def _hooks() -> Hooks:
    """A data plane that does nothing."""
    return Hooks(
        invoke=lambda *_, **__: InvocationResult(b"null"),
        console_output=lambda _: b"",
        instance_status=lambda _: "ok",
    )


@contextlib.contextmanager
def serving() -> Iterator[Cloud]:
    """A cloud for as long as the block runs."""
    app = DomainDispatcherApplication(create_backend_app)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving_s3(buckets := S3(ACCOUNT, Path(folder)), app) as url,
    ):
        cloud = Cloud(url, buckets)
        cloud.engine.use_system_tags(buckets.put_system_tags)
        corrections = install(_hooks())
        undo = seam.install(cloud.engine)
        try:
            yield cloud
        finally:
            cloud.engine.close()
            cloud.cloudformation.close()
            undo()
            corrections.undo()
