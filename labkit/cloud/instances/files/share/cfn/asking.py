"""Asking CloudFormation as an instance of a stack: by its identity document, without credentials."""

import base64
import json
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from typing import Any

from .own import metadata

_TIMEOUT = 20.0


class Refused(Exception):
    """CloudFormation's own words."""


def ask(region: str, action: str, parameters: Mapping[str, str]) -> Any:
    """The answer to one action. Raises Refused, and OSError where the service is not reached."""
    document = base64.b64encode(metadata("dynamic/instance-identity/document").encode()).decode()
    body = urllib.parse.urlencode(
        {"Action": action, "Version": "2010-05-15", "ContentType": "JSON", **parameters}
    )
    return _sent(
        f"https://cloudformation.{region}.amazonaws.com/",
        "POST",
        body.encode(),
        {"Authorization": f"CFN_V1 {document}:"},
    )


def put(url: str, value: Mapping[str, str]) -> None:
    """Tell a wait condition's handle. Raises Refused, OSError."""
    _sent(url, "PUT", json.dumps(value).encode(), {"Content-Type": ""})


def _sent(url: str, method: str, body: bytes, headers: Mapping[str, str]) -> Any:
    request = urllib.request.Request(url, data=body, method=method, headers=dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT) as answer:
            return json.loads(answer.read() or b"{}")
    except urllib.error.HTTPError as error:
        try:
            told = json.loads(error.read())["Error"]
        except (ValueError, KeyError):
            raise Refused(f"{error.code} {error.reason}") from error
        raise Refused(f"{told.get('Code')}: {told.get('Message', '')}") from error
