"""Work that plain moto does again for each request, done once.

What belongs here: replacements that change no answer, only what it costs. What does not: corrections.
Figures (median of one request through moto's WSGI application, without network) are in bench/.
"""

import functools
import secrets
from typing import Any
from urllib.parse import parse_qsl

from labkit.cloud.moto_seam.replacing import Replacements


def speed_up(replacements: Replacements) -> None:
    """Remember what never changes, and leave out what has no effect."""
    import moto.backends as backends
    import moto.core.common_models as models
    import moto.core.errors as errors
    import moto.core.responses as responses
    import moto.utilities.aws_headers as headers
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication

    # moto lists its own directory, with a stat for each of 180 services, up to twice a request
    modules = frozenset(backends.list_of_moto_modules())
    replacements.put(backends, "list_of_moto_modules", lambda: modules)
    remember = functools.lru_cache(maxsize=1024)
    find_backend = DomainDispatcherApplication.get_backend_for_host
    replacements.put(DomainDispatcherApplication, "get_backend_for_host", remember(find_backend))
    replacements.put(responses, "method_names_from_class", remember(responses.method_names_from_class))
    replacements.put(responses, "parse_qsl", _parse_form)
    for module in (headers, responses):
        replacements.put(module, "gen_amzn_requestid_long", _request_id)
    # moto keeps every object it ever made in a list, the bytes of deleted S3 objects among them
    replacements.put(models.BaseModel, "__new__", staticmethod(_untracked))
    # moto makes the table of a service's errors anew for each error
    replacements.put(errors.ErrorLookupFactory, "for_service", lambda _, description: errors_of(description))


@functools.lru_cache(maxsize=64)
def errors_of(description: Any) -> Any:
    """Moto's table of the errors in a service's description, by their codes."""
    from moto.core.errors import ErrorLookupFactory

    return ErrorLookupFactory._create_error_lut(description)


def _untracked(cls: type[Any], *_args: Any, **_kwargs: Any) -> Any:
    return object.__new__(cls)


def _parse_form(body: str, **kwargs: Any) -> list[tuple[str, str]]:
    """The fields of a form; a JSON body has none, and looking for them costs as much as the request."""
    return [] if body[:1] == "{" else parse_qsl(body, **kwargs)


def _request_id(headers: dict[str, Any] | None = None) -> str:
    """52 characters, as moto's own, from one call for randomness; an id that is there already stays."""
    request_id = secrets.token_hex(26).upper()
    if headers is not None:
        return str(headers.setdefault("x-amzn-requestid", request_id))
    return request_id
