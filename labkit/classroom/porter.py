"""The porter: python -I -m labkit.classroom.porter, on a cluster's worker. Parcels in, verdicts out, a line each.

What belongs here: unpacking a parcel and grading it, several at once with one warm parent. What does not: how the kit came
here (courier). It gets no grader key: the seed of hidden inputs comes with the parcel.
"""

import base64
import json
import os
import sys
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TextIO

import labkit
from labkit.base.errors import LabError
from labkit.classroom.engine import Grade
from labkit.grading.grade import Request, grade
from labkit.grading.model import to_json
from labkit.grading.process.starting import warm_parent

ROOT = Path(labkit.__file__).resolve().parent.parent


def main() -> int:
    """Answer parcels until the input ends."""
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # whatever prints does not speak in our place
    with warm_parent() as warm:
        answer(sys.stdin, out, lambda request: grade(request, warm=warm))
    return 0


def answer(parcels: TextIO, out: TextIO, grade_one: Grade) -> None:
    """A thread for each parcel; who sends them decides how many there are at once."""
    lock, threads = threading.Lock(), []

    def serve(parcel: Mapping[str, Any]) -> None:
        told = {"number": parcel["number"], **graded(parcel, grade_one)}
        with lock:
            out.write(json.dumps(told) + "\n")
            out.flush()

    for line in parcels:
        threads.append(threading.Thread(target=serve, args=(json.loads(line),)))
        threads[-1].start()
    for thread in threads:
        thread.join()


def graded(parcel: Mapping[str, Any], grade_one: Grade) -> dict[str, Any]:
    """What became of one parcel, as plain JSON values."""
    try:
        with tempfile.TemporaryDirectory(prefix="lab-parcel-") as folder:
            source = Path(folder) / "submission.zip"
            source.write_bytes(base64.b64decode(parcel["submission"]))
            request = Request(
                root=ROOT, student=parcel["student"], source=source, engine=parcel["engine"], how="pack",
                only=tuple(parcel["only"]), seed=parcel["seed"], key=bytes.fromhex(parcel["key"]),
            )  # fmt: skip
            return {"result": to_json(grade_one(request))}
    except LabError as error:
        return {"error": error.message, "again": error.exit_status not in (2, 3)}
    except Exception as error:  # ours: this one was not judged, the others go on
        return {"error": f"{type(error).__name__}: {error}", "again": True}


if __name__ == "__main__":
    raise SystemExit(main())
