"""Line imds-v2."""

from labkit.grading.api import Failed, Lab

_ADDRESS = "http://169.254.169.254/latest/meta-data/instance-id"


def check(lab: Lab) -> None:
    """Your server's metadata service asks for a token (IMDSv2).

    With version 1 any URL that your server is talked into fetching gives away its role's credentials.
    """
    _judge(lab, _without_token(lab))


def live(lab: Lab) -> None:
    """Your server's metadata options require a token."""
    _judge(lab, "nobody asked")


def _judge(lab: Lab, answer: str) -> None:
    told = lab.server.description.get("MetadataOptions", {}).get("HttpTokens", "not set")
    if told != "required" or answer == "200":
        raise Failed(
            f"the metadata service answers without a token (HttpTokens: {told})",
            hint="require tokens in the server's metadata options",
            expected="HttpTokens: required, and 401 without one", found=f"{told}, and {answer or 'silence'}",
        )  # fmt: skip


def _without_token(lab: Lab) -> str:
    """The status that version 1's way of asking gets inside the server."""
    lab.server.boot()
    asked = ["curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", _ADDRESS]
    return lab.system.cloud.output_inside(lab.server.instance_id, asked)[1].strip()
