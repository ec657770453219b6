"""From an answer, a journal, a policy to the lines that show the cause."""

from uuid import UUID

from labkit.lesson import watching
from labkit.lesson.path import diagnosis

JOURNAL = """\
Nov 23 07:01:06 ip python3.11[10]: Traceback (most recent call last):
Nov 23 07:01:06 ip python3.11[10]:   File "/usr/lib/python3.11/waitress/runner.py", line 204, in run
Nov 23 07:01:06 ip python3.11[10]:     app = loads(args)
Nov 23 07:01:06 ip python3.11[10]:   File "/opt/flask-app/flask_app.py", line 83
Nov 23 07:01:06 ip python3.11[10]:     return jsonify(error="no url"), 400)
Nov 23 07:01:06 ip python3.11[10]:                                         ^
Nov 23 07:01:06 ip python3.11[10]: SyntaxError: unmatched ')'
Nov 23 07:01:06 ip systemd[1]: flask-app.service: Main process exited, code=exited, status=1/FAILURE
""".splitlines()


def test_the_line_of_ones_own_code_is_found() -> None:
    assert diagnosis.crash(JOURNAL) == (
        'flask_app.py line 83:   return jsonify(error="no url"), 400)',
        "SyntaxError: unmatched ')'",
    )


def test_a_journal_without_errors_says_nothing() -> None:
    assert diagnosis.crash(["Nov 23 ip python3.11[10]: INFO:waitress:Serving on http://0.0.0.0:5760"]) == ()


def test_code_that_is_too_new_for_the_server_is_named() -> None:
    lines = diagnosis.newer_python("ImportError: cannot import name 'UTC' from 'datetime' (/usr/lib/…)")
    assert "needs Python 3.11" in lines[0]


class Files:
    """Files whose texts are as a script says, look after look."""

    def __init__(self, *looks: str) -> None:
        self._looks = list(looks)

    def hashes(self) -> dict[str, str]:
        return {"flask_app.py": self._looks.pop(0) if len(self._looks) > 1 else self._looks[0]}


def test_a_save_counts_once_the_text_is_at_rest() -> None:
    noticed = watching.saves(Files("a", "a", "half", "whole", "whole"), pause=0)
    assert next(noticed) == []
    assert next(noticed) == ["flask_app.py"]


def test_two_arns_can_be_compared_in_76_columns() -> None:
    bucket = "arn:aws:s3:::hybrid-irt3pb-lab-images-123456789012-ap-south-1"
    image = f"{bucket}/irt3pb/{UUID(int=7)}.jpg"
    assert diagnosis.arn_lines("allowed  ", bucket) == [f"allowed  {bucket}"]
    assert diagnosis.arn_lines("asked    ", image) == [
        "asked    arn:aws:s3:::",
        "         hybrid-irt3pb-lab-images-123456789012-ap-south-1/irt3pb/….jpg",
    ]


def test_the_line_that_imports_what_is_not_there_is_found() -> None:
    """Lambda names the module and no line when a file does not load at its top."""
    text = "import json\nimport jsonn, os\nfrom urllib3 import Nothing\n"
    assert diagnosis.importing(text, "Unable to import module 'index': No module named 'jsonn'") == [2]
    assert diagnosis.importing(text, "cannot import name 'Nothing' from 'urllib3'") == [3]
    assert diagnosis.importing(text, "KeyError: 'x'") == []


def test_an_error_of_a_library_is_told_with_the_line_of_the_own_code() -> None:
    journal = [
        "Nov 23 ip python3.11[10]: ERROR in flask_app: Parameter validation failed:",
        "Nov 23 ip python3.11[10]: Traceback (most recent call last):",
        'Nov 23 ip python3.11[10]:   File "/opt/flask-app/flask_app.py", line 205, in set_status',
        "Nov 23 ip python3.11[10]:     table.change(Key=1)",
        'Nov 23 ip python3.11[10]:   File "/usr/lib/botocore/client.py", line 602, in _api_call',
        "Nov 23 ip python3.11[10]:     return self._make_api_call(operation_name, kwargs)",
        "Nov 23 ip python3.11[10]: botocore.exceptions.ParamValidationError: Parameter validation failed:",
        "Nov 23 ip python3.11[10]: Invalid type for parameter Key.image_id",
    ]
    assert diagnosis.crash(journal) == (
        "flask_app.py line 205:   table.change(Key=1)",
        "botocore.exceptions.ParamValidationError: Parameter validation failed:",
    )
