"""What a local cloud imports and reads sooner or later, all at once: for a parent that forks clouds.

What belongs here: imports and descriptions that every cloud needs. What does not: anything with a thread, a
socket or a secret.
"""

import importlib

from labkit.aws.network.names import regions
from labkit.cloud.door.routes import routes_of
from labkit.cloud.moto_seam import cloudformation, start_up
from labkit.cloud.moto_seam.backends import TABLES
from labkit.deploy.targets import Clients, Keys, Target

_PARTS = (
    "server.cloud", "cloudformation.engine", "cloudformation.api", "cloudformation.resources.registry", "server.control", "door",
    "endpoints.access", "server.fabrics", "functions.service", "web.image_host", "instances.image", "instances.manager",
    "moto_seam.ec2.ec2_records", "moto_seam.facts", "moto_seam.identity.identities", "moto_seam.install", "moto_seam.functions.lambda_records",
    "moto_seam.logs", "moto_seam.identity.managed_policies", "moto_seam.ec2.network_records", "moto_seam.identity.sts_keys", "server.probing",
    "server.reconciler", "server.server", "stores.dynamodb_api",
)  # fmt: skip
#: services that a lab's deployment and its checks call
_CALLED = ("cloudformation", "dynamodb", "ec2", "iam", "lambda", "logs", "s3", "ssm", "sts")
_NOWHERE = Target("local", "us-east-1", "http://127.0.0.1:1", Keys("nobody", "none"))


def load() -> None:
    """Import everything and read the services' descriptions."""
    cloudformation.import_without_parser()
    start_up.import_services()
    importlib.import_module("moto.moto_server.werkzeug_app")
    for models, _ in TABLES.values():
        importlib.import_module(f"{models.rpartition('.')[0]}.urls")
    for part in _PARTS:
        importlib.import_module(f"labkit.cloud.{part}")
    clients = Clients(_NOWHERE)
    for service in _CALLED:
        clients.client(service)
        start_up.read_description(service)
        routes_of(service)
    regions()
