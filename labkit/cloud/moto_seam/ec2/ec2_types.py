"""DescribeInstanceTypes: those that the region offers, a page at a time.

What belongs here: which types an answer has. What does not: what may be run (ec2_run).

AWS: Amazon EC2 API reference, DescribeInstanceTypes: MaxResults is 5 to 100; a page has no more than 100.
"""

import base64
import binascii
from typing import Any

from labkit.cloud.moto_seam.ec2.ec2_run import types_offered
from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

_LEAST, _MOST = 5, 100


def correct_types(replacements: Replacements) -> None:
    """Write out the types of a page only: moto writes out all 1400 for any question, which takes seconds."""
    from moto.ec2.responses.instances import InstanceResponse

    replacements.put(InstanceResponse, "describe_instance_types", _describe)


def _describe(self: Any) -> Any:
    from moto.core.responses import ActionResult

    most, token = self._get_param("MaxResults"), self._get_param("NextToken")
    names, filters = self._get_param("InstanceTypes", []), self._filters_from_querystring()
    offered = types_offered(self.ec2_backend.region_name)
    found = [
        each
        for each in self.ec2_backend.describe_instance_types(names, filters)
        if each["InstanceType"] in offered
    ]
    start, end = _start_of(token), _start_of(token) + _checked(most)
    following = {"NextToken": _token(end)} if end < len(found) else {}
    return ActionResult({"InstanceTypes": found[start:end], **following})


def _checked(most: Any) -> int:
    if most is None:
        return _MOST
    if not _LEAST <= int(most) <= _MOST:
        relation, bound = ("greater", _LEAST) if int(most) < _LEAST else ("less", _MOST)
        words = f"Value ( {most} ) for parameter maxResults is invalid. Expecting a value {relation} than or equal to {bound}."
        raise ec2_error("InvalidParameterValue", words)
    return int(most)


def _token(start: int) -> str:
    return base64.urlsafe_b64encode(f"DescribeInstanceTypes:{start}".encode()).decode()


def _start_of(token: Any) -> int:
    if not token:
        return 0
    try:
        operation, _, start = base64.urlsafe_b64decode(str(token)).decode().partition(":")
    except (binascii.Error, ValueError):
        operation, start = "", ""
    if operation != "DescribeInstanceTypes" or not start.isdecimal():
        raise ec2_error("InvalidParameterValue", "Unable to parse pagination token")
    return int(start)
