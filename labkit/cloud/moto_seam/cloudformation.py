"""Puts the local cloud's CloudFormation behind moto's API layer.

moto keeps what serves: reading requests and writing answers (query protocol), its store with reset
and saving, and finding the account. What stacks do is labkit.cloud.cloudformation.

What belongs here: every private name of moto that this needs. What does not: how CloudFormation behaves.
"""

import importlib
import sys
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from labkit.aws.services import descriptions
from labkit.aws.templates.errors import ApiError
from labkit.cloud.cloudformation.api import perform
from labkit.cloud.cloudformation.engine import Engine, MadeAt
from labkit.cloud.cloudformation.records import Store
from labkit.cloud.moto_seam.backends import backend

if TYPE_CHECKING:
    from moto.cloudformation.models import CloudFormationBackend
    from moto.cloudformation.responses import CloudFormationResponse

_PARSER = "moto.cloudformation.parsing"
_PARSER_NAMES = ("Export", "OutputMap", "ResourceMap")


def import_without_parser() -> None:
    """Import moto's CloudFormation without its template parser, which nothing here uses.

    The parser imports thirty services (0.2 s, 15 MB). Has an effect only when it comes before every
    other import of moto.cloudformation; `install` calls it too.
    """
    if "moto.cloudformation.models" in sys.modules or _PARSER in sys.modules:
        return
    stand_in = types.ModuleType(_PARSER)
    vars(stand_in).update(dict.fromkeys(_PARSER_NAMES, object))
    sys.modules[_PARSER] = stand_in
    try:
        importlib.import_module("moto.cloudformation.models")
    finally:
        del sys.modules[_PARSER]


def install(engine: Engine) -> Callable[[], None]:
    """Have `engine` answer every CloudFormation action. Call once, before moto serves.

    The answer gives moto its own methods back.
    """
    import_without_parser()
    from moto.cloudformation.responses import CloudFormationResponse
    from moto.core.utils import camelcase_to_underscores

    ours: dict[str, Any] = {
        camelcase_to_underscores(action): _answer_with(engine, action) for action in _actions()
    }
    # moto's own transformers expect its Stack and ChangeSet objects
    ours["RESPONSE_KEY_PATH_TO_TRANSFORMER"] = {}
    before = dict(vars(CloudFormationResponse))
    for name, value in ours.items():
        setattr(CloudFormationResponse, name, value)

    def undo() -> None:
        for name in ours:
            if name in before:
                setattr(CloudFormationResponse, name, before[name])
            else:
                delattr(CloudFormationResponse, name)

    return undo


def recover(engine: Engine, made_at: MadeAt) -> list[str]:
    """After saved state was loaded: mark the stacks whose operation was lost (see Engine.recover); their names."""
    from moto.cloudformation.models import cloudformation_backends

    backends = [backend for account in cloudformation_backends.values() for backend in account.values()]
    return [name for backend in backends for name in engine.recover(_store(backend), made_at)]


def store_of(region: str) -> Store:
    """The stacks of a region of the account."""
    return _store(backend("cloudformation", region))


def _actions() -> list[str]:
    """Every action of the service: those that are not emulated must be refused, not left to moto."""
    model = descriptions().load_service_model("cloudformation", "service-2")
    return list(model["operations"])


def _answer_with(engine: Engine, action: str) -> "Callable[[CloudFormationResponse], Any]":
    from moto.core.exceptions import ServiceException
    from moto.core.responses import ActionResult

    class Refused(ServiceException):  # type: ignore[misc]
        """Of our own module: moto looks for a service named like the module of an error."""

    def answer(response: "CloudFormationResponse") -> Any:
        try:
            result = perform(engine, action, response._get_params(), _store(response.cloudformation_backend))
        except ApiError as error:
            raise Refused(error.code, error.message) from error
        return ActionResult(result)

    return answer


def _store(backend: "CloudFormationBackend") -> Store:
    """Our records live in moto's dictionaries, so that its reset and saving reach them."""
    return Store(
        account_id=backend.account_id,
        region=backend.region_name,
        stacks=backend.stacks,
        deleted=backend.deleted_stacks,
        change_sets=backend.change_sets,
    )
