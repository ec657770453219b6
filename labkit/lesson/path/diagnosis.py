"""Why an image was not processed: from the function's answer to the gap, and to lines that show the cause.

What belongs here: reading answers, policies, environments and journals for one screen. What does not: the
path before the server (labkit.lesson.path.path), calling the function (labkit.lesson.path.invoking).
"""

import re
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.aws.iam.analysis import decide, granted
from labkit.aws.iam.role_policies import policies_of
from labkit.base.text import shortened
from labkit.lesson.context import Context
from labkit.lesson.path import logs
from labkit.lesson.path.invoking import Answer

#: words in an answer → the gap they point to, the first that fits
_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("gap lambda-call",), "lambda-call"),
    (("gap download",), "download"),
    (("gap store",), "store"),
    (("gap record",), "record"),
    (("accessdenied", "not authorized"), "server-policy"),
    (
        ("s3_bucket", "dynamodb_table", "invalid bucket name", "no bucket", "bucket none", "object_prefix"),
        "unit",
    ),
    (("putitem operation", "updateitem operation"), "record"),
    (("putobject operation",), "store"),
    (("keyerror", "typeerror", '"body" must be text'), "lambda-answers"),
)
_DENIED = re.compile(r"perform: (?P<action>[\w:]+) on resource: \"?(?P<resource>[^\s\"]+)")
_VARIABLES = ("AWS_REGION", "S3_BUCKET", "DYNAMODB_TABLE", "OBJECT_PREFIX", "LAB_TOKEN", "PORT")


@dataclass(frozen=True)
class Diagnosis:
    """Why it stopped: the gap ("" where no word points to one), the mistake, the reason, lines that show it."""

    gap: str
    symptom: str
    reason: str
    details: tuple[str, ...] = ()


def explain(context: Context, outputs: Mapping[str, str], answer: Answer) -> Diagnosis:
    """What an answer other than success means."""
    text = f"{answer.message} {answer.body}".lower()
    gap = next((gap for words, gap in _WORDS if any(word in text for word in words)), "")
    reason = f"status {answer.status}: {answer.message or 'no reason given'}"
    if _RAISED.match(answer.problem):
        return of_function(context, outputs, answer)
    if gap == "server-policy":
        return _denied(context, outputs, answer, reason)
    if gap == "unit":
        return Diagnosis(gap, "", reason, environment_lines(context, outputs))
    if '"body" must be text' in answer.problem:
        return Diagnosis("lambda-answers", "shape", 'your function must return text in "body"', SHAPE)
    if not gap and answer.status in (0, 500, 502):
        found, lines = of_server(context, outputs)
        return Diagnosis(found, "code", reason, lines)
    if answer.status == 500 and gap in ("store", "record"):
        found, lines = of_server(context, outputs)
        return Diagnosis(found or gap, "code", reason, lines)
    return Diagnosis(gap, "", reason)


SHAPE = (
    'you      {"statusCode": 200, "body": {"message": …}}',
    'needed   {"statusCode": 200, "body": "{\\"message\\": …}"}',
    "API Gateway would answer 502 to this.",
)


# ---- AccessDenied: what was asked, what is allowed ----------------------------------------------------


def _denied(context: Context, outputs: Mapping[str, str], answer: Answer, reason: str) -> Diagnosis:
    match = _DENIED.search(answer.message)
    if match is None:
        return Diagnosis("server-policy", "", reason)
    action, resource = match["action"], match["resource"].rstrip(".")
    policies = policies_of(context.clients, role_of(context.clients, outputs), outputs["InstanceId"])
    allowed, decision = granted(policies, action), decide(policies, action, resource)
    hint = "Compare the two lines." if allowed else "No statement of your server's role names this action."
    if decision.reason == "explicit-deny":
        hint = f"The statement {decision.statement} of {decision.policy} denies it, whatever others allow."
    details = (
        *arn_lines("asked    ", resource),
        *(line for one in allowed[:2] or ["nothing for this action"] for line in arn_lines("allowed  ", one)),
        shortened(hint, 76),
    )
    bare = resource.startswith("arn:aws:s3:::") and any(one == resource.partition("/")[0] for one in allowed)
    return Diagnosis("server-policy", "object" if bare else "", f"AWS refused your server: {action}", details)


def arn_lines(label: str, arn: str) -> list[str]:
    """An ARN after its label, so that two can be compared: what is too long goes on below, from the resource's name.

    An image's id is left out: it is another one each time.
    """
    text = re.sub(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", "…", arn)
    parts = text.split(":", 5)
    if len(label + text) <= 76 or len(parts) < 6:
        return [shortened(label + text, 76)]
    return [f"{label}{':'.join(parts[:5])}:", shortened(f"{' ' * len(label)}{parts[5]}", 76)]


def role_of(clients: Any, outputs: Mapping[str, str]) -> str:
    """The ARN of the server's role."""
    instances = clients.client("ec2").describe_instances(InstanceIds=[outputs["InstanceId"]])
    profile = instances["Reservations"][0]["Instances"][0]["IamInstanceProfile"]["Arn"].rpartition("/")[2]
    found = clients.client("iam").get_instance_profile(InstanceProfileName=profile)
    return str(found["InstanceProfile"]["Roles"][0]["Arn"])


# ---- Variables that do not reach the service ----------------------------------------------------------


def environment_lines(context: Context, outputs: Mapping[str, str]) -> tuple[str, ...]:
    """What the service sees beside what the boot script had; nothing where nobody can look inside."""
    if not context.place.inside:
        return ("Inside a server on AWS: Session Manager, then  systemctl show -p Environment flask-app",)
    script = "tr '\\0' '\\n' < /proc/$(systemctl show -p MainPID --value flask-app)/environ | cut -d= -f1"
    sees = context.place.output_inside(outputs["InstanceId"], ["/bin/sh", "-c", script])[1].split()
    boot = context.workspace.files().get("flask_server_startup.sh", b"").decode(errors="replace")
    exported = re.findall(r"^export (\w+)=", boot, re.MULTILINE)
    first = next((n for n, line in enumerate(boot.splitlines(), 1) if line.startswith("export ")), 0)
    missing = [name for name in _VARIABLES if name not in sees]
    return (
        f"flask-app.service sees   {shortened(' '.join(sorted(sees)), 50)}",
        f"your boot script had     {shortened(' '.join(exported), 40)} (line {first})",
        *textwrap.wrap(
            f"missing in the service   {' '.join(missing) or 'nothing'}", 76, subsequent_indent=" " * 25
        ),
        "systemd gives a program its own environment.",
    )


# ---- The function's own code ------------------------------------------------------------------------------

_FUNCTION = "lambda_function.py"
#: "KeyError: …", "Runtime.UserCodeSyntaxError: …": what AWS says when a function's code raised
_RAISED = re.compile(r"(?:Runtime\.)?\w+(?:Error|Exception)\b")
_PLACE = re.compile(r"\b(?:index|lambda_function)\.py\"?, line (\d+)")


def _gap_at(context: Context, file: str, number: int) -> str:
    """The gap in which this line of a student's file stands, "" for none."""
    from labkit.course.markers import regions

    text = context.workspace.files().get(file, b"").decode(errors="replace")
    lines = ((r.name, r.line, text.count("\n", 0, r.end) + 1) for r in regions(text).values())
    return next((name for name, first, last in lines if first < number <= last), "")


def of_server(context: Context, outputs: Mapping[str, str]) -> tuple[str, tuple[str, ...]]:
    """(gap, lines) of the last error of the server's own code in its journal; no lines when there is none."""
    lines = crash(logs.server(context, outputs))
    place = re.match(r"flask_app\.py line (\d+):", lines[0]) if lines else None
    return (_gap_at(context, "flask_app.py", int(place[1])), lines) if place else ("", lines)


def of_function(context: Context, outputs: Mapping[str, str], answer: Answer) -> Diagnosis:
    """Which line of the student's function raised, and in which gap that line stands.

    With CloudFormation the code is inline: its index.py is lambda_function.py, line by line.
    """
    errors = [line for line in logs.function(context, outputs) if line.startswith("[ERROR]")]
    text = context.workspace.files().get(_FUNCTION, b"").decode(errors="replace")
    places = (
        _PLACE.findall(answer.problem)
        or _PLACE.findall(errors[-1] if errors else "")
        or importing(text, answer.problem)
    )
    reason = f"your function's own code: {answer.problem}"
    if not places:
        return Diagnosis("", "code", reason)
    number = int(places[-1])
    code = (text.splitlines()[number - 1 :] or [""])[0].strip()
    absent = (
        ("A function has Python's own modules, boto3 and urllib3.",) if "No module named" in reason else ()
    )
    return Diagnosis(
        _gap_at(context, _FUNCTION, number),
        "code",
        reason,
        (shortened(f"{_FUNCTION} line {number}:   {code}", 76), *absent),
    )


def importing(text: str, problem: str) -> list[int]:
    """The lines of a program that import what could not be imported: Lambda does not say where."""
    name = re.search(r"No module named '(\w+)|cannot import name '(\w+)'", problem)
    word = name and (name[1] or name[2])
    lines = enumerate(text.splitlines(), 1)
    return [number for number, line in lines if word and re.match(rf"\s*(import|from)\b.*\b{word}\b", line)]


# ---- Code that does not start -------------------------------------------------------------------------


def crash(journal: Sequence[str]) -> tuple[str, ...]:
    """The last error of the student's own code in a journal: file, line, the line's text, the error."""
    text = [line.partition("]: ")[2] or line for line in journal]
    ends = [n for n, line in enumerate(text) if re.match(r"[\w.]+(Error|Exception)\b", line)]
    if not ends:
        return ()
    block = text[: ends[-1] + 1]
    places = [n for n, line in enumerate(block) if re.search(r'File ".*flask_app\.py", line \d+', line)]
    if not places:
        return (shortened(block[-1], 76),)
    line = re.search(r"line (\d+)", block[places[-1]])
    code = block[places[-1] + 1].strip() if places[-1] + 1 < len(block) - 1 else ""
    place = f"flask_app.py line {line[1] if line else '?'}:   {code}"
    return (shortened(place, 76), shortened(block[-1], 76), *newer_python(block[-1]))


#: what newer Pythons brought, by the words of the error that an older one gives
_NEWER: Mapping[str, tuple[str, str]] = {
    "cannot import name 'UTC' from 'datetime'": ("from datetime import UTC", "3.11"),
    "No module named 'tomllib'": ("import tomllib", "3.11"),
    "cannot import name 'batched' from 'itertools'": ("from itertools import batched", "3.12"),
}


def newer_python(error: str) -> tuple[str, ...]:
    """A line that says so when the code needs a newer Python than the server has."""
    return tuple(
        f"`{code}` needs Python {version}; look which one your unit starts"
        for words, (code, version) in _NEWER.items()
        if words in error
    )
