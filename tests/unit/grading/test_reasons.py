"""Checks on made-up labs: the reason is the one that was seen, and the hint fits it; different mistakes differ."""

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from grader.checks import (
    check_answer_ok,
    check_boot_clean,
    check_comes_back,
    check_crash_restart,
    check_dead_server_504,
    check_destroy_clean,
    check_path_health,
    check_unit_env,
)
from grader.support import rows, waiting
from labkit.deploy.model import Deployment
from labkit.grading.api import Answer, Boot, Failed, Lab, Program, Unit
from tests.unit.grading.judging.test_clues import CLOUD_INIT, JOURNAL

VARIANT = SimpleNamespace(
    port=5417, lab_token="0123456789abcdef0123", prefix="hybrid-abc123", name="hybrid-abc123"
)
SERVICE = "flask-app.service"


def lab(**parts: Any) -> Any:
    made = SimpleNamespace(
        variant=VARIANT, region="eu-north-1", random=SimpleNamespace(randint=lambda *_: 600), journal=[],
        output=lambda name: {"BucketName": "hybrid-abc123-images", "TableName": "hybrid-abc123-rows"}.get(name, name),
    )  # fmt: skip
    made.__dict__.update(parts)
    return made


def failure(check: Callable[[Any], object], made: Any) -> Failed:
    with pytest.raises(Failed) as caught:
        check(made)
    return caught.value


def booted(
    state: str, code: int | None, *log: str, inside: str = "", journal: list[str] | None = None
) -> Any:
    server = SimpleNamespace(
        boot=lambda: Boot(state, code, 1.0, log), instance_id="i-1", journal=lambda *_, **__: journal or []
    )
    cloud = SimpleNamespace(output_inside=lambda *_: (0, inside))
    return lab(server=server, system=SimpleNamespace(cloud=cloud))


@pytest.mark.parametrize(
    ("made", "reason", "hint"),
    [
        (booted("ok", None), "your boot script never ran", "begins with #!"),
        (booted("failed", 127, "bash: line 7: pip3: command not found", *CLOUD_INIT), "ended with 127: bash: line 7: pip3: command not found", "which package has this command"),
        (booted("failed", 1, "flask-app does not answer on port 5417:", *JOURNAL, *CLOUD_INIT), "ended with 1: ValueError: Invalid host/port specified.", "choked on"),
        (booted("failed", 1, "+ set -e", *CLOUD_INIT), "ended with 1, and its log does not say why", "read the boot log"),
        (booted("running-user-data", None, inside="+ for _ in {1..300}", journal=JOURNAL), "has not ended after more than a minute: ValueError: Invalid host/port", "choked on"),
        (booted("running-user-data", None), "has not ended after more than a minute, and its log does not say why", "read the boot log"),
        (booted("ok", 0, "cp: cannot stat 'x': No such file or directory", "done"), "the boot log holds an error: cp: cannot stat", "which step makes that file"),
    ],
)  # fmt: skip
def test_boot_clean_quotes_the_program_that_failed(made: Any, reason: str, hint: str) -> None:
    failed = failure(check_boot_clean.check, made)
    assert reason in failed.reason
    assert hint in failed.hint
    assert not [line for line in failed.evidence if "Cloud-init" in line]


def served(environment: dict[str, str] | None, journal: list[str] | None = None) -> Any:
    program = None if environment is None else Program(7, ("python",), environment, (5417,))
    return lab(server=SimpleNamespace(application=lambda: program, journal=lambda *_, **__: journal or []))


RIGHT = {
    "AWS_REGION": "eu-north-1", "S3_BUCKET": "hybrid-abc123-images", "DYNAMODB_TABLE": "hybrid-abc123-rows",
    "LAB_TOKEN": VARIANT.lab_token, "PORT": "5417",
}  # fmt: skip


@pytest.mark.parametrize(
    ("made", "reason", "hint"),
    [
        (served(None, JOURNAL), "no program listens on port 5417 of your server by IPv4: ValueError: Invalid host/port", "choked on"),
        (served(None), "no program listens on port 5417 of your server", "what became of the service"),
        (served({}), "the service does not see AWS_REGION; the service does not see S3_BUCKET", "where does a unit get"),
        (served({**RIGHT, "AWS_REGION": "eu-north-1,"}), "the service sees another AWS_REGION: 'eu-north-1,'", "letter for letter"),
        (served({**RIGHT, "S3_BUCKET": ""}), "the service sees another S3_BUCKET: ''", "letter for letter"),
    ],
)  # fmt: skip
def test_unit_env_tells_what_is_missing_from_what_is_wrong(made: Any, reason: str, hint: str) -> None:
    failed = failure(check_unit_env.check, made)
    assert reason in failed.reason
    assert hint in failed.hint


def test_unit_env_takes_the_other_name_of_the_region() -> None:
    check_unit_env.check(
        served({**{k: v for k, v in RIGHT.items() if k != "AWS_REGION"}, "AWS_DEFAULT_REGION": "eu-north-1"})
    )


def dead(unit: Unit | None, *journal: str, before: bool = True) -> Any:
    """A server whose service works, or not, until it is stopped or killed, and not afterwards."""
    answers = iter([before])
    server = SimpleNamespace(
        wait_healthy=lambda _: next(answers, False), units=lambda: {unit.name: unit} if unit else {}, stop=lambda: None,
        start=lambda: None, kill_application=lambda: True, journal=lambda *_, **__: list(journal),
    )  # fmt: skip
    return lab(server=server)


FAILED_UNIT = Unit(SERVICE, "failed", "failed", "start-limit-hit", 0, 5)


@pytest.mark.parametrize(
    "check", [check_comes_back, check_crash_restart], ids=["comes-back", "crash-restart"]
)
@pytest.mark.parametrize(
    ("unit", "journal", "reason", "hint"),
    [
        (None, (), "systemd did not start it", "which word is for every boot"),
        (FAILED_UNIT, (f"{JOURNAL[0]}", "Nov 28 05:08:13 h systemd[1]: flask-app.service: Failed to load environment files: No such file or directory"), "it failed: flask-app.service: Failed to load environment files", "still there after a boot"),
        (FAILED_UNIT, ("Nov 28 05:08:13 h python[3]: ModuleNotFoundError: No module named 'x'",), "it failed: ModuleNotFoundError", "what their runtime brings"),
        (Unit(SERVICE, "inactive", "dead", "success", 0, 0), (), "it is not running", ""),
    ],
)  # fmt: skip
def test_a_service_that_stays_away_is_told_as_systemd_tells_it(
    check: Any,
    unit: Unit | None,
    journal: tuple[str, ...],
    reason: str,
    hint: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(check, "healthy_again", lambda *_: False)
    monkeypatch.setattr(waiting, "image_problem", lambda *_: "")
    failed = failure(check.check, dead(unit, *journal))
    assert reason in failed.reason
    assert hint in failed.hint or (unit is None and check is check_crash_restart)
    never = failure(check.check, dead(unit, *journal, before=False))
    assert "before anything was" in never.reason


@pytest.mark.parametrize(
    ("written", "wrong"),
    [
        ("2026-11-28T05:08:14", "created_at has no zone"),
        ("2026-11-28T10:38:14+05:30", "created_at is in another zone, not in UTC"),
        ("2026-11-27T05:08:14+00:00", "created_at is not the time of this run"),
        ("28.11.2026", "created_at is no time in ISO 8601"),
        ("", "created_at is missing"),
        ("2026-11-28T05:08:14Z", ""),
    ],
)
def test_each_mistake_in_a_time_has_its_own_reason(written: str, wrong: str) -> None:
    now = datetime(2026, 11, 28, 5, 8, 14, tzinfo=UTC)
    row = (
        {"created_at": {"S": written}, "original_url": {"S": "u"}}
        if written
        else {"original_url": {"S": "u"}}
    )
    told = [text for holds, text in rows.origin(row, "u", now, now) if not holds]
    assert bool(told) == bool(wrong)
    assert all(text.startswith(wrong) for text in told)


def test_a_failed_deployment_is_told_wherever_its_outputs_are_missed() -> None:
    reason = "Bucket (AWS::S3::Bucket): AccessDenied"
    system: Any = SimpleNamespace(deployment=Deployment("cloudformation", "x", "failed", {}, reason=reason))
    made = Lab("path-health", SimpleNamespace(), system, lambda _: None)  # type: ignore[arg-type, return-value]
    failed = failure(check_path_health.check, made)
    assert failed.reason == f"it can't be tried: your files are not deployed: {reason}"
    system.deployment = Deployment("cloudformation", "x", "complete", {"VpcId": "vpc-1"})
    assert failure(check_path_health.check, made).reason == "your deployment has no output InstanceId"


@pytest.mark.parametrize(
    ("again", "left", "reason", "hint"),
    [
        ("The stack ended as DELETE_FAILED: The bucket you tried to delete is not empty", ["s3 bucket x"], "deleting failed: The stack", "emptied by the kit"),
        ("", ["s3 bucket x"], "still there after deleting: s3 bucket x", "a retention, a protection"),
        ("DependencyViolation", [], "deleting again, after it was killed", "what still uses it"),
    ],
)  # fmt: skip
def test_what_is_left_is_told_with_the_reason(again: str, left: list[str], reason: str, hint: str) -> None:
    def destroy(*, stop_after: int = 0) -> None:
        if again and not stop_after:
            raise Failed(again)

    s3 = SimpleNamespace(put_object=lambda **_: None)
    bucket = SimpleNamespace(clients=SimpleNamespace(client=lambda _: s3))
    standing = iter([["stack x"]])
    other = SimpleNamespace(
        system=SimpleNamespace(buckets=lambda: ["x"]), destroy=destroy, clients=bucket.clients,
        survivors=lambda: next(standing, left),
    )  # fmt: skip
    made = lab(disposable_copy=lambda: other, unique=lambda stem: stem)
    failed = failure(check_destroy_clean.check, made)
    assert failed.reason.startswith(reason)
    assert hint in failed.hint


@pytest.mark.parametrize(
    ("answer", "reason", "hint"),
    [
        (Answer(error="Runtime.ImportModuleError: Unable to import module 'index': No module named 'requests'"), "your function failed: Runtime.ImportModuleError", "what their runtime brings"),
        (Answer(status=200, problem='"body" must be text; it is dict'), "the answer can't be read: \"body\" must be text", "status, text, result"),
        (Answer(status=500, body={"error": "An error occurred (AccessDenied) when calling"}), "the status is 500: 500 ", "policy allows"),
    ],
)  # fmt: skip
def test_an_answer_that_is_wrong_is_told_with_its_words(answer: Answer, reason: str, hint: str) -> None:
    images = SimpleNamespace(
        make=lambda *_: b"x" * 600, publish=lambda *_, **__: "http://images.lab.example/a.png"
    )
    made = lab(images=images, function=SimpleNamespace(invoke=lambda *_, **__: answer))
    failed = failure(check_answer_ok.check, made)
    assert failed.reason.startswith(reason)
    assert hint in failed.hint


def test_kinds_of_answers_of_a_dead_server_are_words_of_ours() -> None:
    kinds = [
        check_dead_server_504._kind(each)
        for each in (Answer(error="x: y"), Answer(problem="no JSON"), Answer(status=502), Answer(status=987))
    ]
    assert kinds == ["an error", "no answer that a client can read", "status 502", "another status"]
