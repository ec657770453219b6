"""Moto's whole state as one graph of objects that can be written down and read again.

What belongs here: which objects those are, how the few are written that Python's pickle can't, and one instant for all
of them. What does not: files (labkit.cloud.server.keeping), the events of logs, which only grow (saved_logs).

The graph names classes and functions of moto and of the kit, and holds no code: it is good for the version of both that
wrote it.
"""

import contextlib
import copyreg
import functools
import importlib
import inspect
import io
import pickle
import sys
import time
import types
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from labkit.aws.addresses import ACCOUNT_ID
from labkit.cloud.moto_seam.one_at_a_time import between_requests

#: texts and bytes of this length are told apart from the graph: they are written once, not each time
LARGE = 64 * 1024
_LOCAL = ".<locals>."
_KEYS = get_args(PrivateKeyTypes)
#: seconds for which a thread may go on where others wait: longer than writing a graph takes
_UNDISTURBED = 10.0

#: service → region → moto's backend
Graph = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Written:
    """A graph as bytes, and the large values in it, in the order in which it names them."""

    data: bytes
    large: Sequence[bytes | str]


def write(collect: Callable[[], None]) -> Written:
    """Everything that moto knows at one instant; `collect` is called in the same instant.

    Raises pickle.PicklingError and its kin for what can't be written.
    """
    _reducers()  # imports, which would let others run
    with between_requests(), _one_instant():
        collect()
        file = io.BytesIO()
        writer = _Writer(file)
        writer.dump(_state())
    return Written(file.getvalue(), writer.large)


def read(written: Written) -> Graph:
    """The graph, in no use yet. Raises whatever broken data makes of it."""
    reader = _Reader(io.BytesIO(written.data))
    reader.large = written.large
    graph: Graph = reader.load()
    return graph


def put_back(graph: Graph) -> None:
    """Make it moto's state, where nothing is yet."""
    for name, backends in graph.items():
        table = _table_of(name)[ACCOUNT_ID]
        for region, backend in backends.items():
            table[region] = backend


@contextlib.contextmanager
def _one_instant() -> Iterator[None]:
    """No other thread of Python runs during the body, as long as that waits for nothing."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(_UNDISTURBED)
    try:
        time.sleep(0)  # whoever has waited since before has its turn now
        yield
    finally:
        sys.setswitchinterval(before)


def _state() -> Graph:
    from moto.core.base_backend import BackendDict

    return {_name_of(each): dict(each[ACCOUNT_ID].items()) for each in list(BackendDict._instances)}


def _name_of(table: Any) -> str:
    """Where moto keeps the table: its module, and the name in it."""
    module = sys.modules[table.backend.__module__]
    return next(f"{module.__name__}:{name}" for name, value in vars(module).items() if value is table)


def _table_of(name: str) -> Any:
    module, _, table = name.partition(":")
    return getattr(importlib.import_module(module), table)


class _Writer(pickle.Pickler):
    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.large: list[bytes | str] = []
        self._numbers: dict[int, int] = {}

    def persistent_id(self, thing: Any) -> int | None:
        """The number of a large value."""
        if type(thing) not in (bytes, str) or len(thing) < LARGE:
            return None
        if id(thing) not in self._numbers:
            self._numbers[id(thing)] = len(self.large)
            self.large.append(thing)
        return self._numbers[id(thing)]

    def reducer_override(self, thing: Any) -> Any:
        """How a thing is made again."""
        if isinstance(thing, types.FunctionType):
            return _reduce_function(thing)
        if isinstance(thing, _KEYS):
            return _reduce_key(thing)
        reduce = _reducers().get(type(thing))
        return reduce(thing) if reduce else NotImplemented


class _Reader(pickle.Unpickler):
    large: Sequence[bytes | str] = ()

    def persistent_load(self, number: Any) -> bytes | str:
        """The large value of this number."""
        value: bytes | str = self.large[number]
        return value


# -- what pickle can't write -----------------------------------------------------------------------------


@functools.cache
def _reducers() -> Mapping[type, Callable[[Any], Any]]:
    from moto.logs.models import LogStream
    from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
    from moto.ssm.models import ParameterDict

    return {
        weakref.WeakValueDictionary: lambda known: (weakref.WeakValueDictionary, (dict(known),)),
        ParameterDict: _reduce_parameters,
        LogStream: lambda stream: _without(stream, events=[]),
        # pages are generators under way: a token of before has expired
        ResourceGroupsTaggingAPIBackend: lambda tagging: _without(tagging, _pages={}),
    }


def _reduce_parameters(known: Any) -> Any:
    """A dict that is made with other arguments than pickle thinks."""
    return type(known), (known.account_id, known.region_name), vars(known), None, iter(known.items())


def _without(thing: Any, **left_out: Any) -> Any:
    """As it is, but for these attributes."""
    return copyreg.__newobj__, (type(thing),), {**vars(thing), **left_out}  # type: ignore[attr-defined]


def _reduce_key(key: PrivateKeyTypes) -> Any:
    """A key of KMS."""
    return _key, (key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()),)


def _key(data: bytes) -> PrivateKeyTypes:
    return load_der_private_key(data, None)


def _reduce_function(function: types.FunctionType) -> Any:
    """One that was made inside another (the factory of a defaultdict), by its place there; the rest by their names."""
    outside, local, _ = function.__qualname__.rpartition(_LOCAL)
    if not local:
        return NotImplemented
    if function.__closure__:
        raise pickle.PicklingError(f"{function.__qualname__} can't be written: it holds variables")
    number = _codes(_found(function.__module__, outside)).index(function.__code__)
    return _local_function, (function.__module__, outside, number)


def _local_function(module: str, outside: str, number: int) -> types.FunctionType:
    code = _codes(_found(module, outside))[number]
    return types.FunctionType(code, vars(sys.modules[module]))


def _found(module: str, path: str) -> Any:
    thing: Any = importlib.import_module(module)
    for name in path.split("."):
        thing = inspect.unwrap(getattr(thing, name))
    return thing


def _codes(function: Any) -> list[types.CodeType]:
    return [each for each in function.__code__.co_consts if isinstance(each, types.CodeType)]
