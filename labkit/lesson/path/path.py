"""The seven hops from the client to the bucket: what each needs, read from the AWS API, and a drawing.

What belongs here: one hop after the other, with what was needed and what was found. What does not: calling
the function (invoking), what to do about a failing hop (hints, labkit.lesson.help.trouble).
"""

import ipaddress
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

State = Literal["ok", "bad", "unknown"]

#: the hops in the order of the way, as every screen names them
NAMES = ("client", "function", "vpc", "door", "boot", "health", "store")
_SILENT = re.compile(r"tim(?:e|ed)[ -]?out", re.IGNORECASE)
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
    """What the AWS API says about the path. `boot` is the instance's boot as the local cloud tells it."""

    function: Mapping[str, Any]
    instance: Mapping[str, Any]
    function_groups: Sequence[Mapping[str, Any]]
    server_groups: Sequence[Mapping[str, Any]]
    subnets: Mapping[str, Mapping[str, Any]]
    acls: Mapping[str, Mapping[str, Any]]  # by subnet
    port: int
    boot: Mapping[str, Any]

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


def look(clients: Any, outputs: Mapping[str, str], port: int, boot: Mapping[str, Any]) -> Scene:
    """Read the scene. Raises botocore's ClientError when function or instance are gone."""
    ec2 = clients.client("ec2")
    function = clients.client("lambda").get_function_configuration(FunctionName=outputs["LambdaFunctionName"])
    answer = ec2.describe_instances(InstanceIds=[outputs["InstanceId"]])
    instance = answer["Reservations"][0]["Instances"][0]
    network = function.get("VpcConfig", {})
    names = [*network.get("SubnetIds", []), instance.get("SubnetId", "")]
    subnets = ec2.describe_subnets(SubnetIds=sorted({n for n in names if n}))["Subnets"]
    return Scene(
        function=function, instance=instance,
        function_groups=_groups(ec2, network.get("SecurityGroupIds", [])),
        server_groups=_groups(ec2, [g["GroupId"] for g in instance.get("SecurityGroups", [])]),
        subnets={s["SubnetId"]: s for s in subnets},
        acls=_acls(ec2, {s["VpcId"] for s in subnets}), port=port, boot=boot,
    )  # fmt: skip


def _groups(ec2: Any, names: Sequence[str]) -> Sequence[Mapping[str, Any]]:
    return list(ec2.describe_security_groups(GroupIds=list(names))["SecurityGroups"]) if names else []


def _acls(ec2: Any, vpcs: set[str]) -> dict[str, Mapping[str, Any]]:
    wanted = [{"Name": "vpc-id", "Values": sorted(vpcs)}]
    found = ec2.describe_network_acls(Filters=wanted)["NetworkAcls"] if vpcs else []
    return {a["SubnetId"]: acl for acl in found for a in acl.get("Associations", [])}


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
    network = scene.function.get("VpcConfig", {})
    if not network.get("SubnetIds"):
        return Hop(
            "function", "bad", "your function is not inside your network", "your subnet, and the function's own group",
            "lambda-network", "outside", "vpc",
        )  # fmt: skip
    if scene.flask_url.rstrip("/") == scene.wanted_url:
        return None
    return Hop(
        "function", "bad", f"EC2_FLASK_URL is {scene.flask_url or 'not set'}", scene.wanted_url,
        "lambda-network", "address", "private address",
    )  # fmt: skip


def _vpc(scene: Scene) -> Hop | None:
    mine = [scene.subnets[s] for s in scene.function["VpcConfig"]["SubnetIds"] if s in scene.subnets]
    vpc = scene.instance.get("VpcId", "")
    if any(subnet["VpcId"] != vpc for subnet in mine):
        return Hop(
            "vpc", "bad", "function and server are in different networks", vpc, "lambda-network", "", "vpc"
        )
    if not _lets_out(scene):
        return Hop(
            "vpc", "bad", "the function's own group lets nothing out", f"outgoing tcp {scene.port}", "", "egress",
            "security group",
        )  # fmt: skip
    blocked = _acl_refusal(scene, mine)
    return (
        Hop("vpc", "bad", blocked, "both directions allowed", "", "acl", "network acl") if blocked else None
    )


def _lets_out(scene: Scene) -> bool:
    rules = [rule for group in scene.function_groups for rule in group.get("IpPermissionsEgress", [])]
    return any(_covers(rule, scene.port) for rule in rules)


def _acl_refusal(scene: Scene, mine: Sequence[Mapping[str, Any]]) -> str:
    """The network ACL that drops the packet or its answer; "" when none does."""
    server = str(scene.instance.get("SubnetId", ""))
    ends = [(s["SubnetId"], s["CidrBlock"]) for s in mine]
    for subnet, cidr in ends:
        if subnet == server:
            continue  # inside one subnet no ACL is asked
        tests = (
            (subnet, True, scene.port, scene.address), (server, False, scene.port, _first(cidr)),
            (server, True, 40000, _first(cidr)), (subnet, False, 40000, scene.address),
        )  # fmt: skip
        for where, egress, port, peer in tests:
            acl = scene.acls.get(where)
            if acl and not acl_allows(acl.get("Entries", []), egress=egress, port=port, peer=peer):
                way = "out of" if egress else "into"
                return f"network ACL {acl['NetworkAclId']} drops tcp {port} {way} {where}"
    return ""


def _first(cidr: str) -> str:
    return str(ipaddress.ip_network(cidr)[10])


def acl_allows(entries: Sequence[Mapping[str, Any]], *, egress: bool, port: int, peer: str) -> bool:
    """Whether the first rule that fits lets TCP to `port` pass. AWS: VPC, "Network ACLs"."""
    for entry in sorted(entries, key=lambda e: int(e["RuleNumber"])):
        ports = entry.get("PortRange", {"From": 0, "To": 65535})
        fits = entry["Protocol"] in ("-1", "6") and ports["From"] <= port <= ports["To"]
        if entry["Egress"] == egress and fits and _inside(peer, str(entry.get("CidrBlock", ""))):
            return bool(entry["RuleAction"] == "allow")
    return False


def _inside(address: str, cidr: str) -> bool:
    return bool(cidr) and ipaddress.ip_address(address) in ipaddress.ip_network(cidr)


def _covers(rule: Mapping[str, Any], port: int) -> bool:
    if rule.get("IpProtocol") not in ("tcp", "6", "-1"):
        return False
    return rule.get("IpProtocol") == "-1" or rule.get("FromPort", 0) <= port <= rule.get("ToPort", 65535)


def _door(scene: Scene) -> Hop | None:
    rules = [rule for group in scene.server_groups for rule in group.get("IpPermissions", [])]
    mine = {group["GroupId"] for group in scene.function_groups}
    for rule in rules:
        named = {pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])}
        ranges = [r["CidrIp"] for r in rule.get("IpRanges", [])]
        if _covers(rule, scene.port) and (named & mine or any(_reaches(scene, cidr) for cidr in ranges)):
            return None
    if mine & {group["GroupId"] for group in scene.server_groups}:
        seen = f"your function is in {', '.join(sorted(mine))}, the server's own group"
        return Hop("door", "bad", seen, "a group of its own", "lambda-network", "group", "security group")
    found = "; ".join(map(rule_words, rules)) or "no rule at all"
    symptom = "empty" if not rules else "port" if not any(_covers(r, scene.port) for r in rules) else "source"
    needed = f"tcp {scene.port} from {', '.join(sorted(mine))} (your function's group)"
    return Hop("door", "bad", found, needed, "server-door", symptom, "security group")


def _reaches(scene: Scene, cidr: str) -> bool:
    ranges = (str(s["CidrBlock"]) for s in scene.subnets.values())
    return any(ipaddress.ip_network(r).subnet_of(ipaddress.ip_network(cidr)) for r in ranges)  # type: ignore[arg-type]


def rule_words(rule: Mapping[str, Any]) -> str:
    """A rule of a security group in words: "tcp 5000 from 0.0.0.0/0"."""
    sources = [pair["GroupId"] for pair in rule.get("UserIdGroupPairs", [])]
    sources += [r["CidrIp"] for r in rule.get("IpRanges", [])]
    low, high = rule.get("FromPort", "all"), rule.get("ToPort", "all")
    ports = str(low) if low == high else f"{low}-{high}"
    return f"{rule.get('IpProtocol', '?').replace('-1', 'all')} {ports} from {', '.join(sources) or 'nobody'}"


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
        seen = f"{seconds:.0f} s of silence, and every rule is right: look at routes and the server"
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
    "client": _client, "function": _function, "vpc": _vpc, "door": _door, "boot": _boot,
}  # fmt: skip


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
