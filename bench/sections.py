"""What is measured, section by section; each returns its figures.

What belongs here: the measured acts. What does not: how they are timed (bench.measuring).
"""

import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import labkit
from bench.engines import engines as engines
from bench.floor import Floor
from bench.grading import grading as grading
from bench.grading import many as many
from bench.measuring import Figure, figure, paired, stopwatch, timed
from labkit.base.events import ignore
from labkit.cloud.client.lifecycle import LocalCloud
from labkit.course.manifest import load
from labkit.deploy.targets import Clients
from labkit.lesson.context import Context
from labkit.lesson.engine import run_step
from labkit.lesson.model import Options, Places

ROOT = Path(labkit.__file__).resolve().parent.parent
REGION = load(ROOT).region
STUDENT = "bench@lab.example"
BODY = os.urandom(100_000)


def commands() -> list[Figure]:
    """How long a person waits for a command that does nothing yet."""
    python = [sys.executable, "-c", "pass"]
    helped = [sys.executable, str(ROOT / "steps" / "03_deploy.py"), "--help"]
    mine, floor = paired(lambda: quiet(helped), lambda: quiet(python), 15)
    return [figure("step --help (floor: python -c pass)", mine, floor=floor, aim="< 1 s")]


def demo() -> list[Figure]:
    """The whole demo, its own cloud included."""
    times = timed(lambda: quiet(["/bin/sh", str(ROOT / "lab"), "demo"]), 3)
    return [figure("make demo after set-up", times, aim="< 30 s")]


def cloud() -> list[Figure]:
    """Start of the cloud, a stack's life, boot, memory."""
    first, services = [], []
    for _ in range(3):
        with lab_cloud() as (_, local):
            local.stop()
            with stopwatch(first):
                clients = clients_of(local)
                clients.client("sts").get_caller_identity()
            with stopwatch(services):
                _touch(clients)
    return [
        figure("cloud start to first answer", first, aim="0.56 s"),
        figure("… then one call to each service", services, aim="0.59 s"),
        *_stack(),
    ]


def _stack() -> list[Figure]:
    created, updated, deleted, booted, idle, after = [], [], [], [], [], []
    for _ in range(3):
        with lab_cloud() as (places, local):
            idle.append(float(local.ask("GET", "status")["memory_mb"]))
            run(places, local, "01")
            with stopwatch(created):
                run(places, local, "03")
            context = context_of(places, local)
            outputs = context.deployed().outputs
            booted.append(1000 * float(local.instance(outputs["InstanceId"])["seconds"]))
            app = context.workspace.path / "flask_app.py"
            app.write_text(app.read_text() + "\n# changed\n")
            with stopwatch(updated):
                run(places, local, "03")
            run(places, local, "05")
            after.append(float(local.ask("GET", "status")["memory_mb"]))
            with stopwatch(deleted):
                run(places, local, "10")
    megabytes = [Figure("memory of the cloud, idle", "MB", sorted(idle)[1], max(idle), 3),
                 Figure("memory after a deployment", "MB", sorted(after)[1], max(after), 3)]  # fmt: skip
    return [
        figure("step 03: create stack and boot", created),
        figure("user data from start to its end", booted, aim="< 800 ms"),
        figure("step 03 again, server code changed", updated, aim="< 3 s"),
        figure("step 10: delete stack and list", deleted),
        *megabytes,
    ]


def api() -> list[Figure]:
    """S3 and DynamoDB beside the same client against a stub that answers at once."""
    with lab_cloud() as (_, local), Floor() as floor:
        mine, stub = clients_of(local), Clients(floor.target(REGION))
        furnish(mine)
        put_thousand(mine)
        return [
            _against(put_object, mine, stub, "S3 PutObject 100 KB", "< 4.9 ms"),
            _against(get_object, mine, stub, "S3 GetObject 100 KB", ""),
            _against(list_objects, mine, stub, "S3 ListObjectsV2 of 1,000", ""),
            _against(put_item, mine, stub, "DynamoDB PutItem", "< 3.0 ms"),
        ]


def functions() -> list[Figure]:
    """Invocations of the solution's function, health branch left out: a handler that returns at once."""
    with lab_cloud() as (_, local), Floor() as floor:
        clients, stub = clients_of(local), Clients(floor.target(REGION))
        make_function(clients)
        cold = []
        for number in range(10):
            settings = {"Variables": {"ROUND": str(number)}}
            clients.client("lambda").update_function_configuration(FunctionName="bench", Environment=settings)
            with stopwatch(cold):
                invoke(clients)
        warm, floors = paired(lambda: invoke(clients), lambda: invoke(stub), 300)
        return [
            figure("cold Lambda invoke", cold, aim="< 60 ms"),
            figure("warm Lambda invoke", warm, floor=floors, aim="< 4 ms"),
        ]


def path() -> list[Figure]:
    """One 100 KB picture through function, server, S3 and DynamoDB; one client, then eight."""
    with lab_cloud() as (places, local):
        run(places, local, "01")
        run(places, local, "03")
        context = context_of(places, local)
        name = context.deployed().outputs["LambdaFunctionName"]
        url = local.publish("bench.png", b"\x89PNG\r\n\x1a\n" + BODY)
        event = f'{{"image_url": "{url}"}}'.encode()
        one = clients_of(local).client("lambda")
        timed(lambda: one.invoke(FunctionName=name, Payload=event), 20)
        alone = timed(lambda: one.invoke(FunctionName=name, Payload=event), 200)
        rates = [1000 * len(alone) / sum(alone), _rate(local, name, event, clients=8, each=50)]
        return [
            figure("100 KB picture, whole path", alone, aim="< 18 ms"),
            Figure("pictures a second, 1 client", "/s", rates[0], rates[0], 200),
            Figure("pictures a second, 8 clients", "/s", rates[1], rates[1], 400, aim="> 100/s"),
        ]


# -- helpers -------------------------------------------------------------------------------------------


def quiet(command: list[str]) -> None:
    """Run a command whose output nobody wants. Raises CalledProcessError."""
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)


@contextmanager
def lab_cloud() -> Iterator[tuple[Places, LocalCloud]]:
    """A running local cloud of its own, in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        places = Places(ROOT, Path(folder))
        local = LocalCloud(places.state / "cloud")
        local.ensure()
        try:
            yield places, local
        finally:
            local.stop()


def clients_of(local: LocalCloud) -> Clients:
    return Clients(local.ensure().target(REGION))


def context_of(places: Places, local: LocalCloud) -> Context:
    """What steps need, for the reference solution."""
    return Context(places, load(ROOT), Options(student=STUDENT, solution=True), ignore, local)


def run(places: Places, local: LocalCloud, number: str) -> None:
    """Run a step. Raises SystemExit when it does not pass."""
    result = run_step(context_of(places, local), number)
    if not result.passed:
        raise SystemExit(f"step {number} failed: {[c for c in result.checks if not c.passed]}")


def _touch(clients: Clients) -> None:
    clients.client("s3").list_buckets()
    clients.client("dynamodb").list_tables()
    clients.client("iam").list_roles()
    clients.client("ec2").describe_vpcs()
    clients.client("lambda").list_functions()
    clients.client("logs").describe_log_groups()
    clients.client("cloudformation").list_stacks()


def furnish(clients: Clients) -> None:
    """The bucket and the table that are written to."""
    where = {"LocationConstraint": REGION}
    clients.client("s3").create_bucket(Bucket="bench", CreateBucketConfiguration=where)
    clients.client("dynamodb").create_table(
        TableName="bench", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip


def put_object(clients: Clients) -> None:
    clients.client("s3").put_object(Bucket="bench", Key="picture", Body=BODY)


def get_object(clients: Clients) -> None:
    clients.client("s3").get_object(Bucket="bench", Key="picture")["Body"].read()


def put_thousand(clients: Clients) -> None:
    """What `list_objects` lists: a page that is full."""
    for number in range(1000):
        clients.client("s3").put_object(Bucket="bench", Key=f"page/{number:04}", Body=b"x")


def list_objects(clients: Clients) -> None:
    clients.client("s3").list_objects_v2(Bucket="bench", Prefix="page/")


def put_item(clients: Clients) -> None:
    clients.client("dynamodb").put_item(TableName="bench", Item={"id": {"S": "1"}, "n": {"N": "1"}})


def get_item(clients: Clients) -> None:
    clients.client("dynamodb").get_item(TableName="bench", Key={"id": {"S": "1"}})


def update_item(clients: Clients) -> None:
    clients.client("dynamodb").update_item(
        TableName="bench", Key={"id": {"S": "1"}}, UpdateExpression="SET n = n + :one",
        ExpressionAttributeValues={":one": {"N": "1"}},
    )  # fmt: skip


def put_twenty(clients: Clients) -> None:
    """What `query` finds."""
    clients.client("dynamodb").create_table(
        TableName="rows", BillingMode="PAY_PER_REQUEST",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}, {"AttributeName": "n", "KeyType": "RANGE"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}, {"AttributeName": "n", "AttributeType": "N"}],
    )  # fmt: skip
    for number in range(20):
        item = {"id": {"S": "1"}, "n": {"N": str(number)}, "text": {"S": "x" * 100}}
        clients.client("dynamodb").put_item(TableName="rows", Item=item)


def query(clients: Clients) -> None:
    clients.client("dynamodb").query(
        TableName="rows", KeyConditionExpression="id = :id", ExpressionAttributeValues={":id": {"S": "1"}}
    )


def _against(act: Callable[[Clients], None], mine: Clients, stub: Clients, name: str, aim: str) -> Figure:
    for clients in (mine, stub):
        timed(lambda c=clients: act(c), 20)  # type: ignore[misc]
    times, floors = paired(lambda: act(mine), lambda: act(stub), 300)
    return figure(name, times, floor=floors, aim=aim)


def invoke(clients: Clients) -> None:
    clients.client("lambda").invoke(FunctionName="bench", Payload=b"{}")["Payload"].read()


def make_function(clients: Clients) -> None:
    import io
    import zipfile

    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("bench.py", "def handler(event, context):\n    return event\n")
    trust = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"sts:AssumeRole",'
        '"Principal":{"Service":"lambda.amazonaws.com"}}]}'
    )
    role = clients.client("iam").create_role(RoleName="bench", AssumeRolePolicyDocument=trust)
    clients.client("lambda").create_function(
        FunctionName="bench", Runtime="python3.13", Handler="bench.handler", Role=role["Role"]["Arn"],
        Code={"ZipFile": packed.getvalue()},
    )  # fmt: skip


def _rate(local: LocalCloud, name: str, event: bytes, *, clients: int, each: int) -> float:
    """Invocations a second of `clients` threads, each with a client of its own."""

    def work(api: Any) -> None:
        for _ in range(each):
            api.invoke(FunctionName=name, Payload=event)["Payload"].read()

    apis = [clients_of(local).client("lambda") for _ in range(clients)]
    for api in apis:
        api.invoke(FunctionName=name, Payload=event)
    threads = [threading.Thread(target=work, args=(api,)) for api in apis]
    started = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return clients * each / (time.perf_counter() - started)
