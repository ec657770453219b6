"""Real packets through the local network, from where a check wants them to come.

What belongs here: naming senders (the function's group, a stranger, the world) and the outcome. What does not:
the network itself (labkit.cloud.network).
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labkit.cloud.client.lifecycle import LocalCloud
from labkit.deploy.targets import Clients

Sender = Literal["function", "stranger", "world"]


@dataclass(frozen=True)
class Packet:
    """What became of a connection: "open", "refused" (arrived, nobody listens) or "dropped" (silence).

    reason: the deciding rule in one line; trace: every hop in words, in order.
    """

    outcome: Literal["open", "refused", "dropped"]
    reason: str = ""
    trace: tuple[str, ...] = ()


@dataclass(frozen=True)
class Packets:
    """Sends packets in one cloud towards its server."""

    cloud: LocalCloud
    clients: Clients
    outputs: Mapping[str, str]

    def try_(self, sender: Sender, port: int, *, address: str = "") -> Packet:
        """Try a TCP connection to `port` of the server (or of `address`).

        "function": from the function's own subnet and groups (dropped when it has none); "stranger": something
        else in the same VPC, with the VPC's default group, to the private address; "world": from the internet to
        the server's public address (dropped when it has none).
        """
        return self.try_each(sender, [port], address=address)[0]

    def try_each(self, sender: Sender, ports: Sequence[int], *, address: str = "") -> list[Packet]:
        """As `try_`, to each of these ports side by side: silence takes its time."""
        to = address or self._address(sender)
        if not to:
            return [Packet("dropped", "the server has no public address")] * len(ports)
        place = self._place(sender)
        if place is None:
            outside = "the function is outside your network: it has no subnet and no group"
            return [Packet("dropped", outside)] * len(ports)
        asked = {"place": place, "address": to, "ports": list(ports)}
        answers = self.cloud.ask("POST", "packets", json.dumps(asked).encode())
        return [Packet(each["outcome"], each["reason"], tuple(each["trace"])) for each in answers]

    def _address(self, sender: Sender) -> str:
        instance = self._instance()
        return str(instance.get("PublicIpAddress" if sender == "world" else "PrivateIpAddress", ""))

    def _instance(self) -> Mapping[str, Any]:
        found = self.clients.client("ec2").describe_instances(InstanceIds=[self.outputs["InstanceId"]])
        first: Mapping[str, Any] = found["Reservations"][0]["Instances"][0]
        return first

    def _place(self, sender: Sender) -> Mapping[str, Any] | None:
        """Where the sender stands; {} is the internet, None nowhere."""
        if sender == "world":
            return {}
        if sender == "stranger":
            server = self._instance()
            return {
                "vpc": server["VpcId"],
                "subnet": server["SubnetId"],
                "groups": [self._default_group(server["VpcId"])],
            }
        function = self.clients.client("lambda").get_function_configuration(
            FunctionName=self.outputs["LambdaFunctionName"]
        )
        config = function.get("VpcConfig") or {}
        if not config.get("SubnetIds") or not config.get("SecurityGroupIds"):
            return None
        return {
            "vpc": config["VpcId"],
            "subnet": config["SubnetIds"][0],
            "groups": config["SecurityGroupIds"],
        }

    def _default_group(self, vpc: str) -> str:
        wanted = [{"Name": "vpc-id", "Values": [vpc]}, {"Name": "group-name", "Values": ["default"]}]
        found = self.clients.client("ec2").describe_security_groups(Filters=wanted)
        return str(found["SecurityGroups"][0]["GroupId"])
