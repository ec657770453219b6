"""What host names mean to this machine's shell."""

import pytest

from labkit.cloud.endpoints.outside import look_up
from labkit.cloud.web.proxy import Nowhere


@pytest.mark.parametrize(
    ("host", "words"),
    [
        ("10.0.1.4", "private address"),
        ("example.com", "nothing of this shell leaves the machine"),
        ("54.214.94.123", "nothing of this shell leaves the machine"),
        ("sqs.us-east-1.amazonaws.com", "AWS is the local cloud"),
        ("ap-south-1.queue.amazonaws.com", "AWS is the local cloud"),
    ],
)
def test_what_is_not_here_is_refused_and_not_asked(host: str, words: str) -> None:
    with pytest.raises(Nowhere, match=words):
        look_up(host)
    assert look_up("ec2-203-0-113-20.compute-1.amazonaws.com") == "203.0.113.20"
