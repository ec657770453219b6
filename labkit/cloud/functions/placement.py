"""Where an environment runs: its network interface, its sockets, its code, its credentials.

What belongs here: getting these from the parts that own them, and giving them back. What does not: the
process that runs there (see process) and what it is told (see variables).
"""

import contextlib
import os
import socket
import time
from dataclasses import dataclass
from pathlib import Path

from labkit.aws.addresses import RUNTIME_ADDRESS, RUNTIME_PORT
from labkit.aws.records import Caller, Credentials, FunctionRecord, InterfaceRecord
from labkit.cloud.functions.code import CodeStore
from labkit.cloud.functions.environment import Environment
from labkit.cloud.functions.process import RuntimeProcess
from labkit.cloud.functions.variables import BOOTSTRAP, has_own_runtime, sandbox_spec
from labkit.cloud.ports import AwsAccess, CredentialIssuer, Fabric, Sandboxes

#: how long a role's credentials in an environment are good
CREDENTIAL_SECONDS = 12 * 3600

_RUNTIME = (RUNTIME_ADDRESS, RUNTIME_PORT)


@dataclass(frozen=True)
class Surroundings:
    """The parts of the cloud that environments need."""

    sandboxes: Sandboxes
    fabric: Fabric
    credentials: CredentialIssuer
    access: AwsAccess
    code: CodeStore


class Placement:
    """The place of one environment. Made at once; `close` gives everything back, also half-way."""

    def __init__(self, environment: Environment, surroundings: Surroundings) -> None:
        """Raises InvalidCode, and what the network and the credential issuer raise."""
        self._environment = environment
        self._around = surroundings
        self._undo = contextlib.ExitStack()
        try:
            self._code = self._take_code()
            self._listener = self._attach()
            self._credentials = self._issue()
        except BaseException:
            self._undo.close()
            raise

    @property
    def expires_at(self) -> float:
        """When its credentials end (seconds since the epoch)."""
        return self._credentials.expires_at

    def has_entry(self) -> bool:
        """Whether there is a program to start: a package's own must be executable."""
        own = self._code / Path(BOOTSTRAP).name
        return not has_own_runtime(self._environment.function) or (own.is_file() and os.access(own, os.X_OK))

    def start(self) -> RuntimeProcess:
        """Start a runtime here; a second one only after the first has been closed."""
        environment = self._environment
        spec = sandbox_spec(
            environment.function,
            name=environment.name,
            log_stream=environment.log_stream,
            code=self._code,
            credentials=self._credentials,
            access=self._around.access,
        )
        return RuntimeProcess(
            lambda output: self._around.sandboxes.start(spec, stdout=output, stderr=output),
            self._listener,
            lambda: time.time_ns() // 1_000_000,
        )

    def close(self) -> None:
        """Give back sockets, interface and code."""
        self._undo.close()

    def _take_code(self) -> Path:
        function = self._environment.function
        code = self._around.code.acquire(function)
        self._undo.callback(self._around.code.release, function)
        return code

    def _attach(self) -> socket.socket:
        name, function = self._environment.name, self._environment.function
        access = self._around.access
        runtime_listener, *sockets = self._around.fabric.attach(
            _interface(name, function),
            loopback=access.loopback,
            listen=(_RUNTIME, *access.listen),
            datagrams=access.datagrams,
        )
        self._undo.callback(self._around.fabric.detach, name)
        self._undo.callback(runtime_listener.close)
        access.open(name, Caller("function", function.arn), sockets)
        self._undo.callback(access.close, name)
        return runtime_listener

    def _issue(self) -> Credentials:
        function = self._environment.function
        return self._around.credentials.issue(function.role_arn, function.name, seconds=CREDENTIAL_SECONDS)


def _interface(name: str, function: FunctionRecord) -> InterfaceRecord:
    """In a VPC: an address of the first subnet. Outside any: on the internet's side."""
    subnet = function.subnet_ids[0] if function.subnet_ids else ""
    return InterfaceRecord(
        name=name,
        vpc_id=function.vpc_id,
        subnet_id=subnet,
        address="",
        public_ip="",
        security_group_ids=function.security_group_ids,
    )
