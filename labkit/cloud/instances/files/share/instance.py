"""What programs of the image ask about their own instance: the metadata service, with a session token.

Runs inside the instance: standard library only. AWS: EC2 user guide, "Use IMDS".
"""

import urllib.error
import urllib.request

_SERVICE = "http://169.254.169.254/latest/"
_TOKEN_SECONDS = "60"
_TIMEOUT = 2.0


def metadata(path: str) -> str:
    """One value, for example "meta-data/instance-id"; "" where there is none. Raises OSError where nothing answers."""
    asked = urllib.request.Request(
        _SERVICE + "api/token", method="PUT", headers={"X-aws-ec2-metadata-token-ttl-seconds": _TOKEN_SECONDS}
    )
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(asked, timeout=_TIMEOUT) as answer:
        token = answer.read().decode()
    asked = urllib.request.Request(_SERVICE + path, headers={"X-aws-ec2-metadata-token": token})
    try:
        with opener.open(asked, timeout=_TIMEOUT) as answer:
            return str(answer.read().decode(errors="replace"))
    except urllib.error.HTTPError:
        return ""


def region() -> str:
    """The instance's region."""
    return metadata("meta-data/placement/region")
