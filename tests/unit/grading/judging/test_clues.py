"""One line says what failed, that of the program that failed, and the hint fits it."""

import time

import pytest

from labkit.grading.judging.clues import clue, next_thing, telling

CLOUD_INIT = [
    "Cloud-init v. 22.2.2 running 'modules:final' at Sat, 28 Nov 2026 05:08:14 +0000. Up 3.1 seconds.",
    "2026-11-28 05:08:15,123 - cc_scripts_user.py[WARNING]: Failed to run module scripts-user (scripts in /var/lib/cloud/instance/scripts)",
    "2026-11-28 05:08:15,124 - util.py[WARNING]: Running module scripts-user failed",
    "Cloud-init v. 22.2.2 finished at Sat, 28 Nov 2026 05:08:14 +0000. Datasource DataSourceEc2Local.  Up 3.98 seconds",
]
HOST = "Nov 28 05:08:13 ip-10-30-1-4 "
JOURNAL = [
    f"{HOST}systemd[1]: Started Image server of the hybrid lab.",
    f"{HOST}python3.11[412]: Traceback (most recent call last):",
    f'{HOST}python3.11[412]:   File "/usr/lib/python3.11/site-packages/waitress/adjustments.py", line 395, in __init__',
    f'{HOST}python3.11[412]:     raise ValueError("Invalid host/port specified.")',
    f"{HOST}python3.11[412]: ValueError: Invalid host/port specified.",
    f"{HOST}systemd[1]: flask-app.service: Main process exited, code=exited, status=1/FAILURE",
    f"{HOST}systemd[1]: flask-app.service: Failed with result 'exit-code'.",
]


@pytest.mark.parametrize(
    ("lines", "line"),
    [
        (["+ dnf install -y x", "bash: line 7: pip3: command not found", *CLOUD_INIT], "bash: line 7: pip3: command not found"),
        (["+ systemctl start flask-app", "flask-app does not answer on port 5417:", *JOURNAL, *CLOUD_INIT], "ValueError: Invalid host/port specified."),
        (["Unknown command verb set-environment.", *CLOUD_INIT], "Unknown command verb set-environment."),
        (["Usage: useradd [options] NAME", *CLOUD_INIT], "Usage: useradd [options] NAME"),
        (["all went well", *CLOUD_INIT], "all went well"),
        (["+ set +x", *CLOUD_INIT], ""),
        ([], ""),
        (["Traceback (most recent call last):", '  File "x.py", line 3, in f', "    g()", "    ^^^", "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling"], "botocore.exceptions.ClientError: An error occurred (AccessDenied) when calling"),
        (["2026-11-28T05:08:13.123456+00:00 ip-10-30-1-4 flask[7]: KeyError: 'S3_BUCKET'"], "KeyError: 'S3_BUCKET'"),
    ],
)  # fmt: skip
def test_the_line_of_the_program_that_failed(lines: list[str], line: str) -> None:
    assert telling(lines) == line


@pytest.mark.parametrize(
    ("text", "name", "hint"),
    [
        ("ClientError: An error occurred (UnrecognizedClientException) when calling the PutItem", "UnrecognizedClientException", "take access keys out"),
        ("An error occurred (ValidationException): Invalid UpdateExpression: Attribute name is a reserved keyword; reserved keyword: status", "a reserved word", "need #"),
        ("Unable to import module 'index': No module named 'requests'", "ModuleNotFoundError", "what their runtime brings"),
        ("AccessDeniedException: User is not authorized to perform: dynamodb:PutItem", "AccessDenied", "policy allows"),
        ("AccessDenied ... with an explicit deny in a resource-based policy", "an explicit deny", "which statement denies"),
        ("2026 Task timed out after 3.00 seconds", "Task timed out", "own time-out came first"),
        ("Unable to locate credentials", "NoCredentialsError", "instance profile"),
        ("flask-app.service: Failed with result 'start-limit-hit'.", "start-limit-hit", "systemd gave up"),
        ("Failed to load environment files: No such file or directory", "EnvironmentFile", "still there after a boot"),
        ("DELETE_FAILED: The bucket you tried to delete is not empty (BucketNotEmpty)", "BucketNotEmpty", "begins with your lab's own"),
        ("500 PermanentRedirect", "another region", "typed into a file"),
    ],
)  # fmt: skip
def test_a_known_failure_has_its_name_and_a_hint_that_fits(text: str, name: str, hint: str) -> None:
    found = clue(text)
    assert found is not None
    assert found.name == name
    assert hint in next_thing(text)


def test_what_is_not_known_has_the_lines_own_hint() -> None:
    assert next_thing("all went well", "read the log") == "read the log"
    assert next_thing("") == ""


def test_long_texts_take_no_longer_than_they_are_long() -> None:
    begun = time.process_time()
    for text in ("a" * 500_000, "connect " * 60_000, "No such " * 60_000, "\t" * 100_000, "Error" * 90_000):
        clue(text)
        telling([text[:20_000]])
    assert time.process_time() - begun < 4
