"""CloudFormation of the local cloud: what the rest of the cloud makes, calls and closes.

What belongs here: threads, one per stack operation, and clients. What does not: what the actions do.
"""

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from labkit.aws.templates.errors import Stopped
from labkit.cloud.cloudformation.prepare import ClientFactory
from labkit.cloud.cloudformation.records import StackRecord, StackResource, Store
from labkit.cloud.cloudformation.resources.registry import HANDLERS
from labkit.cloud.cloudformation.signals import Signals
from labkit.cloud.cloudformation.work import SystemTags, Tools

#: (service, region, name) → when a bucket or table was made, in seconds since the epoch; None where there is none
MadeAt = Callable[[str, str, str], float | None]
_INTERRUPTED = "The local cloud was stopped during the operation."


@dataclass(frozen=True)
class _Running:
    thread: threading.Thread
    stop: threading.Event


class Engine:
    """Carries out stack operations in the background, through clients of the AWS API.

    `client` makes a boto3 client for (service, region); each is made once. Actions come in through
    labkit.cloud.cloudformation.api.perform.
    """

    def __init__(
        self,
        client: ClientFactory,
        *,
        changed: Callable[[], None] = lambda: None,
        remember: Callable[[], None] = lambda: None,
        patience: float = 0.0,
    ) -> None:
        """`changed` is called when an operation has ended; `remember` and `patience`: see Tools."""
        self._make_client, self._changed, self._remember = client, changed, remember
        self._patience = patience
        self._clients: dict[tuple[str, str], Any] = {}
        self._clients_lock = threading.Lock()
        self._running: dict[str, _Running] = {}
        self._system_tags: SystemTags = _no_system_tags
        self._closed = threading.Event()
        self.signals = Signals()
        self.lock = threading.RLock()  # held while an action decides whether an operation may start

    def use_system_tags(self, put: SystemTags) -> None:
        """Have `put` called for tags that S3 takes from AWS itself only."""
        self._system_tags = put

    def client(self, service: str, region: str) -> Any:
        """The boto3 client of a service in a region."""
        with self._clients_lock:
            if (service, region) not in self._clients:
                self._clients[service, region] = self._make_client(service, region)
            return self._clients[service, region]

    def tools(self, stop: threading.Event | None = None) -> Tools:
        """What a worker needs; without `stop` for a look that starts nothing."""
        return Tools(
            self.client,
            self._system_tags,
            stop or threading.Event(),
            self.signals,
            self._remember,
            self._patience,
        )

    def start(self, stack: StackRecord, work: Callable[[Tools], None]) -> None:
        """Run `work` in a thread of its own; an operation still under way on the stack ends first."""
        stop = threading.Event()
        with self.lock:
            previous = self._running.get(stack.stack_id)
            if previous:
                previous.stop.set()
            thread = threading.Thread(
                target=self._run,
                args=(stack, work, self.tools(stop), previous),
                name=f"cloudformation-{stack.name}",
                daemon=True,
            )
            self._running[stack.stack_id] = _Running(thread, stop)
            if self._closed.is_set():
                stop.set()
            thread.start()

    def _run(
        self, stack: StackRecord, work: Callable[[Tools], None], tools: Tools, previous: _Running | None
    ) -> None:
        if previous:
            previous.thread.join()
        try:
            work(tools)
        except Stopped:
            if self._closed.is_set():
                _interrupt(stack)
        except Exception as error:  # the thread's edge: the stack must not stay "in progress" for ever
            stack.set_status(_failed_status(stack.status), f"Internal failure of the local cloud: {error!r}")
            raise
        finally:
            self._forget(stack.stack_id, tools.stop)
            self._changed()

    def _forget(self, stack_id: str, stop: threading.Event) -> None:
        with self.lock:
            running = self._running.get(stack_id)
            if running and running.stop is stop:
                del self._running[stack_id]

    def wait(self, stack_id: str, seconds: float) -> bool:
        """Wait for the operation on a stack to end; whether it did."""
        running = self._running.get(stack_id)
        if running:
            running.thread.join(seconds)
        return running is None or not running.thread.is_alive()

    def recover(self, store: Store, made_at: MadeAt) -> list[str]:
        """After a restart: stacks whose operation nobody carries on are marked failed; their names.

        What a lost operation had begun to make in a store, and `made_at` knows, is the stack's.
        """
        with self.lock:
            lost = [
                item for item in store.stacks.values() if item.busy and item.stack_id not in self._running
            ]
            for stack in lost:
                for resource in stack.resources.values():
                    _adopt(resource, stack.region, made_at)
                _interrupt(stack)
        return [stack.name for stack in lost]

    def close(self, seconds: float = 10) -> None:
        """End every operation where it stands, and wait for its thread."""
        self._closed.set()
        with self.lock:
            running = list(self._running.values())
        for item in running:
            item.stop.set()
        for item in running:
            item.thread.join(seconds)
        for client in self._clients.values():
            client.close()


def _adopt(resource: StackResource, region: str, made_at: MadeAt) -> None:
    """Give a resource whose making was begun the id of what was made since, under the name that it was to have."""
    handler = HANDLERS[resource.declaration.kind]
    name = str(resource.properties.get(handler.name_property, ""))
    if resource.status.endswith("_IN_PROGRESS") and not resource.physical_id and name:
        made = made_at(handler.service, region, name)
        if made is not None and made >= int(resource.timestamp.timestamp()):
            resource.physical_id = name


def _interrupt(stack: StackRecord) -> None:
    if stack.busy:
        stack.set_status(_failed_status(stack.status), _INTERRUPTED)


def _failed_status(status: str) -> str:
    """CREATE_IN_PROGRESS to CREATE_FAILED, and so on."""
    return status.removesuffix("_IN_PROGRESS").removesuffix("_COMPLETE_CLEANUP") + "_FAILED"


def _no_system_tags(_: str, __: Mapping[str, str]) -> None:
    """Nobody can put them: they are left out."""
