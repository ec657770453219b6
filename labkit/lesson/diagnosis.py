"""Why the path stops where it stops: from what was seen to the gap that decides it.

What belongs here: reading symptoms (an answer, a description) and naming the hop, the reason, the gap.
What does not: calling the function (labkit.lesson.invoking) or showing anything.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from labkit.lesson.invoking import Answer
from labkit.lesson.model import CheckResult


@dataclass(frozen=True)
class Scene:
    """What the AWS API says about the path: the function's configuration and the server's door."""

    function_subnets: Sequence[str]
    function_groups: Sequence[str]
    flask_url: str
    server_address: str
    port: int
    door: Sequence[Mapping[str, Any]]  # IpPermissions of the server's groups

    @property
    def door_open(self) -> bool:
        """Whether some rule names the port and the function's group, or a range of addresses."""
        return any(self._lets_in(permission) for permission in self.door)

    def _lets_in(self, permission: Mapping[str, Any]) -> bool:
        if permission.get("IpProtocol") not in ("tcp", "-1"):
            return False
        in_range = permission.get("FromPort", 0) <= self.port <= permission.get("ToPort", 65535)
        groups = {pair["GroupId"] for pair in permission.get("UserIdGroupPairs", [])}
        return in_range and bool(groups & set(self.function_groups) or permission.get("IpRanges"))


def look(clients: Any, outputs: Mapping[str, str], port: int) -> Scene:
    """Read the scene through the AWS API."""
    function = clients.client("lambda").get_function_configuration(FunctionName=outputs["LambdaFunctionName"])
    network = function.get("VpcConfig", {})
    ec2 = clients.client("ec2")
    answer = ec2.describe_instances(InstanceIds=[outputs["InstanceId"]])
    instance = answer["Reservations"][0]["Instances"][0]
    groups = ec2.describe_security_groups(GroupIds=[g["GroupId"] for g in instance["SecurityGroups"]])
    return Scene(
        function_subnets=network.get("SubnetIds", []),
        function_groups=network.get("SecurityGroupIds", []),
        flask_url=function.get("Environment", {}).get("Variables", {}).get("EC2_FLASK_URL", ""),
        server_address=instance.get("PrivateIpAddress", ""),
        port=port,
        door=[p for g in groups["SecurityGroups"] for p in g["IpPermissions"]],
    )


def health(answer: Answer, scene: Scene, server_log: Sequence[str]) -> CheckResult:
    """The check "client → function → VPC → door → server", from a health call's answer."""
    name = "your function reaches your server"
    if answer.status == 200:
        return CheckResult(name, True)
    if answer.problem.startswith("Runtime."):  # AWS's error types of a function that does not load
        hint = "Mend lambda_function.py, then:  ./lab deploy"
        return CheckResult(name, False, f"your function does not load: {answer.problem}", hint=hint)
    gap, reason = _unreachable(answer, scene, server_log)
    return CheckResult(
        name, False, reason, hint=f"Write the gap {gap}, then:  ./lab deploy" if gap else "Read ./lab cloud logs",
        expected="status 200", found=f"status {answer.status}: {answer.message}"[:200], gap=gap,
    )  # fmt: skip


def _unreachable(answer: Answer, scene: Scene, server_log: Sequence[str]) -> tuple[str, str]:
    wanted = f"http://{scene.server_address}:{scene.port}"
    if not scene.function_subnets:
        return "lambda-network", "your function is not inside your network (no VPC configuration)"
    if scene.flask_url.rstrip("/") != wanted:
        found = scene.flask_url or "nothing"
        return "lambda-network", f"EC2_FLASK_URL is {found}, your server is at {wanted}"
    if not scene.door_open:
        return "server-door", (
            f"{answer.seconds:.0f} s of silence: your server's security group drops the packet "
            f"(no rule for tcp {scene.port} from your function's group)"
        )
    if answer.status == 501:
        return "lambda-call", f"your function says: {answer.message}"
    last = f". Its last lines: {' ⏎ '.join(server_log[-3:])}" if server_log else ""
    return "unit", f"status {answer.status}: {answer.message or 'no answer'}{last}"


#: words in an answer → the gap they point to, the first that fits
_WORDS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("gap lambda-call",), "lambda-call"),
    (("gap download",), "download"),
    (("gap store",), "store"),
    (("gap record",), "record"),
    (("accessdenied", "not authorized"), "server-policy"),
    (("s3_bucket", "dynamodb_table", "invalid bucket name", "no bucket", "bucket none"), "unit"),
)


def refusal(answer: Answer) -> tuple[str, str]:
    """(gap, reason) of an image that was not processed; the gap is "" where no word points to one."""
    text = f"{answer.message} {answer.body}".lower()
    gap = next((gap for words, gap in _WORDS if any(word in text for word in words)), "")
    return gap, f"status {answer.status}: {answer.message or 'no reason given'}"
