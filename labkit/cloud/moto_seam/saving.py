"""Moto's whole state as one graph of objects that can be written down and read again.

What belongs here: which objects those are, how the few are written that Python's pickle can't, and one instant for all
of them. What does not: files (labkit.cloud.server.keeping), the events of logs, which only grow (saved_logs).

The graph names classes and functions of moto and of the kit, and holds no code: it is good for the version of both that
wrote it.
"""

import contextlib
import copyreg
import importlib
import inspect
import io
import pickle
import sys
import time
import types
import weakref
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
)

from labkit.aws.addresses import ACCOUNT_ID
from labkit.cloud.moto_seam.one_at_a_time import between_requests

#: functions' code of this length is told apart from the graph: it is written once, not each time
LARGE = 64 * 1024
_LOCAL = ".<locals>."
#: seconds for which a thread may go on where others wait: longer than writing a graph takes
_UNDISTURBED = 10.0

#: service → region → moto's backend
Graph = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Written:
    """A graph as bytes, and the large values in it, in the order in which it names them."""

    data: bytes
    large: Sequence[bytes | str]


def write(collect: Callable[[], None], others: Callable[[], Mapping[str, Any]] = dict) -> Written:
    """Everything that moto knows at one instant, and what `others` tells; `collect` is called in the same instant.

    Raises pickle.PicklingError and its kin for what can't be written.
    """
    file, large = io.BytesIO(), _Large()
    writer = pickle.Pickler(file, pickle.HIGHEST_PROTOCOL)
    # a table for the pickler in C: asking a function of ours about each object would take four times as long
    writer.dispatch_table = {**copyreg.dispatch_table, **_reducers(), **large.reducers()}
    with between_requests(), _one_instant():
        collect()
        writer.dump((_state(), others()))
    return Written(file.getvalue(), large.values)


def read(written: Written) -> tuple[Graph, Mapping[str, Any]]:
    """The graph, in no use yet, and what the others told. Raises whatever broken data makes of it."""
    token = _reading.set(written.large)
    try:
        graph, others = pickle.loads(written.data)
    finally:
        _reading.reset(token)
    return graph, others


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


# -- large values ------------------------------------------------------------------------------------------

#: those of the graph that is being read
_reading: ContextVar[Sequence[bytes | str]] = ContextVar("large values")


class _Large:
    """The large values of a graph that is being written."""

    def __init__(self) -> None:
        self.values: list[bytes | str] = []
        self._numbers: dict[int, int] = {}

    def reducers(self) -> Mapping[type, Callable[[Any], Any]]:
        """How those are written that have some."""
        from moto.awslambda.models import LambdaFunction, LayerVersion

        return {
            LambdaFunction: self._reduce_code,
            LayerVersion: self._reduce_code,
            _Apart: lambda apart: (_read_large, (self._number(apart.value),)),
        }

    def _reduce_code(self, thing: Any) -> Any:
        code = thing.__getstate__() if "__getstate__" in vars(type(thing)) else vars(thing)
        state = {name: _apart(value) for name, value in code.items()}
        if isinstance(code.get("code"), dict):
            state["code"] = {name: _apart(value) for name, value in code["code"].items()}
        return copyreg.__newobj__, (type(thing),), state  # type: ignore[attr-defined]

    def _number(self, value: bytes | str) -> int:
        if id(value) not in self._numbers:
            self._numbers[id(value)] = len(self.values)
            self.values.append(value)
        return self._numbers[id(value)]


@dataclass(frozen=True)
class _Apart:
    value: bytes | str


def _apart(value: Any) -> Any:
    return _Apart(value) if type(value) in (bytes, str) and len(value) >= LARGE else value


def _read_large(number: int) -> bytes | str:
    return _reading.get()[number]


# -- what pickle can't write -----------------------------------------------------------------------------


def _reducers() -> dict[type, Callable[[Any], Any]]:
    from moto.logs.models import LogStream
    from moto.resourcegroupstaggingapi.models import ResourceGroupsTaggingAPIBackend
    from moto.ssm.models import ParameterDict

    return {
        weakref.WeakValueDictionary: lambda known: (weakref.WeakValueDictionary, (dict(known),)),
        defaultdict: _reduce_defaultdict,
        ParameterDict: _reduce_parameters,
        LogStream: lambda stream: _without(stream, events=[]),
        # pages are generators under way: a token of before has expired
        ResourceGroupsTaggingAPIBackend: lambda tagging: _without(tagging, _pages={}),
        **dict.fromkeys(_key_holders(), _reduce_key_holder),
    }


def _without(thing: Any, **left_out: Any) -> Any:
    """As it is, but for these attributes."""
    return copyreg.__newobj__, (type(thing),), {**vars(thing), **left_out}  # type: ignore[attr-defined]


def _reduce_parameters(known: Any) -> Any:
    """A dict that is made with other arguments than pickle thinks."""
    return type(known), (known.account_id, known.region_name), vars(known), None, iter(known.items())


def _key_holders() -> Sequence[type]:
    """Moto's classes that hold a private key, where KMS has been asked for anything."""
    kms = sys.modules.get("moto.kms.utils")
    return [kms.RSAPrivateKey, kms.ECDSAPrivateKey] if kms else []


def _reduce_key_holder(holder: Any) -> Any:
    key = holder.private_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return _key_holder, (type(holder), {**vars(holder), "private_key": key})


def _key_holder(kind: type, state: dict[str, Any]) -> Any:
    holder: Any = object.__new__(kind)
    vars(holder).update(state, private_key=load_der_private_key(state["private_key"], None))
    return holder


def _reduce_defaultdict(known: defaultdict[Any, Any]) -> Any:
    """With a factory that was made inside a function, told by its place there."""
    make = known.default_factory
    made = _local(make) if isinstance(make, types.FunctionType) else None
    again = (defaultdict, (make,)) if made is None else (_defaultdict, made)
    return (*again, None, None, iter(known.items()))


def _defaultdict(module: str, outside: str, number: int) -> defaultdict[Any, Any]:
    return defaultdict(_local_function(module, outside, number))


def _local(function: types.FunctionType) -> tuple[str, str, int] | None:
    """Module, the function outside, and the place in it; None for one that has a name of its own."""
    outside, local, _ = function.__qualname__.rpartition(_LOCAL)
    if not local:
        return None
    if function.__closure__:
        raise pickle.PicklingError(f"{function.__qualname__} can't be written: it holds variables")
    return function.__module__, outside, _codes(_found(function.__module__, outside)).index(function.__code__)


def _local_function(module: str, outside: str, number: int) -> types.FunctionType:
    code = _codes(_found(module, outside))[number]
    return types.FunctionType(code, vars(sys.modules[module]), name=code.co_name)


def _found(module: str, path: str) -> Any:
    thing: Any = importlib.import_module(module)
    for name in path.split("."):
        thing = inspect.unwrap(getattr(thing, name))
    return thing


def _codes(function: Any) -> list[types.CodeType]:
    return [each for each in function.__code__.co_consts if isinstance(each, types.CodeType)]
