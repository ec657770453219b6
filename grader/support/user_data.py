"""What the server was told of its own settings: its user data, in which the templates' parameters stand.

What belongs here: reading a setting from the script as it was deployed. What does not: whose values they are
(own-variant judges that, and no other line does again).
"""

import base64
import re

from labkit.grading.api import Lab

_PORT = re.compile(r"[1-9][0-9]{0,4}", re.ASCII)
_PREFIX = re.compile(r"[a-z0-9]{4,12}")


def script(lab: Lab) -> str:
    """The user data of the deployed server."""
    api = lab.clients.client("ec2")
    answer = api.describe_instance_attribute(InstanceId=lab.server.instance_id, Attribute="userData")
    return base64.b64decode(answer.get("UserData", {}).get("Value", "")).decode(errors="replace")


def values(text: str, name: str) -> set[str]:
    """What the script sets `name` to; empty where it is set to no plain value."""
    return set(re.findall(rf"(?m)^\s*(?:export\s+)?{name}=[\"']?([^\s\"';$]+)", text))


def port(lab: Lab) -> int:
    """The port on which the server was told to listen: a student's, though it may be another's."""
    return int(_told(lab, "PORT", _PORT) or lab.variant.port)


def prefix(lab: Lab) -> str:
    """The prefix below which the server was told to store: a student's, though it may be another's."""
    return _told(lab, "OBJECT_PREFIX", _PREFIX) or lab.variant.prefix


def _told(lab: Lab, name: str, form: re.Pattern[str]) -> str:
    """The one value of this form that the script gives the name; "" for none or several."""
    given = values(script(lab), name)
    return given.pop() if len(given) == 1 and all(map(form.fullmatch, given)) else ""
