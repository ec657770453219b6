"""A whole cloud killed in the middle of everything: what was acknowledged is there."""

import json
import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from botocore.exceptions import BotoCoreError, ClientError

from labkit.cloud.server.keeper import WINDOW
from tests.aws.live import Live, eventually, open_live

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]

NAMES = [f"n{number}" for number in range(8)]
#: value of what is not there
ABSENT = ""


class Kind:
    """One kind of thing with values by name: how it is written, and what it is now."""

    def __init__(self, write: Callable[[str, str], object], read: Callable[[str], str]) -> None:
        self._write, self._read = write, read
        #: name → what was written, in order: (value, when it was acknowledged; None: it may not have been done)
        self.written: dict[str, list[tuple[str, float | None]]] = {name: [(ABSENT, 0.0)] for name in NAMES}

    def go_on(self, draw: random.Random, stop: threading.Event) -> None:
        """Write until the cloud is gone."""
        while not stop.is_set():
            name, value = draw.choice(NAMES), draw.choice([ABSENT, str(draw.random())])
            self.written[name].append((value, None))
            try:
                self._write(name, value)
            except (BotoCoreError, ClientError):
                return
            self.written[name][-1] = (value, time.time())

    def check(self, until: float) -> None:
        """What was acknowledged up to then is there, or something later is; that is what is from now on."""
        for name, written in self.written.items():
            certain = max(place for place, (_, at) in enumerate(written) if at is not None and at <= until)
            allowed = {value for value, _ in written[certain:]}
            found = self._read(name)
            assert found in allowed, (name, found, written[certain:])
            self.written[name] = [(found, 0.0)]

    def newest_before(self, at: float) -> float:
        """The newest acknowledgement before then."""
        times = [when for written in self.written.values() for _, when in written if when and when < at]
        return max(times, default=0.0)


def or_absent(read: Callable[[], str]) -> str:
    try:
        return read()
    except ClientError as error:
        if error.response["Error"]["Code"] not in ("NoSuchKey", "ParameterNotFound"):
            raise
        return ABSENT


def stores(live: Live) -> list[Kind]:
    """Rows, and objects that lie in the base and in files."""
    table, bucket = "rows", live.bucket()
    live.dynamodb.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
    )  # fmt: skip

    def write_row(name: str, value: str) -> None:
        if value:
            live.dynamodb.put_item(TableName=table, Item={"id": {"S": name}, "v": {"S": value}})
        else:
            live.dynamodb.delete_item(TableName=table, Key={"id": {"S": name}})

    def read_row(name: str) -> str:
        found = live.dynamodb.get_item(TableName=table, Key={"id": {"S": name}}, ConsistentRead=True)
        return str(found.get("Item", {}).get("v", {}).get("S", ABSENT))

    def write_object(name: str, value: str) -> None:
        if value:
            live.s3.put_object(
                Bucket=bucket, Key=name, Body=value.encode() * (5000 if value[-1] < "5" else 1)
            )
        else:
            live.s3.delete_object(Bucket=bucket, Key=name)

    def read_object(name: str) -> str:
        def read() -> str:
            body = live.s3.get_object(Bucket=bucket, Key=name)["Body"].read().decode()
            value = body[: len(body) // 5000] if len(body) > 5000 else body
            assert body == value * (len(body) // len(value))
            return str(value)

        return or_absent(read)

    return [Kind(write_row, read_row), Kind(write_object, read_object)]


def control_plane(live: Live) -> list[Kind]:
    """Parameters, and tags of a user."""
    live.iam.create_user(UserName="ada")

    def write_parameter(name: str, value: str) -> None:
        if value:
            live.ssm.put_parameter(Name=name, Value=value, Type="String", Overwrite=True)
        else:
            live.ssm.delete_parameters(Names=[name])

    def write_tag(name: str, value: str) -> None:
        if value:
            live.iam.tag_user(UserName="ada", Tags=[{"Key": name, "Value": value}])
        else:
            live.iam.untag_user(UserName="ada", TagKeys=[name])

    def read_tag(name: str) -> str:
        tags = live.iam.list_user_tags(UserName="ada")["Tags"]
        return next((str(tag["Value"]) for tag in tags if tag["Key"] == name), ABSENT)

    return [
        Kind(write_parameter, lambda name: or_absent(lambda: live.ssm.get_parameter(Name=name)["Parameter"]["Value"])),
        Kind(write_tag, read_tag),
    ]  # fmt: skip


class Victim:
    """A cloud under load, to be killed again and again."""

    def __init__(self, live: Live) -> None:
        self._live, self._control = live, live.local.folder / "kept" / "full" / "control"
        self.stores, self.control_plane = stores(live), control_plane(live)
        assert eventually(
            lambda: self.saved_at() > time.time() - 0.5 or live.iam.tag_user(UserName="ada", Tags=[])
        )

    def saved_at(self) -> float:
        """Of when the control plane on disk is."""
        if not self._control.exists():
            return 0.0
        return float(json.loads(self._control.read_bytes().partition(b"\n")[0])["saved_at"])

    def kill(self, seed: int, *, within_window: bool) -> None:
        """Kill it under load, start it, and compare."""
        draw, stop = random.Random(seed), threading.Event()
        kinds = [*self.stores, *self.control_plane]
        draws = [random.Random(draw.random()) for _ in kinds]
        threads = [
            threading.Thread(target=kind.go_on, args=(each, stop))
            for kind, each in zip(kinds, draws, strict=True)
        ]
        for thread in threads:
            thread.start()
        time.sleep(draw.uniform(0.2, 2.5))
        endpoint = self._live.local.running()
        assert endpoint is not None
        at = time.time()
        os.kill(endpoint.pid, signal.SIGKILL)
        stop.set()
        for thread in threads:
            thread.join()
        assert eventually(lambda: self._live.local.running() is None)
        saved = self.saved_at()
        self._live.start_again()
        if within_window:
            assert saved >= max(kind.newest_before(at - WINDOW) for kind in self.control_plane)
        for kind in self.stores:
            kind.check(at)
        for kind in self.control_plane:
            kind.check(saved)


@pytest.fixture(scope="module")
def victim(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Victim]:
    with open_live(tmp_path_factory.mktemp("victim"), lasting=True) as live:
        yield Victim(live)


@pytest.mark.parametrize("seed", range(2))
def test_what_was_acknowledged_is_there_after_a_kill(victim: Victim, seed: int) -> None:
    victim.kill(seed, within_window=False)


@pytest.mark.verify
@pytest.mark.timeout(3600)
def test_what_was_acknowledged_is_there_after_200_kills(victim: Victim) -> None:
    """The control plane's promise of a second is one of a machine with time to keep it."""
    for seed in range(100, 300):
        victim.kill(seed, within_window=True)
