"""Rows 1 to 4 of the figures beside ministack, the fastest peer, and the floor, all three in turn in one run.

ministack is an extra of this bench and no dependency of anything: LAB_MINISTACK names its program, for example
.lab/ministack/bin/ministack after `python3 -m venv .lab/ministack && .lab/ministack/bin/pip install ministack`.

What belongs here: that comparison. What does not: rows that no peer has (the whole path, a server's boot).
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from bench import sections
from bench.floor import ANYBODY, Floor
from bench.measuring import Figure, figure, stopwatch, timed
from labkit.base.errors import UsageError
from labkit.deploy.targets import Clients, Target

REGION = sections.REGION
ROUNDS, COLD_ROUNDS, START_SECONDS = 200, 8, 30.0
#: clients at once, calls of each in a round, rounds
CROWD, CROWD_CALLS, CROWD_ROUNDS = 8, 20, 3
Act = Callable[[Clients], None]


def peer() -> list[Figure]:
    """The same acts on ministack, on this cloud, and against the floor. Raises UsageError without ministack."""
    with sections.lab_cloud() as (_, local), ministack() as url, Floor() as floor:
        ours, theirs = sections.clients_of(local), Clients(Target("local", REGION, url, ANYBODY))
        stub = Clients(floor.target(REGION))
        for clients in (ours, theirs):
            sections.furnish(clients)
            sections.put_thousand(clients)
            sections.put_twenty(clients)
            sections.make_function(clients)
        rows: list[tuple[str, Act, str]] = [
            ("DynamoDB PutItem", sections.put_item, "< 3.0 ms"),
            ("DynamoDB GetItem", sections.get_item, ""),
            ("DynamoDB UpdateItem", sections.update_item, ""),
            ("DynamoDB Query of 20", sections.query, ""),
            ("S3 PutObject 100 KB", sections.put_object, "< 4.9 ms"),
            ("S3 GetObject 100 KB", sections.get_object, ""),
            ("S3 ListObjectsV2 of 1,000", sections.list_objects, ""),
            ("warm Lambda invoke", sections.invoke, "< 4 ms"),
        ]
        found = [each for row in rows for each in _side_by_side(row, ours, theirs, stub)]
        crowded = [each for row in rows for each in _crowded(row, ours.target, theirs.target)]
        return [*found, *crowded, *_cold(ours, theirs)]


@contextmanager
def ministack() -> Iterator[str]:
    """A running ministack's URL."""
    program = os.environ.get("LAB_MINISTACK") or shutil.which("ministack")
    if not program:
        raise UsageError("There is no ministack here.", hint="Install it apart and name it: LAB_MINISTACK=…")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with tempfile.TemporaryDirectory() as folder:
        environment = {
            "PATH": os.environ["PATH"], "HOME": folder, "GATEWAY_PORT": str(port), "EDGE_PORT": str(port),
            "MINISTACK_HOST": "127.0.0.1", "PERSIST_STATE": "0",
        }  # fmt: skip
        process = subprocess.Popen(
            [os.path.abspath(program)],
            env=environment,
            cwd=folder,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            _await(port, process)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait()


def _await(port: int, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket() as trying:
            if trying.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise UsageError("ministack did not start.", hint="Start it by hand and see what it says.")


def _side_by_side(row: tuple[str, Act, str], ours: Clients, theirs: Clients, stub: Clients) -> list[Figure]:
    name, act, aim = row
    for clients in (ours, theirs, stub):
        timed(lambda c=clients: act(c), 20)  # type: ignore[misc]
    mine, peers, floors = [], [], []
    for _ in range(ROUNDS):  # in turn, so that a drift of the machine's speed meets all alike
        mine += timed(lambda: act(ours), 1)
        peers += timed(lambda: act(theirs), 1)
        floors += timed(lambda: act(stub), 1)
    return [
        figure(name, mine, floor=floors, aim=aim),
        figure(f"{name}, ministack", peers, floor=floors),
    ]


def _crowded(row: tuple[str, Act, str], ours: Target, theirs: Target) -> list[Figure]:
    """A call's time while CROWD clients call, each with a connection of its own."""
    name, act, _ = row
    found: dict[str, list[float]] = {"": [], ", ministack": []}
    for _ in range(CROWD_ROUNDS):  # in turn, as above
        for which, target in zip(found, (ours, theirs), strict=True):
            found[which] += _calls(act, [Clients(target) for _ in range(CROWD)])
    return [figure(f"{name}, {CROWD} clients{which}", times) for which, times in found.items()]


def _calls(act: Act, crowd: list[Clients]) -> list[float]:
    for clients in crowd:
        act(clients)
    with ThreadPoolExecutor(len(crowd)) as pool:
        return [
            each for times in pool.map(lambda c: timed(lambda: act(c), CROWD_CALLS), crowd) for each in times
        ]


def _cold(ours: Clients, theirs: Clients) -> list[Figure]:
    found: list[Figure] = []
    for name, clients, aim in (("", ours, "< 60 ms"), (", ministack", theirs, "")):
        times: list[float] = []
        for number in range(COLD_ROUNDS):
            settings = {"Variables": {"ROUND": str(number)}}
            clients.client("lambda").update_function_configuration(FunctionName="bench", Environment=settings)
            with stopwatch(times):
                sections.invoke(clients)
        found.append(figure(f"cold Lambda invoke{name}", times, aim=aim))
    return found
