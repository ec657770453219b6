"""Secrets leave no machine: by their form, by their value; what the lab's own files say stays as it is."""

import pytest

from labkit.base.redaction import Redaction, known
from tests.unit.classroom.rosters import LAB


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("key AKIAIOSFODNN7EXAMPLE here", "key [an AWS key id] here"),
        ('"SecretAccessKey": "wJalrXUtnFEMI/K7MDENG/bPxRfiCY"', '"SecretAccessKey": "[an AWS secret]"'),
        ("aws_session_token = IQoJb3JpZ2luX2VjEJr//////////", "aws_session_token = [an AWS secret]"),
        ("GET /x?X-Amz-Signature=0123456789abcdef&y=1", "GET /x?X-Amz-Signature=[a signature]&y=1"),
        ("Authorization: Bearer abcdefghijklmnop1234", "Authorization: Bearer [a token]"),
        ("ghp_0123456789012345678901234567890123456", "[a token]"),
        ("https://ada:hunter2@git.example/x", "https://ada:[a password]@git.example/x"),
        ("-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----\n", "[a private key]\n"),
        ("File /home/ada/lab/x.py, /home/ada2/y", "File ~/lab/x.py, /home/ada2/y"),
        ("it said correct horse battery", "it said [a secret of this machine]"),
    ],
)
def test_what_is_secret_is_taken_out_and_the_rest_stays(text: str, left: str) -> None:
    rules = Redaction(known({"API_TOKEN": "correct horse battery", "LANG": "C.UTF-8"}), {"/home/ada": "~"})
    assert rules.clean(text)[0] == left


def test_what_was_taken_out_is_counted_and_short_values_are_no_secrets() -> None:
    text, found = Redaction(known({"TOKEN": "no", "MY_SECRET": "longenough"})).clean(
        "no longenough longenough"
    )
    assert (text, found) == (
        "no [a secret of this machine] [a secret of this machine]",
        {"a secret of this machine": 2},
    )


def test_the_labs_own_files_have_nothing_to_take_out() -> None:
    from labkit.course.rendering import Renderer
    from labkit.course.variant import make_variant

    values = make_variant(LAB.salt, "ada@uni.edu").values()
    for solution in (False, True):
        for text in Renderer(LAB.root, LAB.files).render(values, solution=solution).values():
            assert Redaction().clean(text) == (text, {})
