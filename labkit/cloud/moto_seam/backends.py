"""The way to moto's state of the one account: a backend for each service and region.

What belongs here: finding backends. What does not: what they hold.
"""

import functools
import importlib
from collections.abc import Iterator
from typing import Any

from labkit.aws.addresses import ACCOUNT_ID

#: services whose state is one for all regions
GLOBAL = frozenset({"iam", "sts"})
#: service → (moto's module, its table of backends), in an order that imports each part once
TABLES = {
    "iam": ("moto.iam.models", "iam_backends"),
    "sts": ("moto.sts.models", "sts_backends"),
    "logs": ("moto.logs.models", "logs_backends"),
    "ec2": ("moto.ec2.models", "ec2_backends"),
    "ssm": ("moto.ssm.models", "ssm_backends"),
    "lambda": ("moto.awslambda.models", "lambda_backends"),
    "cloudformation": ("moto.cloudformation.models", "cloudformation_backends"),
}


def backend(service: str, region: str = "aws") -> Any:
    """Moto's backend of `service` in `region`, made when it is not there yet."""
    return _table(service)[ACCOUNT_ID]["aws" if service in GLOBAL else region]


def kind_of(service: str) -> type[Any]:
    """The class of moto's backends of `service`."""
    kind: type[Any] = _table(service).backend
    return kind


def in_use(service: str) -> Iterator[tuple[str, Any]]:
    """(region, backend) for the regions that somebody has asked for; makes none."""
    table = _table(service)
    if ACCOUNT_ID in table.keys():  # noqa: SIM118 - its own `in` knows no accounts
        yield from list(table[ACCOUNT_ID].items())


def forget_everything() -> None:
    """Drop the state of all services, as a new account has none.

    moto's own reset makes each backend anew (of EC2 with 500 images) before it drops it.
    """
    from moto.core.base_backend import BackendDict, BaseBackend, backend_lock

    with backend_lock:
        for table in BackendDict._instances:
            for each in (backend for account in table.values() for backend in account.values()):
                if type(each).reset is not BaseBackend.reset:  # it has more to let go of
                    each.reset()
            table.clear()
        BackendDict._instances.clear()


@functools.cache
def _table(service: str) -> Any:
    module, name = TABLES[service]
    return getattr(importlib.import_module(module), name)
