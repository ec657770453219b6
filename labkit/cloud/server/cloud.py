"""All parts of the local cloud, put together: the one module that knows them all.

What belongs here: making the parts, in order, and ending them, in reverse. What does not: what any of
them does, or the process they live in (labkit.cloud.server.server).
"""

import contextlib
import functools
import hmac
import importlib
import secrets
import socket
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from labkit.aws import addresses
from labkit.aws.accounts import FULL, Account
from labkit.aws.records import (
    Caller,
    FunctionRecord,
    InstanceRecord,
    InterfaceRecord,
    InvocationResult,
)
from labkit.base import wsl
from labkit.base.events import Emit
from labkit.cloud.pace import AT_HOME, Pace
from labkit.cloud.server.control import Actions, Control
from labkit.cloud.server.keeper import Keeper
from labkit.cloud.server.keeping import Loaded
from labkit.cloud.server.owner import Owner, listen_on_loopback
from labkit.cloud.server.probing import Probing
from labkit.cloud.server.reconciler import Reconciler, Wanted
from labkit.cloud.web.image_host import ImageHost
from labkit.cloud.web.latency import Latency
from labkit.cloud.web.serving import Server

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    from labkit.cloud.cloudformation.engine import Engine
    from labkit.cloud.door import Door
    from labkit.cloud.functions.service import FunctionService
    from labkit.cloud.instances.disks import Disks
    from labkit.cloud.instances.manager import InstanceManager
    from labkit.cloud.moto_seam.logs import MotoLogs
    from labkit.cloud.network.fabric import Fabric
    from labkit.cloud.ports import AwsAccess, Facts
    from labkit.cloud.server.reports import Reports
    from labkit.cloud.server.roles import Roles
    from labkit.cloud.stores.dynamodb.service import DynamoDB
    from labkit.cloud.stores.s3.service import S3
    from labkit.cloud.web.proxy import Proxy
    from labkit.sandbox.tiers import AnyHost

#: modules that the warm parent imports once, so that instances and functions start in milliseconds
PRELOAD = ("labkit.cloud.functions.runtime.preloaded", "labkit.cloud.instances.system.init")
#: where the proxy is looked for first
_PROXY_PORTS = range(20000, 30000)
#: what one machine bears at once, whatever the account's quota is
CONCURRENCY = 100
#: services that keep what they acknowledge themselves
_STORES = ("dynamodb", "s3")
#: theirs after which the rest is written nonetheless: then something of everything is kept
_FOUND = ("CreateTable", "CreateBucket")


def import_parts() -> None:
    """Import what a Cloud needs, above all moto: most of its start, and free to run beside other waits."""
    from labkit.cloud.moto_seam import cloudformation, start_up

    cloudformation.import_without_parser()
    start_up.import_services()
    for part in (
        "labkit.cloud.cloudformation.engine",
        "labkit.cloud.door",
        "labkit.cloud.endpoints.access",
        "labkit.cloud.functions.service",
        "labkit.cloud.instances.manager",
    ):
        importlib.import_module(part)


class Cloud:
    """A running local cloud. `close()` ends everything in it; also used as a context manager."""

    def __init__(
        self,
        folder: Path,
        sandboxes: "AnyHost",
        emit: Emit,
        account: Account = FULL,
        owner: Owner | None = None,
        loaded: Loaded | None = None,
        pace: Pace = AT_HOME,
    ) -> None:
        """`folder` holds pictures and the machine image; it is made empty by the caller.

        `owner`: whose requests are the account's own, and where they came to before, None for the first time.
        `loaded`: what is kept of this cloud, which goes on from there; None keeps everything in memory.
        `pace`: how late things are.
        """
        self._pace = pace
        self._account, self._owner, self._loaded = account, owner or Owner.make(), loaded
        self._kept = loaded.kept if loaded else None
        #: what could not come back as it was
        self.told: list[str] = []
        self._ending = contextlib.ExitStack()
        with contextlib.ExitStack() as undo:
            undo.push(self._ending)
            self._make(folder, sandboxes, emit)
            undo.pop_all()

    def _make(self, folder: Path, sandboxes: "AnyHost", emit: Emit) -> None:
        from labkit.cloud.moto_seam import cloudformation, facts
        from labkit.cloud.moto_seam.identity import identities, sts_keys
        from labkit.cloud.stores.s3_api import S3Api

        cloudformation.import_without_parser()

        self._sandboxes, self._emit = sandboxes, emit
        self._keeper: Keeper | None = None
        self._ending.callback(self._close_keeper)  # the last to end: it writes what the others leave
        self._serving = Server()
        self._ending.callback(self._serving.close)
        self._buckets = self._make_buckets(folder)
        self._buckets_api = S3Api(self._buckets)
        self._identities = identities.MotoIdentities(
            self._buckets_api, self._owner.keys, self._account.holder, self._pace
        )
        self._credentials = sts_keys.MotoCredentials()
        self._tables = self._make_tables()
        self._door = self._make_door(facts.MotoFacts(self._tables.partition_key, self._tables.tables.tags_of))
        self._fabric = self._make_fabric(sandboxes)
        self._images = ImageHost(folder / "images")
        self._latency = Latency()
        self._ending.callback(self._images.close)
        self._open_internet()
        self._roles = self._make_roles()
        self._logs = self._make_logs()
        self._access = self._make_access(folder)
        self._instances = self._make_instances(folder)
        self._functions = self._make_functions(folder)
        self._engine = self._install_seam()
        self._come_back(self._engine)
        self._reconciler = self._make_reconciler()
        self._probing = self._make_probing()
        self._reports = self._make_reports()
        self._reconciler.wake()

    # -- the parts, each from those before ----------------------------------------------------------

    def _make_door(self, facts: "Facts") -> "Door":
        from moto.moto_server.werkzeug_app import DomainDispatcherApplication

        from labkit.cloud.door import Door, Store
        from labkit.cloud.moto_seam.apps import app_of
        from labkit.cloud.stores.dynamodb_api import DynamoApi

        app = DomainDispatcherApplication(app_of)
        stores: dict[str, Store] = {"dynamodb": DynamoApi(self._tables), "s3": self._buckets_api}
        return Door(app, self._identities, on_change=self._changed, facts=facts, stores=stores)

    def _make_tables(self) -> "DynamoDB":
        from labkit.cloud.stores.dynamodb.service import DynamoDB

        tables = DynamoDB(addresses.ACCOUNT_ID, self._kept.tables if self._kept else None)
        self._ending.callback(tables.close)
        return tables

    def _make_buckets(self, folder: Path) -> "S3":
        from labkit.cloud.stores.s3.service import S3
        from labkit.cloud.stores.s3_functions import Functions

        functions = Functions(self._own_client)
        place = self._kept.buckets if self._kept else folder / "s3"
        buckets = S3(addresses.ACCOUNT_ID, place, durable=self._kept is not None, receiver=functions)
        self._ending.callback(buckets.close)
        self._ending.callback(functions.close)
        return buckets

    def _make_fabric(self, sandboxes: "AnyHost") -> "Fabric":
        from labkit.cloud.server.fabrics import fabric_for

        fabric = fabric_for(sandboxes)
        self._ending.callback(fabric.close)
        return fabric

    def _open_internet(self) -> None:
        """The image host and the packages' index, outside every VPC, at a fixed address."""
        from werkzeug.exceptions import NotFound

        host = InterfaceRecord(addresses.INTERNET, "", "", addresses.IMAGE_HOST_ADDRESS, "", ())
        ports = (addresses.IMAGE_HOST_PORT, addresses.PACKAGE_PORT)
        place = [(addresses.IMAGE_HOST_ADDRESS, port) for port in ports]
        listener, packages = self._fabric.attach(host, listen=place)
        images = self._latency.before("images", self._images)
        self._serving.serve(listener, images, name=addresses.IMAGE_HOST_NAME)
        self._serving.serve(packages, NotFound(), name=addresses.PACKAGE_NAMES[0])

    def _make_roles(self) -> "Roles":
        from labkit.cloud.server.roles import Roles

        return Roles(self._identities, self._fabric.decide, lambda name: self._instances.process_id(name))

    def _make_logs(self) -> "MotoLogs":
        from labkit.cloud.moto_seam.logs import MotoLogs

        logs = MotoLogs(self._roles.allows, self._save_soon, self._pace)
        self._ending.callback(logs.close)
        return logs

    def _make_access(self, folder: Path) -> "AwsAccess":
        """The way to AWS's API from inside: AWS's own names and addresses where packets are real."""
        from labkit.cloud.endpoints.access import access_for

        access = access_for(self._door_inside, self._serving, self._fabric, folder / "trust")
        self._ending.callback(access.shut)
        return access

    def _door_inside(self, caller: Caller, *, secure_transport: bool = True) -> "WSGIApplication":
        from labkit.cloud.cloudformation.bootstrap import Bootstrap
        from labkit.cloud.moto_seam.cloudformation import store_of

        door = self._latency.on_stores(self._door.for_caller(caller, secure_transport=secure_transport))
        return Bootstrap(door, caller, lambda: self._engine, store_of)

    def _make_instances(self, folder: Path) -> "InstanceManager":
        from labkit.cloud.instances.image import build
        from labkit.cloud.instances.manager import InstanceManager, Surroundings
        from labkit.cloud.portable.fabric import PortableFabric

        hides = not isinstance(self._fabric, PortableFabric)
        (folder / "image").mkdir(parents=True)
        manager = InstanceManager(
            Surroundings(
                self._sandboxes, self._fabric, self._credentials, self._serving,
                self._access, build(folder / "image", hides=hides), self._emit, self._powered_off,
                self._make_disks(), self._pace,
            )
        )  # fmt: skip
        self._ending.callback(manager.close)
        return manager

    def _make_disks(self) -> "Disks | None":
        from labkit.cloud.instances.disks import Disks

        if self._kept is None or not self._sandboxes.disks_last:
            return None
        # where Windows keeps the files there are no owners and no sockets: no disk of a Linux
        there = wsl.on_windows_disk(str(self._kept.folder), wsl.read("/proc/mounts"))
        return None if there else Disks(self._kept.disks)

    def _make_functions(self, folder: Path) -> "FunctionService":
        from labkit.cloud.functions.pool import PoolLimits
        from labkit.cloud.functions.service import FunctionService
        from labkit.cloud.moto_seam.functions.lambda_records import code_zip

        service = FunctionService(
            self._sandboxes, self._fabric, self._credentials, self._logs, self._access, code_zip,
            emit=self._emit, folder=folder, before_init=lambda: self._latency.wait("cold"),
            limits=PoolLimits(min(CONCURRENCY, self._account.concurrency)),
        )  # fmt: skip
        self._ending.callback(service.close)
        return service

    def _install_seam(self) -> "Engine":
        from labkit.cloud.cloudformation.engine import Engine
        from labkit.cloud.instances.run_command import RunCommand
        from labkit.cloud.moto_seam import cloudformation
        from labkit.cloud.moto_seam.identity.account import furnish
        from labkit.cloud.moto_seam.install import Hooks, install

        self._commands = RunCommand(self._instances.run_inside, self._save_soon)
        hooks = Hooks(
            invoke=self._invoke,
            console_output=self._instances.console_output,
            instance_status=self._instances.status_check,
            role_allows=self._roles.allows,
            read_object=self._buckets.read_object,
            tagged=lambda region: [*self._buckets.tagged(region), *self._tables.tables.tagged(region)],
            policies=self._identities,
            pace=self._pace,
            commands=self._commands,
            managed=self._roles.reports,
        )
        self._ending.callback(install(hooks, self._account).undo)
        if self._loaded is None or self._loaded.graph is None:
            furnish(self._account)
        self._identities.changed()
        engine = Engine(
            self._own_client, changed=self._save_soon, remember=self._save_now, patience=self._pace.patience
        )
        self._ending.callback(engine.close)
        engine.use_system_tags(self._buckets.put_system_tags)
        self._ending.callback(cloudformation.install(engine))
        return engine

    def _come_back(self, engine: "Engine") -> None:
        """Go on with what is kept, and keep what comes. Says in `told` what is not as it was."""
        if self._loaded is None:
            return
        from labkit.cloud.server.coming_back import come_back

        logs, told = come_back(self._loaded, engine, self._instances, self._made_at)
        self.told += told
        self._commands.put_back(self._loaded.others.get("commands", {}))
        self._keeper = Keeper(
            self._loaded.kept, logs, self._report, lambda: {"commands": self._commands.state()}
        )

    def _made_at(self, service: str, region: str, name: str) -> float | None:
        """When the bucket or table was made."""
        if service == "s3":
            bucket = self._buckets.engine.storage.bucket(name)
            return bucket.made if bucket else None
        return self._tables.tables.made_at(region, name)

    def _close_keeper(self) -> None:
        if self._keeper is not None:
            self._keeper.close()

    def _make_reconciler(self) -> Reconciler:
        from labkit.cloud.moto_seam.ec2.ec2_records import instances
        from labkit.cloud.moto_seam.ec2.network_records import network_state
        from labkit.cloud.moto_seam.functions.lambda_records import functions

        wanted = Wanted(network_state, instances, functions)
        reconciler = Reconciler(wanted, self._fabric, self._instances, self._functions, self._report)
        self._ending.callback(reconciler.close)
        return reconciler

    def _make_probing(self) -> Probing:
        return Probing(
            self._fabric,
            self._images,
            self._credentials,
            lambda: [asdict(call) for call in self._door.writes],
            self._instances.process_id,
            self._reconciler.settle,
            lambda: self._door.faults,
            lambda: (self._door.overseer.access_key_id, self._door.overseer.secret_access_key),
            self._instances.metadata_requests,
            lambda: self._door.needed,
        )

    def _make_reports(self) -> "Reports":
        from labkit.cloud.server.reports import Reports

        settle = self._reconciler.settle
        return Reports(self._fabric, self._instances, self._functions, settle, self._pace, self._keeper)

    # -- what the parts ask of each other -------------------------------------------------------------

    def _changed(self, service: str, operation: str) -> None:
        if service in ("ec2", "lambda"):
            self._reconciler.wake()
        if service == "iam":
            self._identities.changed()
        if service not in _STORES or operation in _FOUND:
            self._save_soon()

    def _save_now(self) -> None:
        if self._keeper is not None:
            self._keeper.flush()

    def _save_soon(self) -> None:
        if self._keeper is not None:
            self._keeper.wake()

    def _invoke(
        self, function: FunctionRecord, payload: bytes, *, invocation_type: str, request_id: str, tail: bool
    ) -> InvocationResult:
        self._reconciler.settle()
        if invocation_type == "Event":
            self._functions.invoke_event(function, payload, request_id=request_id)
            return InvocationResult(b"")
        result: InvocationResult = self._functions.invoke(function, payload, request_id=request_id, tail=tail)
        return result

    def _powered_off(self, record: InstanceRecord) -> None:
        """Shut down from inside: stopped or terminated, as InstanceInitiatedShutdownBehavior says."""
        ec2 = self._own_client("ec2", record.region)
        asked = {"InstanceId": record.instance_id, "Attribute": "instanceInitiatedShutdownBehavior"}
        behaviour = ec2.describe_instance_attribute(**asked)["InstanceInitiatedShutdownBehavior"]["Value"]
        end = ec2.terminate_instances if behaviour == "terminate" else ec2.stop_instances
        end(InstanceIds=[record.instance_id])

    def _report(self, text: str) -> None:
        from labkit.base.events import Event

        self._emit(Event("warning", text))

    @functools.cached_property
    def port(self) -> int:
        """Where the AWS API answers on this machine's loopback; the listener is opened at the first look."""
        from labkit.cloud.door.admission import admit

        listener = listen_on_loopback(self._owner.port)
        port: int = listener.getsockname()[1]
        self._serving.serve(listener, self._on_this_machine(), name="host", admit=admit)
        return port

    @functools.cached_property
    def token(self) -> str:
        """What control requests must carry."""
        return secrets.token_urlsafe(32)

    @functools.cached_property
    def _proxy(self) -> "Proxy":
        """The way from this machine to public addresses; port and password are the same for the next cloud of this owner."""
        from labkit.cloud.endpoints.outside import look_up
        from labkit.cloud.web.proxy import Proxy

        def connect(address: str, port: int, seconds: float) -> socket.socket:
            self._reconciler.settle()
            return self._fabric.connect(addresses.INTERNET, address, port, timeout=seconds)

        secret = hmac.new(self._owner.secret_access_key.encode(), b"proxy", "sha256").hexdigest()
        listener = listen_on_loopback(_PROXY_PORTS[0] + int(secret[:6], 16) % len(_PROXY_PORTS))
        proxy = Proxy(listener, secret, look_up, connect)
        self._ending.callback(proxy.close)
        return proxy

    def _on_this_machine(self) -> "WSGIApplication":
        actions = Actions(
            status=self._reports.status,
            publish=self._images.publish,
            instance=self._reports.describe_instance,
            journal=lambda *asked: list(self._instances.journal(*asked)),
            run_inside=self._instances.run_inside,
            denials=lambda: [asdict(refusal) for refusal in self._door.refusals],
            proxy=lambda: self._proxy.url,
            further=self._probing.answer,
            delay=self._latency.answer,
        )
        return Control(actions, self.token, self._latency.on_invoke(self._door.for_caller(Caller("host"))))

    def _own_client(self, service: str, region: str) -> Any:
        """CloudFormation's clients: they come in through the door like everybody's."""
        from labkit.deploy.targets import Clients, Target

        url = f"http://127.0.0.1:{self.port}"
        return Clients(Target("local", region, url, self._owner.keys)).client(service)

    def close(self) -> None:
        """End every part; the sandboxes' host is the caller's."""
        self._ending.close()

    def __enter__(self) -> "Cloud":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
