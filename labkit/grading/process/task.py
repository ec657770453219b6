"""What the judging process is told: one JSON file, read once. No key, no other submission, no result.

What belongs here: the record and its reading and writing. What does not: doing it (session).
"""

import json
import random
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Task:
    """One judging of one submission.

    root: the kit. student: id. files: folder with the submission, already taken in. work: an empty folder of our
    own. kept: folder of a cloud that is kept between judgings of a gap, "" for a new one. lines: ids to judge, in any order. seed: hex, from grader key and submission hash. checks: folders with
    check_*.py, public ones first. deployed: folder of the cloud in which the lab stands already, "" to deploy it.
    outputs: those of what stands there, {} where its engine is to be asked. region: the student's own. abroad: another one, in which the submission is deployed ("": in its own).
    own: whether the files are those of whoever runs this. given_up: lines in which an earlier judging process ended. order: draws another order of the lines than the rubric's; no verdict hangs on it. attempts: "both", "submitted" (only as submitted) or "alone" (only in the reference system).
    """

    root: str
    student: str
    files: str
    work: str
    lines: tuple[str, ...]
    seed: str
    checks: tuple[str, ...]
    engine: str = "cloudformation"
    region: str = "ap-south-1"
    abroad: str = ""
    deployed: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    kept: str = ""
    attempts: str = "both"
    own: bool = False
    given_up: tuple[str, ...] = ()
    order: str = ""
    settings: Mapping[str, Any] = field(default_factory=dict)

    def random_of(self, line: str) -> random.Random:
        """The line's own source of random inputs: the same for the same submission and key."""
        return random.Random(f"{self.seed}/{line}")


def write(task: Task, path: Path) -> None:
    """Write the task to `path`."""
    path.write_text(json.dumps(asdict(task)), encoding="utf-8")


def read(path: Path) -> Task:
    """The task in `path`."""
    value = json.loads(path.read_text(encoding="utf-8"))
    lists = {name: tuple(value[name]) for name in ("lines", "checks", "given_up")}
    return Task(**{**value, **lists})
