"""The service on plain processes: books, limits, endings. What functions see is in tests/aws."""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import replace

import pytest

from labkit.base.errors import SandboxError
from labkit.cloud.functions.environment import State
from labkit.cloud.functions.errors import InvalidCode, ServiceClosed

COUNT = """
count = 0
def lambda_handler(event, context):
    global count
    count += 1
    return count
"""
SLEEP = "import time\ndef lambda_handler(event, context):\n    print('on', flush=True)\n    time.sleep(60)\n"


def open_descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


@pytest.mark.processes
def test_environments_are_kept_and_their_state_is_told(bench) -> None:  # type: ignore[no-untyped-def]
    function = bench.function(COUNT)
    assert [bench.call(function)[0] for _ in range(3)] == [1, 2, 3]
    [environment] = bench.service.environments()
    assert environment.state is State.READY
    assert environment.log_stream in bench.logs.streams or bench.lines()
    assert bench.keys.issued == [(function.role_arn, "f")]


@pytest.mark.processes
def test_everything_is_given_back(benches, tmp_path) -> None:  # type: ignore[no-untyped-def]
    before = open_descriptors()
    bench = benches(folder=tmp_path)
    bench.call(bench.function(COUNT))
    bench.close()
    assert not bench.fabric.interfaces
    assert not bench.access.serving
    assert all(sandbox.wait(0) is not None for sandbox in bench.sandboxes.started)
    assert list(tmp_path.iterdir()) == []
    assert open_descriptors() <= before
    with pytest.raises(ServiceClosed):
        bench.call(bench.function(COUNT))


@pytest.mark.processes
def test_close_ends_a_running_invocation(bench, until: Callable[..., None]) -> None:  # type: ignore[no-untyped-def]
    function = bench.function(SLEEP)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(bench.call(function)[0]["errorType"]))
    thread.start()
    until(lambda: bench.sandboxes.started, what="a started environment")
    began = time.monotonic()
    bench.close()
    thread.join()
    assert time.monotonic() - began < 10
    assert answers == ["Runtime.ExitError"]
    assert not bench.fabric.interfaces


@pytest.mark.processes
def test_a_changed_revision_ends_idle_environments(bench) -> None:  # type: ignore[no-untyped-def]
    function = bench.function(COUNT)
    bench.call(function)
    bench.service.reconcile([replace(function, revision="2")])
    assert bench.service.environments() == []
    bench.service.flush()
    assert not bench.fabric.interfaces


@pytest.mark.processes
def test_a_changed_revision_lets_a_busy_environment_finish(bench, until: Callable[..., None]) -> None:  # type: ignore[no-untyped-def]
    source = "import time\ndef lambda_handler(event, context):\n    time.sleep(0.5)\n    return 'done'\n"
    function = bench.function(source)
    answers: list[object] = []
    thread = threading.Thread(target=lambda: answers.append(bench.call(function)[0]))
    thread.start()
    until(lambda: [e.state for e in bench.service.environments()] == [State.BUSY], what="a busy environment")
    bench.service.reconcile([])
    thread.join()
    assert answers == ["done"]
    assert bench.service.environments() == []


@pytest.mark.processes
def test_idle_environments_over_the_number_kept_end(benches, limits, until: Callable[..., None]) -> None:  # type: ignore[no-untyped-def]
    bench = benches(limits=limits(keep_idle=1, idle_seconds=0.2))
    source = "import time\ndef lambda_handler(event, context):\n    time.sleep(event)\n"
    function = bench.function(source)
    threads = [threading.Thread(target=bench.call, args=(function, 1)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    until(lambda: len(bench.service.environments()) == 1, what="one environment left")
    bench.service.flush()
    assert len(bench.fabric.interfaces) == 1


@pytest.mark.processes
def test_credentials_that_end_soon_are_not_used_again(bench) -> None:  # type: ignore[no-untyped-def]
    bench.keys.seconds = 100
    function = bench.function(COUNT)
    assert [bench.call(function)[0] for _ in range(2)] == [1, 1]


def test_a_machine_that_refuses_leaves_nothing(bench) -> None:  # type: ignore[no-untyped-def]
    bench.sandboxes.error = SandboxError("no namespaces", hint="allow them")
    before = open_descriptors()
    for _ in range(3):
        with pytest.raises(SandboxError, match="no namespaces"):
            bench.call(bench.function(COUNT))
    bench.service.flush()
    assert bench.service.environments() == []
    assert not bench.fabric.interfaces
    assert open_descriptors() == before


def test_code_that_can_not_be_unpacked_leaves_nothing(benches, tmp_path) -> None:  # type: ignore[no-untyped-def]
    bench = benches(folder=tmp_path)
    function = bench.function(COUNT)
    bench.packages[function.arn] = b"no zip"
    with pytest.raises(InvalidCode):
        bench.call(function)
    [root] = tmp_path.iterdir()
    assert list(root.iterdir()) == []


@pytest.mark.processes
def test_code_of_functions_that_are_gone_is_removed(benches, tmp_path) -> None:  # type: ignore[no-untyped-def]
    bench = benches(folder=tmp_path)
    function = bench.function(COUNT)
    bench.call(function)
    [root] = tmp_path.iterdir()
    assert len(list(root.iterdir())) == 1
    bench.service.reconcile([])
    bench.service.flush()
    bench.service.reconcile([])
    bench.service.flush()
    assert list(root.iterdir()) == []


@pytest.mark.processes
def test_logs_are_written_with_the_role(bench) -> None:  # type: ignore[no-untyped-def]
    bench.call(bench.function(COUNT))
    bench.service.flush()
    role = "arn:aws:iam::123456789012:role/r"
    assert bench.logs.written == [{"role_arn": role, "region": "ap-south-1", "group": "/aws/lambda/f"}]
