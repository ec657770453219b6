"""Importing moto's services without the work that a lab never needs.

Plain moto, on import of EC2 alone: three sessions of boto3, each reading EC2's whole service model to learn
the names of regions (0.45 s), and the instance types that every zone of every region offers (0.12 s).

What belongs here: what makes the first import cheap. What does not: answers to requests.
"""

import contextlib
import functools
import importlib
import time
from collections.abc import Iterator
from typing import Any

from labkit.aws.services import descriptions
from labkit.cloud.moto_seam.backends import TABLES, backend
from labkit.cloud.moto_seam.replacing import Replacements
from labkit.cloud.moto_seam.speed import errors_of
from labkit.deploy.targets import endpoints

#: services whose endpoint prefix is their name, so that regions are known without their service model
PLAIN_PREFIX = frozenset(
    {"ec2", "lambda", "logs", "ssm", "dynamodb", "cloudformation", "sqs", "sns", "kinesis"}
)
OFFERINGS = "ec2/resources/instance_type_offerings"


def import_services(services: tuple[str, ...] = tuple(TABLES)) -> dict[str, float]:
    """Import moto's part for each service; answers the seconds that each took."""
    took = {}
    with _cheap_regions(), _no_offerings():
        for service in services:
            begin = time.perf_counter()
            package = TABLES[service][0].rpartition(".")[0]
            for part in ("models", "responses"):
                importlib.import_module(f"{package}.{part}")
            took[service] = time.perf_counter() - begin
    if "ec2" in services:
        _offer_lazily()
    return took


def make_backends(region: str, services: tuple[str, ...] = tuple(TABLES)) -> dict[str, float]:
    """Make the state of each service in `region`; answers the seconds that each took."""
    took = {}
    for service in services:
        begin = time.perf_counter()
        backend(service, region)
        took[service] = time.perf_counter() - begin
    return took


def know_regions(replacements: Replacements) -> None:
    """Let moto learn the regions of a service without reading the service's whole model."""
    from moto.core.base_backend import AccountSpecificBackend

    @replacements.around(AccountSpecificBackend, "_generate_regions")
    def generate_regions(original: Any, self: Any, service_name: str) -> list[str]:
        if service_name not in PLAIN_PREFIX:
            return list(original(self, service_name))
        return [region for partition in partitions() for region in regions_of(service_name, partition)]


@functools.cache
def partitions() -> list[str]:
    """The partitions of AWS, as boto3 tells them."""
    return list(endpoints().get_available_partitions())


@functools.cache
def regions_of(service: str, partition: str = "aws") -> list[str]:
    """The regions of `service` (one of PLAIN_PREFIX) in the partition, as boto3 tells them."""
    return list(endpoints().get_available_endpoints(service, partition))


@contextlib.contextmanager
def _cheap_regions() -> Iterator[None]:
    import boto3

    original = boto3.Session.get_available_regions

    def cheap(self: Any, service_name: str, partition_name: str = "aws", **kwargs: Any) -> list[str]:
        if service_name in PLAIN_PREFIX and not kwargs:
            return regions_of(service_name, partition_name)
        return original(self, service_name, partition_name, **kwargs)

    boto3.Session.get_available_regions = cheap  # type: ignore[method-assign, assignment]
    try:
        yield
    finally:
        boto3.Session.get_available_regions = original  # type: ignore[method-assign]


@contextlib.contextmanager
def _no_offerings() -> Iterator[None]:
    import moto.utilities.utils as utils

    original = utils.load_resource
    utils.load_resource = lambda path: [] if str(path).startswith(OFFERINGS) else original(path)
    try:
        yield
    finally:
        utils.load_resource = original


class _Offerings(dict[str, list[dict[str, str]]]):
    """Instance types by region, read when a region is first asked for."""

    def __init__(self, location_type: str) -> None:
        super().__init__()
        self._location_type = location_type

    def __missing__(self, region: str) -> list[dict[str, str]]:
        from moto.utilities.utils import load_resource

        try:
            found = load_resource(f"{OFFERINGS}/{self._location_type}/{region}.json")
        except FileNotFoundError:
            found = []
        self[region] = [{**offering, "LocationType": self._location_type} for offering in found]
        return self[region]

    def get(self, region: str, default: Any = None) -> Any:
        """As a dict's, but reading the region first."""
        return self[region] or default


def _offer_lazily() -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPE_OFFERINGS

    for location_type, known in list(INSTANCE_TYPE_OFFERINGS.items()):
        if not any(known.values()):  # otherwise moto had been imported, in full, before
            INSTANCE_TYPE_OFFERINGS[location_type] = _Offerings(location_type)


def read_description(service: str) -> None:
    """Read the service's model as moto's answers need it, and what is made of it at the first request.

    What a client has read is not read again.
    """
    from moto.core import routing, utils

    original = utils.create_loader
    utils.create_loader = descriptions
    try:
        model = utils.get_service_model(service)
    finally:
        utils.create_loader = original
    errors_of(model)
    if model.protocol.startswith("rest-"):
        routing.get_service_router(service)._get_router(model.protocol)
