"""What differs from run to run is named by its role."""

import pytest

from labkit.grading.judging.naming import Names, cut

OUTPUTS = {
    "InstanceId": "i-0123456789abcdef0",
    "InstancePrivateIp": "10.30.1.7",
    "InstancePublicIp": "54.1.2.3",
}


@pytest.mark.parametrize(
    ("text", "stable"),
    [
        ("i-0123456789abcdef0 at 10.30.1.7", "<server> at <server's private address>"),
        ("sg-0123456789abcdef0 or i-00000000000000001", "<security group> or <instance>"),
        ("id 123e4567-e89b-12d3-a456-426614174000.png", "id <uuid>.png"),
        ("at 2026-01-02T03:04:05.678+00:00!", "at <time>+00:00!"),
        (
            "at 2026-01-02T03:04:05+05:30, 2026-01-02 03:04:05Z, 2026-01-02T03:04:05",
            "at <time>+05:30, <time>Z, <time>",
        ),
        (
            "ami-0123456789abcdef0 is typed, ami-0fedcba9876543210 is not",
            "ami-0123456789abcdef0 is typed, <image> is not",
        ),
        ("after 5.013 s, 12.5 ms", "after <some> s, <some> ms"),
        ("over 8 s", "over 8 s"),
        ("finished at Sat, 28 Nov 2026 05:08:14 +0000. Up", "finished at <time>. Up"),
        ('{"lambda_ec2_call_time_ms": 97.0}', '{"lambda_ec2_call_time_ms": <some>}'),
        ("from 198.51.100.7 to 0.0.0.0/0", "from <address> to 0.0.0.0/0"),
        ("own 10.30.0.0/16 and 10.30.1.254", "own 10.30.0.0/16 and 10.30.1.254"),
        ("assumed-role/abc-server/i-0aaaaaaaaaaaaaaaa:", "assumed-role/abc-server/<session>:"),
        ("<Pool object at 0x7f12ab34cd>", "<Pool object at <object>>"),
        ("flask[412]: Boom", "flask[<pid>]: Boom"),
    ],
)
def test_volatile_text_is_named_by_role(text: str, stable: str) -> None:
    assert Names(OUTPUTS, fixed="nobody lives at 10.30.1.254 on ami-0123456789abcdef0").stable(text) == stable


@pytest.mark.parametrize("limit", range(1, 120, 3))
def test_two_runs_are_cut_at_the_same_place(limit: int) -> None:
    """Times, addresses and ids are of different lengths in each run; what is left of the text is not."""
    form = '500 {{"error": "no answer from {}, took {} s", "lambda_ec2_call_time_ms": {}, "id": "{}", "role": "abc"}}'
    runs = (
        ("10.30.1.7", "5.1", "7.25", "i-0123456789abcdef0"),
        ("10.30.1.254", "5.013", "1127.0", "i-01234567"),
    )
    first, second = (Names({}).stable(cut(form.format(*values), limit)) for values in runs)
    assert first == second
    assert cut("a text of nobody's", limit) == "a text of nobody's"[:limit]
