"""What AWS's services ask on a role's behalf: whether it may.

What belongs here: those questions. What does not: deciding about requests that come in through the door (labkit.cloud.door).
"""

from collections.abc import Callable

from labkit.aws import addresses
from labkit.aws.iam import Request, evaluate
from labkit.aws.network import names
from labkit.aws.network.model import Flow, Verdict
from labkit.aws.records import InstanceRecord, Principal
from labkit.cloud.moto_seam.identity.simulation import Policies

#: what a managed node's role must be allowed (Systems Manager, "Configure instance permissions")
_AGENT_REPORTS = "ssm:UpdateInstanceInformation"


class Roles:
    """Answers by the policies in force; `decide` and `process_of` (0: it is down) tell about an instance."""

    def __init__(
        self, policies: Policies, decide: Callable[[Flow], Verdict], process_of: Callable[[str], int]
    ) -> None:
        self._policies, self._decide, self._process_of = policies, decide, process_of

    def allows(self, role_arn: str, action: str, resource: str, region: str = "") -> bool:
        """Whether the role may; without `region` the resource's ARN names it."""
        session = Principal("session", role_arn, addresses.ACCOUNT_ID, role_arn=role_arn)
        request = Request(
            session, action, (resource,), {"aws:requestedregion": region or resource.split(":")[3]}
        )
        boundary = self._policies.boundary(session)
        return evaluate(request, list(self._policies.identity_policies(session)), boundary=boundary).allowed

    def reports(self, record: InstanceRecord) -> bool:
        """Whether Systems Manager's agent in an instance reports: it runs, its role may, and it reaches the service."""
        allowed = record.role_arn and self.allows(record.role_arn, _AGENT_REPORTS, "*", record.region)
        if not allowed or not self._process_of(record.instance_id):
            return False
        endpoint = names.parse(f"ssm.{record.region}.amazonaws.com")
        assert endpoint is not None
        return self._decide(Flow(record.instance_id, names.address_of(endpoint), 443)).arrives
