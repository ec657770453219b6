"""What the page of `./lab open` shows, read from the records, the AWS API and the server.

What belongs here: the record of one look, and reading it. What does not: how hops are judged (labkit.lesson.path.path), what is
known of a gap (labkit.lesson.help.verdicts), HTML (labkit.lesson.page.rendering).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from labkit.base import state
from labkit.base.errors import LabError
from labkit.base.text import printable
from labkit.course import course
from labkit.deploy.targets import Clients
from labkit.grading.model import from_json, worst_first
from labkit.grading.reports import words
from labkit.lesson import freshness, progress
from labkit.lesson.context import Context
from labkit.lesson.faults import breaking
from labkit.lesson.help.trouble import Stuck, Trouble
from labkit.lesson.help.verdicts import MEANS, SIGNS, Verdicts
from labkit.lesson.path import logs, path
from labkit.lesson.path.invoking import invoke

NEWEST = 24
LOG_LINES = 40
SECRET = "A fault of step 06 is at work: the path is yours to find. When you have it: ./lab break"
#: what a step may be: each has a word of its own, for colour is never the only sign
DONE, NEXT, OPEN = "done", "next", "to do"


@dataclass(frozen=True)
class StepRow:
    """One step: its number, name, title, and how it stands (DONE, NEXT or OPEN)."""

    number: str
    name: str
    title: str
    standing: str
    optional: bool


@dataclass(frozen=True)
class GapRow:
    """One gap: where it stands in the files, what is known of it, its task."""

    name: str
    title: str
    place: str
    sign: str
    means: str
    points: str
    fails: str
    holds: Sequence[str]
    tries: Sequence[str]


@dataclass(frozen=True)
class Score:
    """The newest self-check: its headline, when it was made, and the lines that lost points (title, points, reason)."""

    headline: str
    graded: str
    lost: Sequence[tuple[str, str, str]]


@dataclass(frozen=True)
class Picture:
    """An image and its row, of which either may be missing: `key` "" or no `row`."""

    key: str
    size: int
    row: Mapping[str, str]


@dataclass(frozen=True)
class View:
    """Everything that the page shows; texts as they are, not yet fit for HTML."""

    title: str
    target: str
    warnings: Sequence[str] = ()
    steps: Sequence[StepRow] = ()
    gaps: Sequence[GapRow] = ()
    points: str = ""
    stuck: Stuck | None = None
    score: Score | None = None
    hops: Sequence[path.Hop] = ()
    facts: Sequence[tuple[str, str]] = ()
    pictures: Sequence[Picture] = ()
    logs: Mapping[str, Sequence[str]] = field(default_factory=dict)


def gather(context: Context) -> View:
    """What stands now. What can't be read is a warning on the page; the rest is shown."""
    variant = context.workspace.variant
    view = View(title=f"{variant.student} · {variant.name}", target=context.target_words)
    warnings = list[str]()
    found: dict[str, Any] = {}
    for part in (_lesson, _deployed):
        try:
            found |= part(context, warnings)
        except LabError as error:
            warnings.append(f"{error.message} {error.hint}")
    return View(view.title, view.target, warnings, **found)


def stamp(context: Context, clients: Clients | None) -> object:
    """What differs as soon as the page would: records and files, and with `clients` what the bucket holds."""
    workspace = context.workspace
    places = (workspace.path, workspace.path / ".lab", _results(context))
    files = [
        (str(each), each.stat().st_mtime_ns) for place in places if place.is_dir() for each in place.iterdir()
    ]
    bucket = workspace.record.deployed.get("outputs", {}).get("BucketName", "")
    return sorted(files), clients is None, _newest_objects(clients, bucket) if clients and bucket else ()


# ---- The lesson ---------------------------------------------------------------------------------------


def _lesson(context: Context, _: list[str]) -> dict[str, Any]:
    verdicts = Verdicts(context)
    earned, tried, total = verdicts.points()
    return {
        "steps": list(_steps(context)),
        "gaps": list(_gaps(context, verdicts)),
        "score": _score(context),
        "stuck": Trouble(context.workspace).stuck(),
        "points": f"{earned:g} of {tried} points tried, {total} in all" if total else "",
    }


def _steps(context: Context) -> Iterator[StepRow]:
    done, due = progress.done_steps(context), progress.next_step(context)
    for step in context.manifest.steps:
        standing = (
            NEXT if due is not None and step.number == due.number else DONE if step.number in done else OPEN
        )
        yield StepRow(step.number, step.name, step.title, standing, step.optional)


def _gaps(context: Context, verdicts: Verdicts) -> Iterator[GapRow]:
    folder = context.workspace.path.name
    for known in verdicts.known(course.load(context.manifest).given):
        gap, place = known.gap, known.place
        earned = f"{known.earned:g} of " if known.state in ("holds", "fails") else ""
        yield GapRow(
            gap.name, gap.title, f"work/{folder}/{place.file}:{place.line}", SIGNS[known.state], MEANS[known.state],
            f"{earned}{known.points}" if known.points else "", gap.fails, gap.holds, gap.tries,
        )  # fmt: skip


def _results(context: Context) -> Path:
    return context.places.state / "grading" / context.workspace.variant.student


def _score(context: Context) -> Score | None:
    file = _results(context) / "result.json"
    value = state.read_json(file)
    if value is None:
        return None
    result = words.without_hidden(from_json(value))
    lost = [(line.title, words.points(line.lost), line.verdict.reason) for line in worst_first(result.lines)]
    graded = datetime.fromtimestamp(file.stat().st_mtime).astimezone()
    return Score(words.headline(result), f"{graded:%d %B %Y, %H:%M}", lost)


# ---- What was deployed --------------------------------------------------------------------------------


def _deployed(context: Context, warnings: list[str]) -> dict[str, Any]:
    """What stands, read through the AWS API and from the server; nothing of it before a deployment."""
    if not context.workspace.record.deployed:
        return {}
    outputs, variant = context.deployed().outputs, context.workspace.variant
    answer = invoke(context.clients, outputs["LambdaFunctionName"], {"action": "health"})
    boot = context.cloud.await_boot(outputs["InstanceId"])
    scene = path.look(context.clients, outputs, variant.port, boot)
    pictures = _pictures(context, outputs)
    secret = answer.status != 200 and breaking.at_work(context.workspace)
    warnings += [*([SECRET] if secret else []), *_older(context)]
    return {
        "hops": () if secret else _hops(path.follow(scene, answer.status, answer.message, answer.seconds), pictures),
        "facts": (("Network", variant.vpc_cidr), ("Server", f"{scene.address}:{scene.port}"), *outputs.items()),
        "pictures": pictures[:NEWEST],
        "logs": {
            "Server (journal of flask-app)": logs.server(context, outputs)[-LOG_LINES:],
            "Function (CloudWatch Logs)": logs.function(context, outputs)[-LOG_LINES:],
            "Boot": logs.boot(context, outputs)[-LOG_LINES:],
        },
    }  # fmt: skip


def _hops(hops: list[path.Hop], pictures: Sequence[Picture]) -> Sequence[path.Hop]:
    """The path; the store passes when there is an image with its row."""
    if hops[-2].state == "ok":
        pairs = sum(bool(each.key and each.row) for each in pictures)
        hops[-1] = path.Hop("store", "ok" if pairs else "unknown", f"{pairs} images with their rows")
    return hops


def _older(context: Context) -> Iterator[str]:
    """What of the files does not run."""
    newer, of = freshness.undeployed(context.workspace), freshness.others(context.workspace)
    if newer and of:
        yield f"What you see was deployed from work/{of}/, not from these files."
    else:
        yield from (f"{name} was saved after the last deployment: what you see is older." for name in newer)


def _newest_objects(clients: Clients, bucket: str) -> tuple[tuple[str, int, datetime], ...]:
    from botocore.exceptions import ClientError

    try:
        answer = clients.client("s3").list_objects_v2(Bucket=bucket)
    except ClientError:  # deleted since it was deployed
        return ()
    found = [
        (str(each["Key"]), int(each["Size"]), each["LastModified"]) for each in answer.get("Contents", [])
    ]
    return tuple(sorted(found, key=lambda each: each[2], reverse=True)[:NEWEST])


def _pictures(context: Context, outputs: Mapping[str, str]) -> list[Picture]:
    """Images beside their rows, newest first; then rows whose image is not there."""
    objects = _newest_objects(context.clients, outputs["BucketName"])
    rows = {row.get("s3_key", row.get("image_id", "")): row for row in _rows(context, outputs)}
    shown = [Picture(key, size, rows.pop(key, {})) for key, size, _ in objects]
    return shown + [Picture("", 0, row) for row in rows.values() if len(objects) < NEWEST]


def _rows(context: Context, outputs: Mapping[str, str]) -> list[Mapping[str, str]]:
    items = context.clients.client("dynamodb").scan(TableName=outputs["TableName"], Limit=500)["Items"]
    plain: list[Mapping[str, str]] = [
        {str(name): printable(str(next(iter(value.values())))) for name, value in item.items()}
        for item in items
    ]
    return sorted(plain, key=lambda row: row.get("created_at", ""), reverse=True)
