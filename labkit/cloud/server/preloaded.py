"""What a local cloud imports and reads sooner or later, all at once: for a parent that forks clouds.

What belongs here: imports and descriptions that every cloud needs. What does not: anything with a thread, a
socket or a secret.
"""

import importlib

from labkit.aws.network.names import regions
from labkit.cloud.door.routes import routes_of
from labkit.cloud.moto_seam import cloudformation, start_up
from labkit.cloud.moto_seam.apps import app_of
from labkit.cloud.moto_seam.backends import TABLES
from labkit.deploy.targets import Clients, Keys, Target

_PARTS = (
    "labkit.cloud.server.cloud",
    "labkit.cloud.cloudformation.engine",
    "labkit.cloud.cloudformation.api",
    "labkit.cloud.cloudformation.resources.registry",
    "labkit.cloud.server.control",
    "labkit.cloud.door",
    "labkit.cloud.endpoints.access",
    "labkit.cloud.server.fabrics",
    "labkit.cloud.functions.service",
    "labkit.cloud.web.image_host",
    "labkit.cloud.instances.image",
    "labkit.cloud.instances.manager",
    "labkit.cloud.moto_seam.ec2.ec2_records",
    "labkit.cloud.moto_seam.facts",
    "labkit.cloud.moto_seam.identity.identities",
    "labkit.cloud.moto_seam.install",
    "labkit.cloud.moto_seam.functions.lambda_records",
    "labkit.cloud.moto_seam.logs",
    "labkit.cloud.moto_seam.identity.managed_policies",
    "labkit.cloud.moto_seam.ec2.network_records",
    "labkit.cloud.moto_seam.identity.sts_keys",
    "labkit.cloud.server.probing",
    "labkit.cloud.server.reconciler",
    "labkit.cloud.server.server",
    "labkit.cloud.stores.dynamodb_api",
)
#: services that a lab's deployment and its checks call
_CALLED = ("cloudformation", "dynamodb", "ec2", "iam", "lambda", "logs", "s3", "ssm", "sts")
_NOWHERE = Target("local", "us-east-1", "http://127.0.0.1:1", Keys("nobody", "none"))


def load() -> None:
    """Import everything and read the services' descriptions."""
    cloudformation.import_without_parser()
    start_up.import_services()
    importlib.import_module("moto.moto_server.werkzeug_app")
    for service in TABLES:
        app_of(service)
    for part in _PARTS:
        importlib.import_module(part)
    clients = Clients(_NOWHERE)
    for service in _CALLED:
        clients.client(service)
        start_up.read_description(service)
        routes_of(service)
    regions()
