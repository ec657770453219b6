"""Systems Manager's Run Command and managed nodes, which moto only pretends: the API of what really runs.

What belongs here: requests, answers and errors. What does not: running (labkit.cloud.instances.run_command), and who
is a managed node (asked of the data plane).

AWS: Systems Manager API reference, SendCommand, GetCommandInvocation, ListCommandInvocations, DescribeInstanceInformation.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Protocol

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import InstanceRecord
from labkit.base.text import whole
from labkit.cloud.instances.run_command import ENDED, Command, Invocation, Order
from labkit.cloud.moto_seam.ec2.ec2_records import instances
from labkit.cloud.moto_seam.replacing import Replacements

DOCUMENT = "AWS-RunShellScript"
PLUGIN = "aws:runShellScript"
_MOST_LISTED = 2500
_AGENT = "3.3.3050.0"
_FILTERS = ("InstanceIds", "PingStatus", "PlatformTypes", "ResourceType", "AgentVersion")


class Commands(Protocol):
    """Carries commands out (labkit.cloud.instances.run_command.RunCommand)."""

    def send(self, command: Command) -> Command: ...  # noqa: D102
    def commands(self, region: str) -> Sequence[Command]: ...  # noqa: D102
    def cancel(self, command: Command) -> None: ...  # noqa: D102


def correct_commands(
    replacements: Replacements, commands: Commands, managed: Callable[[InstanceRecord], bool]
) -> None:
    """Let commands run. `managed`: whether an instance's agent reports (it runs, its role may, it reaches the service)."""
    from moto.ssm.responses import SimpleSystemManagerResponse

    api = _Api(commands, managed)
    for name in ("send_command", "list_commands", "get_command_invocation"):
        replacements.put(SimpleSystemManagerResponse, name, _answering(getattr(api, name)))
    for name in ("list_command_invocations", "describe_instance_information", "cancel_command"):
        replacements.add(SimpleSystemManagerResponse, name, _answering(getattr(api, name)))


def _answering(method: Callable[[str, Mapping[str, Any]], Mapping[str, Any]]) -> Callable[[Any], Any]:
    """A method of moto's response that answers with what `method` says of region and parameters."""
    import json

    from moto.core.responses import ActionResult

    def answer(self: Any) -> Any:
        return ActionResult(method(self.region, json.loads(self.body or "{}")))

    return answer


def _error(code: str, message: str = "") -> Exception:
    from moto.ssm.exceptions import SSMException

    error: Exception = SSMException(code, message)
    return error


class _Api:
    """The operations: region and parameters to an answer."""

    def __init__(self, commands: Commands, managed: Callable[[InstanceRecord], bool]) -> None:
        self._commands, self._managed = commands, managed

    def send_command(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Begin a command on instances by id, or on those that targets choose."""
        name = asked.get("DocumentName", "")
        if name.rpartition("/")[2] != DOCUMENT:
            raise _no_document(region, name)
        order = _order(asked)
        here = {
            each.instance_id: each for each in instances() if each.region == region and self._managed(each)
        }
        wrong = [each for each in asked.get("InstanceIds", []) if each not in here]
        if wrong:
            words = ", ".join(wrong)
            raise _error(
                "InvalidInstanceId", f"Instances [[{words}]] not in a valid state for account {ACCOUNT_ID}"
            )
        if not asked.get("InstanceIds") and not asked.get("Targets"):
            raise _error("InvalidInstanceId", "Either InstanceIds or Targets must be specified")
        chosen = [*asked.get("InstanceIds", []), *_targets(asked.get("Targets", []), here.values())]
        made = Command(region, asked, order, {each: Invocation(each) for each in dict.fromkeys(chosen)})
        return {"Command": _command(self._commands.send(made))}

    def list_commands(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Commands, the newest first, by command or instance."""
        return _page("Commands", [_command(each) for each in self._chosen(region, asked)], asked)

    def list_command_invocations(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What became of commands, instance by instance; with Details what was printed."""
        found = [
            _listed(command, each, details=bool(asked.get("Details")))
            for command in self._chosen(region, asked)
            for each in command.invocations.values()
            if asked.get("InstanceId", each.instance_id) == each.instance_id
        ]
        return _page("CommandInvocations", found, asked)

    def get_command_invocation(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """What became of one command on one instance."""
        command = next(iter(self._chosen(region, {"CommandId": asked["CommandId"]})))
        found = command.invocations.get(asked["InstanceId"])
        if found is None or asked.get("PluginName", PLUGIN) not in (PLUGIN, "runShellScript"):
            raise _error("InvocationDoesNotExist")
        return _invocation(command, found)

    def cancel_command(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """Let no further instance begin; what runs goes on, as AWS may not reach it either."""
        self._commands.cancel(next(iter(self._chosen(region, asked))))
        return {}

    def describe_instance_information(self, region: str, asked: Mapping[str, Any]) -> Mapping[str, Any]:
        """The managed nodes: instances whose agent reports."""
        wanted = {each["Key"]: each["Values"] for each in asked.get("Filters", [])}
        wanted |= {each["key"]: each["valueSet"] for each in asked.get("InstanceInformationFilterList", [])}
        for name in wanted:
            if name not in _FILTERS and not name.startswith("tag"):
                raise _error("InvalidInstanceInformationFilterValue", f"The filter {name} is invalid.")
        nodes = [each for each in instances() if each.region == region and self._managed(each)]
        found = [_node(each) for each in nodes if _passes(each, wanted)]
        return _page("InstanceInformationList", found, asked)

    def _chosen(self, region: str, asked: Mapping[str, Any]) -> Sequence[Command]:
        found = self._commands.commands(region)
        if asked.get("CommandId"):
            found = [each for each in found if each.command_id == asked["CommandId"]]
            if not found:
                raise _error("InvalidCommandId")
        if asked.get("InstanceId"):
            found = [each for each in found if asked["InstanceId"] in each.invocations]
        return found


# -- what is asked ----------------------------------------------------------------------------------------


def _no_document(region: str, name: str) -> Exception:
    from labkit.cloud.moto_seam.backends import backend

    if name.startswith("AWS") or name in backend("ssm", region)._documents:
        return _error(
            "UnsupportedOperation", f"The local cloud runs the document {DOCUMENT} alone, not {name}."
        )
    return _error("InvalidDocument", f"Document with name {name} does not exist.")


def _order(asked: Mapping[str, Any]) -> Order:
    given = dict(asked.get("Parameters", {}))
    script = "\n".join(given.pop("commands", []))
    folder = "".join(given.pop("workingDirectory", [""]))
    seconds = "".join(given.pop("executionTimeout", ["3600"]))
    if given:
        raise _error(
            "InvalidParameters", f"Parameters: {', '.join(given)} are not defined in the SSM Document"
        )
    if not script:
        raise _error("InvalidParameters", "Required parameter commands is missing")
    if not re.fullmatch(r"[1-9]\d{0,4}|1[0-6]\d{4}|17[01]\d{3}|172[0-7]\d{2}|172800", seconds):
        raise _error("InvalidParameters", "executionTimeout does not match the pattern of the SSM Document")
    return Order(
        script, folder, int(seconds), _number(asked, "MaxConcurrency", 50), _number(asked, "MaxErrors", 0)
    )


def _number(asked: Mapping[str, Any], name: str, otherwise: int) -> int:
    """A number, or a percentage of as many instances as are named."""
    text = str(asked.get(name, otherwise))
    if not text.endswith("%"):
        return int(text)
    return len(asked.get("InstanceIds", ())) * int(text[:-1]) // 100


def _targets(targets: Iterable[Mapping[str, Any]], here: Iterable[InstanceRecord]) -> list[str]:
    """The managed nodes that meet all targets."""
    wanted = {each["Key"]: each.get("Values", []) for each in targets}
    for key in wanted:
        if key.lower() != "instanceids" and not key.startswith("tag"):
            raise _error("UnsupportedOperation", f"The local cloud knows no targets by {key}.")
    return [each.instance_id for each in here if wanted and _passes(each, wanted)]


def _passes(record: InstanceRecord, wanted: Mapping[str, Sequence[str]]) -> bool:
    for key, values in wanted.items():
        if key.lower() == "instanceids":
            own: Iterable[str] = (record.instance_id,)
        elif key == "tag-key":
            own = record.tags
        elif key.startswith("tag:"):
            own = [record.tags[key[4:]]] if key[4:] in record.tags else []
        else:
            own = (str(_node(record)[key.removesuffix("s")]),)
        if not set(own) & set(values):
            return False
    return True


def _page(name: str, found: Sequence[Mapping[str, Any]], asked: Mapping[str, Any]) -> dict[str, Any]:
    """As many as are asked for, from where the token says; the token is their number."""
    token = asked.get("NextToken", "0")
    begin, most = whole(token), int(asked.get("MaxResults", 50))
    if begin is None or begin < 0:
        raise _error("InvalidNextToken", "The specified token is not valid.")
    rest = {"NextToken": str(begin + most)} if begin + most < len(found) else {}
    return {name: list(found[begin : begin + most]), **rest}


# -- what is answered -------------------------------------------------------------------------------------


def _command(command: Command) -> dict[str, Any]:
    asked = command.request
    failed = command.count("Failed", "TimedOut")
    return {
        "CommandId": command.command_id, "DocumentName": DOCUMENT, "DocumentVersion": "$DEFAULT",
        "Comment": asked.get("Comment", ""), "Parameters": asked.get("Parameters", {}),
        "InstanceIds": asked.get("InstanceIds", []), "Targets": asked.get("Targets", []),
        "RequestedDateTime": command.requested, "ExpiresAfter": command.requested + 7200,
        "Status": command.status,
        "StatusDetails": command.status if command.invocations else "NoInstancesInTag",
        "MaxConcurrency": str(asked.get("MaxConcurrency", "50")), "MaxErrors": str(asked.get("MaxErrors", "0")),
        "TargetCount": len(command.invocations), "CompletedCount": command.count(*ENDED), "ErrorCount": failed,
        "DeliveryTimedOutCount": 0, "TimeoutSeconds": asked.get("TimeoutSeconds", 3600),
    }  # fmt: skip


def _invocation(command: Command, each: Invocation) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "CommandId": command.command_id, "InstanceId": each.instance_id, "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT", "PluginName": PLUGIN, "ResponseCode": each.code, "Status": each.status,
        "StatusDetails": each.details, "StandardOutputContent": each.output, "StandardErrorContent": each.errors,
        "Comment": command.request.get("Comment", ""), "StandardOutputUrl": "", "StandardErrorUrl": "",
    }  # fmt: skip
    if each.began:
        answer["ExecutionStartDateTime"] = _stamp(each.began)
    if each.ended:
        answer["ExecutionEndDateTime"] = _stamp(each.ended)
        answer["ExecutionElapsedTime"] = f"PT{each.ended - each.began:.3f}S"
    return answer


def _listed(command: Command, each: Invocation, *, details: bool) -> dict[str, Any]:
    answer: dict[str, Any] = {
        "CommandId": command.command_id, "InstanceId": each.instance_id, "InstanceName": "", "DocumentName": DOCUMENT,
        "DocumentVersion": "$DEFAULT", "Comment": command.request.get("Comment", ""), "Status": each.status,
        "StatusDetails": each.details, "RequestedDateTime": command.requested, "CommandPlugins": [],
    }  # fmt: skip
    if details:
        answer["CommandPlugins"] = [{
            "Name": PLUGIN, "Status": each.status, "StatusDetails": each.details, "ResponseCode": each.code,
            "Output": (each.output + (f"\n----------ERROR-------\n{each.errors}" if each.errors else ""))[:_MOST_LISTED],
            **({"ResponseStartDateTime": each.began} if each.began else {}),
            **({"ResponseFinishDateTime": each.ended} if each.ended else {}),
        }]  # fmt: skip
    return answer


def _node(record: InstanceRecord) -> dict[str, Any]:
    return {
        "InstanceId": record.instance_id, "PingStatus": "Online", "LastPingDateTime": datetime.now(UTC),
        "AgentVersion": _AGENT, "IsLatestVersion": True, "PlatformType": "Linux", "PlatformName": "Amazon Linux",
        "PlatformVersion": "2" if record.image_name.startswith("amzn2-") else "2023", "ResourceType": "EC2Instance",
        "IPAddress": record.private_ip, "ComputerName": f"ip-{record.private_ip.replace('.', '-')}.{_domain(record)}",
    }  # fmt: skip


def _domain(record: InstanceRecord) -> str:
    return "ec2.internal" if record.region == "us-east-1" else f"{record.region}.compute.internal"


def _stamp(when: float) -> str:
    return datetime.fromtimestamp(when, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
