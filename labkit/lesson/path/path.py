"""The seven hops from the client to the bucket: what each needs, read from the AWS API, and a drawing.

What belongs here: one hop after the other, with what was needed and what was found. What does not: what the network lets
through (labkit.aws.network decides that), calling the function (invoking), what to do about a failing hop (hints,
labkit.lesson.help.trouble).
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from labkit.aws.network.decision import INGRESS
from labkit.aws.network.descriptions import topology_of
from labkit.aws.network.model import Hop as Stage
from labkit.aws.network.model import Topology, permission_words, service_of
from labkit.aws.network.trace import Trace, trace
from labkit.aws.records import Permission

State = Literal["ok", "bad", "unknown"]

#: the hops in the order of the way, as every screen names them
NAMES = ("client", "function", "vpc", "door", "boot", "health", "store")
_SILENT = re.compile(r"tim(?:e|ed)[ -]?out", re.IGNORECASE)
#: beginnings of the network's stages → the mistake for the hints, and the word of the glossary
_STAGES = (("security group egress", "egress", "security group"), ("network ACL", "acl", "network acl"))
MARKS: Mapping[State, str] = {"ok": "✓", "bad": "✗", "unknown": "·"}


@dataclass(frozen=True)
class Hop:
    """One hop: whether the packet passes, what was seen; if not: what was needed, and the gap.

    `symptom` names the mistake for the hints; `term` is a word of the glossary that explains it.
    """

    name: str
    state: State
    seen: str
    needed: str = ""
    gap: str = ""
    symptom: str = ""
    term: str = ""

    @property
    def number(self) -> int:
        """Its place on the way, from 1."""
        return NAMES.index(self.name) + 1


@dataclass(frozen=True)
class Scene:
    """What the AWS API says about the path. `boot` is the instance's boot as the local cloud tells it.

    `trace` is the network's decision from the function to the server's port; None where either end is missing: a function
    outside the network, a server that does not run.
    """

    function: Mapping[str, Any]
    instance: Mapping[str, Any]
    port: int
    boot: Mapping[str, Any]
    trace: Trace | None
    #: what the server's groups let in
    rules: tuple[Permission, ...] = ()
    server_groups: tuple[str, ...] = ()

    @property
    def flask_url(self) -> str:
        """EC2_FLASK_URL of the function."""
        return str(self.function.get("Environment", {}).get("Variables", {}).get("EC2_FLASK_URL", ""))

    @property
    def address(self) -> str:
        """The server's private address."""
        return str(self.instance.get("PrivateIpAddress", ""))

    @property
    def wanted_url(self) -> str:
        """Where the server really is."""
        return f"http://{self.address}:{self.port}"

    @property
    def network(self) -> Mapping[str, Any]:
        """The function's VpcConfig; empty outside any network."""
        return self.function.get("VpcConfig") or {}

    @property
    def function_groups(self) -> tuple[str, ...]:
        """The ids of the function's security groups."""
        return tuple(self.network.get("SecurityGroupIds", ()))


def look(clients: Any, outputs: Mapping[str, str], port: int, boot: Mapping[str, Any]) -> Scene:
    """Read the scene. Raises botocore's ClientError when function or instance are gone."""
    answer = clients.client("ec2").describe_instances(InstanceIds=[outputs["InstanceId"]])
    instance = answer["Reservations"][0]["Instances"][0]
    function = clients.client("lambda").get_function_configuration(FunctionName=outputs["LambdaFunctionName"])
    return scene_of(topology_of(clients), function, instance, port, boot)


def scene_of(
    topology: Topology,
    function: Mapping[str, Any],
    instance: Mapping[str, Any],
    port: int,
    boot: Mapping[str, Any],
) -> Scene:
    """The scene in a network that was read."""
    caller = topology.by_name.get(function["FunctionName"])
    server = topology.by_name.get(instance["InstanceId"])
    if not caller or not caller.vpc_id or not server:
        return Scene(function, instance, port, boot, None)
    groups = topology.groups_of(server)
    return Scene(
        function,
        instance,
        port,
        boot,
        trace(topology, caller.name, server.address, port),
        tuple(rule for group in groups for rule in group.ingress),
        tuple(group.group_id for group in groups),
    )


# ---- The hops ---------------------------------------------------------------------------------------


def follow(scene: Scene, status: int, message: str, seconds: float) -> list[Hop]:
    """Every hop up to the first bad one, the rest "unknown"; `status` is the health call's (0: none).

    What the network decides comes before what the answer says: silence has its cause on the way.
    """
    if not status and message and not _SILENT.search(message):
        seen = f"your function gave no usable answer: {message}"
        bad = Hop("function", "bad", seen, "a function that loads and may run", "", "code", "lambda")
        return [Hop("client", "ok", ""), bad, *(Hop(name, "unknown", "") for name in NAMES[2:])]
    hops: list[Hop] = []
    for name, judge in _JUDGES.items():
        if hops and hops[-1].state == "bad":
            break
        hop = judge(scene)
        hops.append(hop or Hop(name, "ok", ""))
    if hops[-1].state != "bad":
        hops.append(_health(scene, status, message, seconds))
    known = {hop.name for hop in hops}
    return [*hops, *(Hop(name, "unknown", "") for name in NAMES if name not in known)]


def _client(scene: Scene) -> Hop | None:
    state = scene.function.get("State", "Active")
    if state == "Active":
        return None
    return Hop("client", "bad", f"the function is {state}", "an active function", "", "", "lambda")


def _function(scene: Scene) -> Hop | None:
    if not scene.network.get("SubnetIds"):
        return Hop(
            "function",
            "bad",
            "your function is not inside your network",
            "your subnet, and the function's own group",
            "lambda-network",
            "outside",
            "vpc",
        )
    if scene.flask_url.rstrip("/") == scene.wanted_url:
        return None
    return Hop(
        "function",
        "bad",
        f"EC2_FLASK_URL is {scene.flask_url or 'not set'}",
        scene.wanted_url,
        "lambda-network",
        "address",
        "private address",
    )


def _vpc(scene: Scene) -> Hop | None:
    """All of the network's decision but the server's own groups, which are the next hop."""
    vpc = scene.instance.get("VpcId", "")
    if scene.network.get("VpcId", vpc) != vpc:
        seen = "function and server are in different networks"
        return Hop("vpc", "bad", seen, vpc, "lambda-network", "", "vpc")
    stop = _stopped(scene)
    if not scene.trace:
        return Hop("vpc", "unknown", "")
    if not stop or stop.stage == INGRESS:
        return None
    symptom, term = next(
        (kind for stage, *kind in _STAGES if stop.stage.startswith(stage)), ("", "route table")
    )
    return Hop("vpc", "bad", f"{stop.stage}: {stop.rule}", scene.trace.fix, "", symptom, term)


def _stopped(scene: Scene) -> Stage | None:
    """The stage of the network that stops the packet or its answer."""
    return scene.trace.verdict.decisive if scene.trace and not scene.trace.verdict.arrives else None


def _door(scene: Scene) -> Hop | None:
    stop = _stopped(scene)
    if not scene.trace:
        return Hop("door", "unknown", "")
    if not stop:
        return None
    mine = ", ".join(sorted(scene.function_groups))
    if set(scene.function_groups) & set(scene.server_groups):
        seen = f"your function is in {mine}, the server's own group"
        return Hop("door", "bad", seen, "a group of its own", "lambda-network", "group", "security group")
    found = "; ".join(map(permission_words, scene.rules)) or "no rule at all"
    services = [service for rule in scene.rules if (service := service_of(rule))]
    open_at_all = any(service.covers("tcp", scene.port) for service in services)
    symptom = "empty" if not scene.rules else "source" if open_at_all else "port"
    needed = f"tcp {scene.port} from {mine} (your function's group)"
    return Hop("door", "bad", found, needed, "server-door", symptom, "security group")


def _boot(scene: Scene) -> Hop | None:
    running = scene.instance.get("State", {}).get("Name", "running")
    if running != "running":
        return Hop("boot", "bad", f"the server is {running}", "running", "", "stopped", "instance")
    state = scene.boot.get("state", "ok")
    if state in ("ok", "unknown"):
        return None
    code = scene.boot.get("exit_code")
    return Hop(
        "boot",
        "bad",
        f"the boot script ended with exit status {code}",
        "exit status 0",
        "unit",
        "boot",
        "user data",
    )


def _health(scene: Scene, status: int, message: str, seconds: float) -> Hop:
    if status == 200:
        return Hop("health", "ok", "/health answered")
    refused = "refused" in message.lower()
    if refused or (seconds < 3 and status == 504):
        seen = f"refused at once: the packet arrived, and no program listens on port {scene.port}"
        return Hop("health", "bad", seen, f"flask-app on 0.0.0.0:{scene.port}", "unit", "refused", "refused")
    if status == 504:
        seen = f"{seconds:.0f} s of silence, and the network lets it through: look at the server"
        return Hop("health", "bad", seen, "an answer", "", "silence", "time-out")
    return Hop(
        "health",
        "bad",
        f"status {status}: {message or 'no answer'}",
        "status 200",
        "unit",
        "status",
        "status code",
    )


_JUDGES: Mapping[str, Callable[[Scene], Hop | None]] = {
    "client": _client,
    "function": _function,
    "vpc": _vpc,
    "door": _door,
    "boot": _boot,
}


# ---- Drawing -------------------------------------------------------------------------------------------


def one_line(hops: Sequence[Hop], vpc_cidr: str, server: str) -> str:
    """The path in one line: what passes, and where it ends."""
    mark = {hop.name: MARKS[hop.state] for hop in hops}
    way = f"client {mark['client']} > function {mark['function']} > VPC {vpc_cidr} {mark['vpc']}"
    return f"{way} > door {mark['door']} > {server} {mark['health']}"


def draw(hops: Sequence[Hop], vpc_cidr: str, server: str) -> list[str]:
    """The path as lines of text, at most 78 columns: what passes, what does not, what was not reached."""
    mark = {hop.name: MARKS[hop.state] for hop in hops}
    inside = next((h for h in hops if h.name == "function"), None)
    outside = inside is not None and inside.symptom == "outside"
    place = " (outside!)" if outside else ""
    return [
        f"client {mark['client']} ──> function {mark['function']}{place} ──┐",
        f"  ┌─ VPC {vpc_cidr} {mark['vpc']} {'─' * max(2, 46 - len(vpc_cidr))}┐",
        f"  │  door {mark['door']} ──> server {server}  boot {mark['boot']}  health {mark['health']}",
        f"  └{'─' * 55}┘",
        f"     store {mark['store']} (S3 and DynamoDB, step 05)",
    ]
