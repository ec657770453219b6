"""Commands to paste are shown whole on a terminal of 80 columns, and a shell puts them together again."""

import shlex

from labkit.lesson.help import byhand

LONG = (
    "aws lambda invoke --function-name hybrid-irt3pb-lab-process-image --cli-binary-format raw-in-base64-out "
    """--payload '{"image_url": "http://images.lab.example/03-circles.gif"}' answer.json && cat answer.json"""
)


def test_a_long_command_is_broken_where_a_shell_joins_it() -> None:
    lines = byhand.broken(LONG)
    assert len(lines) > 2
    assert max(map(len, lines)) <= 78
    assert shlex.split("\n".join(lines).replace("\\\n", "")) == shlex.split(LONG)


def test_a_short_one_stays_as_it_is() -> None:
    assert byhand.broken("aws s3 ls --recursive") == ("aws s3 ls --recursive",)
