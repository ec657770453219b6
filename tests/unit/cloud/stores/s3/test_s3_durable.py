"""What was acknowledged is there after a kill at any moment, bodies in files included."""

import hashlib
import json
import random
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from labkit.cloud.stores.s3.service import S3
from tests.unit.cloud.stores.s3.asking import asker
from tests.unit.cloud.stores.s3_door import ACCOUNT

#: writes, copies, deletes and uploads without end, and tells each when it was answered
WRITER = """
import hashlib, json, random, sys
from pathlib import Path
from labkit.cloud.stores.s3.service import S3
from tests.unit.cloud.stores.s3.asking import asker

ask, draw = asker(S3(sys.argv[1], Path(sys.argv[2]), durable=True)), random.Random(int(sys.argv[3]))
def tell(key, digest, done):
    print(json.dumps([key, digest, done]), flush=True)
for number in range(10**9):
    key, kind = f"key-{draw.randrange(12)}", draw.randrange(5)
    data = str(number).encode() * draw.choice([1, 10, 20000])
    digest = "" if kind == 0 else hashlib.sha256(data).hexdigest()
    tell(key, digest, False)
    if kind == 0:
        ask("DeleteObject", key)
    elif kind == 1:
        upload = ask("CreateMultipartUpload", key).output["UploadId"]
        etag = ask("UploadPart", key, data, UploadId=upload, PartNumber=1).output["ETag"]
        parts = {"Parts": [{"PartNumber": 1, "ETag": etag}]}
        ask("CompleteMultipartUpload", key, UploadId=upload, MultipartUpload=parts)
    elif kind == 2:
        ask("PutObject", "source", data)
        ask("CopyObject", key, CopySource="bucket/source")
    else:
        ask("PutObject", key, data)
    tell(key, digest, True)
"""


def write_until_killed(folder: Path, seed: int, after: int) -> tuple[dict[str, str], dict[str, str]]:
    """Kill a writer after so many lines: what it was acknowledged, and what it may have done besides."""
    command = [sys.executable, "-c", WRITER, ACCOUNT, str(folder), str(seed)]
    done: dict[str, str] = {}
    begun: dict[str, str] = {}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        for number, line in enumerate(writer.stdout):
            if number == after:
                writer.send_signal(signal.SIGKILL)
            if not line.endswith("\n"):
                break
            key, digest, acknowledged = json.loads(line)
            if acknowledged:
                done[key], begun = digest, {}
            else:
                begun = {key: digest}
    return done, begun


def check_kill(folder: Path, seed: int) -> None:
    draw, place = random.Random(seed), folder / str(seed)
    service = S3(ACCOUNT, place, durable=True)
    asker(service)("CreateBucket")
    service.close()
    done, begun = write_until_killed(place, seed, draw.randrange(3, 160))
    service = S3(ACCOUNT, place, durable=True)
    ask = asker(service)
    with service.engine.storage.reading():
        keys = [each.key for each in service.engine.storage.objects_behind("bucket", "", with_start=False)]
    found = {
        key: hashlib.sha256(b"".join(ask("GetObject", key).parts)).hexdigest()
        for key in keys
        if key != "source"
    }
    for key in done.keys() | found.keys() | begun.keys():
        allowed = {done.get(key, "")} | ({begun[key]} if key in begun else set())
        assert found.get(key, "") in allowed, (seed, key)
    used = {int(path.name) for path in (place / "bodies").iterdir()}
    assert used <= service.engine.storage.bodies_in_use()
    service.close()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_what_was_acknowledged_is_there_after_a_kill(tmp_path, seed):
    check_kill(tmp_path, seed)


@pytest.mark.verify
@pytest.mark.timeout(1800)
def test_what_was_acknowledged_is_there_after_200_kills(tmp_path):
    for seed in range(100, 300):
        check_kill(tmp_path, seed)
