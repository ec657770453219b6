"""What the local cloud emulates: the rest is refused by name, never taken and ignored.

What belongs here: services, operations and parameters behind which nothing would run. What does not: what AWS
itself would refuse.
"""

from collections.abc import Mapping
from functools import lru_cache

from labkit.aws.services import descriptions
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused

#: by signing name; the last row is what tools ask about on their way, and which only describes
SERVICES = frozenset(
    {
        *("s3", "dynamodb", "lambda", "ec2", "iam", "sts", "logs", "ssm", "cloudformation"),
        *("tagging", "resource-groups", "kms", "monitoring", "account", "organizations", "events"),
    }
)
#: services whose stores refuse what they lack themselves
KNOW_THEIR_OWN = frozenset({"dynamodb"})
_DESCRIBED_AS = {"tagging": "resourcegroupstaggingapi", "monitoring": "cloudwatch"}
#: operations that describe a thing which would carry traffic or run, and does not here
_NOT_HERE: Mapping[str, frozenset[str]] = {
    "ec2": frozenset(
        {
            *(
                "CreateVpcPeeringConnection",
                "CreateTransitGateway",
                "CreateVpnConnection",
                "CreateVpnGateway",
            ),
            *("CreateCarrierGateway", "CreateClientVpnEndpoint", "CreateEgressOnlyInternetGateway"),
            *("RequestSpotInstances", "RequestSpotFleet", "CreateFleet", "CreateCustomerGateway"),
        }
    ),
    "lambda": frozenset({"CreateEventSourceMapping", "CreateFunctionUrlConfig", "PublishLayerVersion"}),
    "events": frozenset({"PutTargets"}),
    "logs": frozenset({"CreateExportTask"}),
}
#: (service, operation) → parameters that would be ignored, with the values that need nothing
_IGNORED: Mapping[tuple[str, str], Mapping[str, tuple[object, ...]]] = {
    ("ec2", "CreateVpcEndpoint"): {"VpcEndpointType": ("Gateway",)},
    ("lambda", "CreateFunction"): {
        "Layers": ([],), "FileSystemConfigs": ([],), "PackageType": ("Zip",), "ImageConfig": ({},),
    },
    ("lambda", "UpdateFunctionConfiguration"): {"Layers": ([],), "FileSystemConfigs": ([],), "ImageConfig": ({},)},
}  # fmt: skip


def check(asked: Asked) -> None:
    """Raise Refused where nothing in this cloud stands behind the request."""
    if asked.service not in SERVICES:
        raise _refused(asked, f"the service {asked.service}")
    if (
        asked.wire == "json"
        and asked.service not in KNOW_THEIR_OWN
        and asked.operation not in _operations(asked.service)
    ):
        raise Refused(400, "UnknownOperationException", "")
    if asked.operation in _NOT_HERE.get(asked.service, ()):
        raise _refused(asked, asked.operation)
    for name, harmless in _IGNORED.get((asked.service, asked.operation), {}).items():
        value = asked.parameters.get(name)
        if value is not None and value not in harmless:
            raise _refused(asked, f"{name} of {asked.operation}")


@lru_cache(maxsize=32)
def _operations(service: str) -> frozenset[str]:
    """All operations that AWS's own description of a service names."""
    known = descriptions().load_service_model(_DESCRIBED_AS.get(service, service), "service-2")
    return frozenset(known["operations"])


def _refused(asked: Asked, what: str) -> Refused:
    return Refused(400, "UnsupportedOperation", f"The local cloud does not emulate {what}.")
