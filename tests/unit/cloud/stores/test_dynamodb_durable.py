"""What was acknowledged is there after a kill at any moment."""

import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.cloud.stores.dynamodb.service import DynamoDB
from tests.unit.cloud.stores.conftest import ACCOUNT, REGION, make_simple_table

#: writes without end, and tells each when it was answered
WRITER = """
import json, random, sys
from pathlib import Path
from labkit.cloud.stores.dynamodb.service import DynamoDB

service, draw = DynamoDB(sys.argv[1], Path(sys.argv[2])), random.Random(int(sys.argv[4]))
def tell(name, value):
    print(json.dumps([name, value]), flush=True)
def item(name, value):
    return {"p": {"S": name}, "n": {"N": str(value)}}
for value in range(1, 10**9):
    name = f"row-{draw.randrange(20)}"
    tell(name, -value)
    kind = draw.randrange(4)
    if kind == 0:
        service.answer("DeleteItem", sys.argv[3], {"TableName": "simple", "Key": {"p": {"S": name}}})
        value = 0
    elif kind == 1:
        both = [{"Put": {"TableName": "simple", "Item": item(name + end, value)}} for end in ("", "-twin")]
        service.answer("TransactWriteItems", sys.argv[3], {"TransactItems": both})
        tell(name + "-twin", value)
    elif kind == 2:
        service.answer("UpdateItem", sys.argv[3], {"TableName": "simple", "Key": {"p": {"S": name}},
            "UpdateExpression": "SET n = :n", "ExpressionAttributeValues": {":n": {"N": str(value)}}})
    else:
        service.answer("PutItem", sys.argv[3], {"TableName": "simple", "Item": item(name, value)})
    tell(name, value)
"""


def write_until_killed(path: Path, seed: int, after: int) -> tuple[dict[str, int], dict[str, set[int]]]:
    """Kill a writer after so many lines: what it was acknowledged, and what it may have done besides."""
    command = [sys.executable, "-c", WRITER, ACCOUNT, str(path), REGION, str(seed)]
    done: dict[str, int] = {}
    begun: dict[str, set[int]] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for number, line in enumerate(writer.stdout):
            if number == after:
                writer.send_signal(signal.SIGKILL)
            if not line.endswith("\n"):
                break
            name, value = json.loads(line)
            if value < 0:
                begun.setdefault(name, set()).add(-value)
                begun.setdefault(f"{name}-twin", set()).add(-value)
            else:
                done[name] = value
                begun[name] = set()
    return done, begun


def check_kill(folder: Path, seed: int) -> None:
    draw, path = random.Random(seed), folder / f"{seed}.sqlite"
    service = DynamoDB(ACCOUNT, path)
    make_simple_table(lambda operation, **request: service.answer(operation, REGION, request))
    service.close()
    done, begun = write_until_killed(path, seed, draw.randrange(5, 400))
    service = DynamoDB(ACCOUNT, path)
    found = service.answer("Scan", REGION, {"TableName": "simple"})["Items"]
    service.close()
    values = {item["p"]["S"]: int(item["n"]["N"]) for item in found}
    for name in done.keys() | values.keys():
        allowed = {done.get(name, 0), 0} if begun.get(name) else {done.get(name, 0)}
        assert values.get(name, 0) in allowed | begun.get(name, set()), (seed, name)


@pytest.mark.processes
@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path, seed):
    check_kill(tmp_path, seed)


@pytest.mark.verify
@pytest.mark.timeout(900)
def test_what_was_acknowledged_is_there_after_200_kills(tmp_path):
    for seed in range(100, 300):
        check_kill(tmp_path, seed)


def test_everything_is_there_in_the_next_process(tmp_path):
    path = tmp_path / "tables.sqlite"
    first = DynamoDB(ACCOUNT, path)
    make_simple_table(lambda operation, **request: first.answer(operation, REGION, request))
    first.answer("PutItem", REGION, {"TableName": "simple", "Item": {"p": {"S": "é"}, "n": {"N": "1"}}})
    told = first.answer("DescribeTable", REGION, {"TableName": "simple"})
    first.close()
    second = DynamoDB(ACCOUNT, path)
    assert second.answer("DescribeTable", REGION, {"TableName": "simple"}) == told
    assert second.answer("Scan", REGION, {"TableName": "simple"})["Count"] == 1
    second.close()
