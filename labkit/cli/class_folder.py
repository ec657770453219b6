"""The folder of hand-ins that `lab class grade` and `similar` are given.

What belongs here: reading it by the course's rules. What does not: what is done with it.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from labkit.cli.classroom import Classroom

if TYPE_CHECKING:
    from labkit.classroom.handins import HandIn


@contextmanager
def work_folder(room: Classroom) -> Iterator[Path]:
    """Where downloads are unpacked; gone afterwards."""
    place = room.ledger.path.parent
    with tempfile.TemporaryDirectory(prefix="unpacked-", dir=place) as folder:
        yield Path(folder)


def read(room: Classroom, arguments: argparse.Namespace, work: Path) -> "list[HandIn]":
    """Whose each hand-in is, from which engine and when, or what a person must decide first.

    `arguments`: folder, times (the platform's file, or None), times_column.
    """
    from labkit.classroom import handins, places, times
    from labkit.classroom.rules import aware

    data, roster = room.course.data, room.ledger.roster()
    rules = handins.Rules(
        room.lab,
        tuple(room.course.engines),
        tuple(map(str, data.get("grading", {}).get("kit_versions", ()))),
        data.get("uploads", {}).get("counts", ""),
        room.groups,
    )
    told = None
    if arguments.times:
        told = times.read(
            Path(arguments.times), roster, lambda at: aware(room.course.moment(at)), arguments.times_column
        )
    found = places.find(Path(arguments.folder), room.lab.files, work)
    return handins.settle(found, roster, rules, told)
