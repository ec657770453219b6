"""A lab that stands on AWS, as checks see it: what the files say, and what AWS tells.

What belongs here: finding it and its outputs. What does not: judging it (judging.py).
"""

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from labkit.base.errors import TemplateError
from labkit.base.events import ignore
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.build import FOLDER, build, write_build
from labkit.course.variant import Variant
from labkit.deploy.cloudformation import NAME, CloudFormation
from labkit.deploy.model import Deployment, Source
from labkit.deploy.removing.survivors import TAG
from labkit.grading.systems.system import System
from labkit.live.reads import Reading, Unread

_GONE = ("terminated", "shutting-down")


class _Nowhere(LocalCloud):
    """No local cloud is behind it."""

    def ask(self, method: str, path: str, body: bytes | None = None, *, timeout: float | None = 120) -> Any:
        """Raises Unread."""
        raise Unread(
            "Nobody looks inside what stands on AWS, so nobody was asked.", hint="For this line:  ./lab grade"
        )


class Standing(System):
    """It is looked at through AWS's API, and never changed."""

    def __init__(self, reading: Reading, variant: Variant, folder: Path, engine: str) -> None:
        """`folder`: the files, as they were taken in. Raises botocore's errors, and DeployError, where AWS does not answer."""
        self.region, self.variant, self.folder, self.engine_name = (
            reading.target.region,
            variant,
            folder,
            engine,
        )
        self.cloud, self.__dict__["eye"] = _Nowhere(folder), reading
        paths = [path for path in sorted(folder.rglob("*")) if path.is_file()]
        files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
        self.submitted = {name: data.decode("utf-8", "replace") for name, data in files.items()}
        with contextlib.suppress(TemplateError):  # what stands is judged, whatever became of the files
            write_build(folder / FOLDER, build(files, variant))
        self.deployment = self._found()

    def await_boot(self) -> None:
        """Nothing is waited for: it is judged as it stands."""

    def _found(self) -> Deployment:
        """The stack, or what goes by the lab's names where Terraform made it, whose state alone has its outputs."""
        name = self.variant.name
        if self.engine_name == NAME:
            return CloudFormation(self.eye, Source(name, self.folder), ignore).current()
        outputs = dict(self._outputs())
        there = "LambdaFunctionName" in outputs or "InstanceId" in outputs
        return Deployment(self.engine_name, name, "complete" if there else "absent", outputs, changed=False)

    def _outputs(self) -> Iterator[tuple[str, str]]:
        for function in self._all("lambda", "list_functions", "Functions"):
            if function["FunctionName"].startswith(self.variant.name):
                yield "LambdaFunctionName", function["FunctionName"]
                yield "LambdaFunctionArn", function["FunctionArn"]
        tagged = [{"Name": f"tag:{TAG}", "Values": [self.variant.code]}]
        for reservation in self._all("ec2", "describe_instances", "Reservations", Filters=tagged):
            for instance in reservation["Instances"]:
                if instance["State"]["Name"] not in _GONE:
                    yield "InstanceId", instance["InstanceId"]
                    yield "VpcId", instance["VpcId"]
                    yield "InstancePrivateIp", instance.get("PrivateIpAddress", "")
                    yield "InstancePublicIp", instance.get("PublicIpAddress", "")
        for bucket in self.eye.client("s3").list_buckets()["Buckets"]:
            if bucket["Name"].startswith(self.variant.name):
                yield "BucketName", bucket["Name"]
        for table in self._all("dynamodb", "list_tables", "TableNames"):
            if table.startswith(self.variant.name):
                yield "TableName", table

    def _all(self, service: str, operation: str, entries: str, **filters: Any) -> Iterator[Any]:
        for page in self.eye.client(service).get_paginator(operation).paginate(**filters):
            yield from page[entries]
