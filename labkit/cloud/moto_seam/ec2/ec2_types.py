"""DescribeInstanceTypes: those that the region offers, a page at a time.

What belongs here: which types an answer has. What does not: what may be run (ec2_run).

AWS: Amazon EC2 API reference, DescribeInstanceTypes: MaxResults is 5 to 100; a page has no more than 100.
"""

from typing import Any

from labkit.aws import page_tokens
from labkit.cloud.moto_seam.ec2.ec2_run import types_offered
from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

_OPERATION = "DescribeInstanceTypes"
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
    start = _start_of(token)
    end = start + _checked(most)
    following = {"NextToken": page_tokens.token(_OPERATION, end)} if end < len(found) else {}
    return ActionResult({"InstanceTypes": found[start:end], **following})


def _checked(most: Any) -> int:
    if most is None:
        return _MOST
    if wrong := page_tokens.ec2_limit(int(most), _LEAST, _MOST):
        raise ec2_error("InvalidParameterValue", wrong)
    return int(most)


def _start_of(token: Any) -> int:
    start = page_tokens.start_of(_OPERATION, str(token)) if token else 0
    if start is None:
        raise ec2_error("InvalidParameterValue", page_tokens.UNKNOWN_TO_EC2)
    return start
