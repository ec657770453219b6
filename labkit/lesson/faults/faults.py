"""Faults that step 06 puts into the running system: each changes it through the AWS API or inside the server.

What belongs here: for each fault how to make it, how to take it back, at which hop it stops what, and what
counts as evidence. What does not: the course of the step (labkit.lesson.faults.breaking), what the student sees.
"""

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from labkit.deploy.targets import Clients

Memo = dict[str, Any]
SLOW_SECONDS = 40.0
DROP_IN = "/etc/systemd/system/flask-app.service.d/override.conf"


class Inside(Protocol):
    """The way into a server, and to the host of the images (labkit.lesson.place)."""

    def renew_connections(self, outputs: Mapping[str, str], port: int) -> None:
        """End connections that stand between function and server, and wait until both are ready again."""

    def delay_images(self, seconds: float) -> None:
        """Let the host of the images wait so long before each answer."""
        ...

    def output_inside(self, instance_id: str, words: Sequence[str]) -> tuple[int, str]:
        """Run a command there: its status and what it printed."""
        ...


@dataclass(frozen=True)
class Bench:
    """The running lab that is worked on."""

    clients: Clients
    outputs: Mapping[str, str]
    inside: Inside
    port: int

    def restart(self) -> None:
        """End connections that stand, and wait until function and server are ready again."""
        self.inside.renew_connections(self.outputs, self.port)

    def shell(self, script: str) -> str:
        """Run a shell script as root inside the server; returns what it printed."""
        return self.inside.output_inside(self.outputs["InstanceId"], ["/bin/sh", "-c", script])[1]

    def instance(self) -> Mapping[str, Any]:
        """The server as DescribeInstances shows it."""
        answer = self.clients.client("ec2").describe_instances(InstanceIds=[self.outputs["InstanceId"]])
        return dict(answer["Reservations"][0]["Instances"][0])


@dataclass(frozen=True)
class Fault:
    """One fault. `kind`: "network", "program", or "outside" of what the student could repair.

    `hop`: where it stops what (labkit.lesson.path.path.NAMES).

    `make` changes the system and returns what `undo` needs. `evidence`: what a good observation contains. `left` says what
    of the fault is there still though a client sees nothing of it any more, "" for nothing. `inside`: it is in the
    server, where no engine looks.
    """

    name: str
    kind: str
    hop: str
    teaches: str
    evidence: str
    make: Callable[[Bench], Memo]
    undo: Callable[[Bench, Memo], None]
    left: Callable[[Bench], str] = lambda _: ""
    inside: bool = False

    def convinces(self, observation: str, memo: Memo) -> bool:
        """Whether the observation shows this fault: its words, or the name of what was changed.

        Where it names things of the same kind ("rtb-…"), what was changed is among them.
        """
        text = observation.lower()
        names = [str(memo[key]).lower() for key in _CHANGED if memo.get(key)]
        if any(name in text for name in names):
            return True
        kinds = {name.partition("-")[0] for name in names if _ID.fullmatch(name)}
        elsewhere = any(found[1] in kinds for found in _ID.finditer(text))
        return not elsewhere and bool(re.search(self.evidence, text))


#: what a memo calls the thing that was changed
_CHANGED = ("group", "table", "acl")
#: an id of EC2's
_ID = re.compile(r"\b(sg|rtb|acl|igw|subnet|vpc|eni|i)-[0-9a-f]+\b")


# ---- Network ------------------------------------------------------------------------------------------


def _revoke(bench: Bench) -> Memo:
    ec2 = bench.clients.client("ec2")
    group = bench.instance()["SecurityGroups"][0]["GroupId"]
    rules = ec2.describe_security_groups(GroupIds=[group])["SecurityGroups"][0]["IpPermissions"]
    ec2.revoke_security_group_ingress(GroupId=group, IpPermissions=rules)
    bench.restart()  # connections that stand are tracked and go on, on AWS as well: end them
    return {"group": group, "rules": rules}


def _authorize(bench: Bench, memo: Memo) -> None:
    ec2 = bench.clients.client("ec2")
    ec2.authorize_security_group_ingress(GroupId=memo["group"], IpPermissions=memo["rules"])


def _drop_route(bench: Bench) -> Memo:
    ec2 = bench.clients.client("ec2")
    subnet = [{"Name": "association.subnet-id", "Values": [bench.instance()["SubnetId"]]}]
    table = ec2.describe_route_tables(Filters=subnet)["RouteTables"][0]
    gateway = next(r["GatewayId"] for r in table["Routes"] if r.get("DestinationCidrBlock") == "0.0.0.0/0")
    ec2.delete_route(RouteTableId=table["RouteTableId"], DestinationCidrBlock="0.0.0.0/0")
    return {"table": table["RouteTableId"], "gateway": gateway}


def _restore_route(bench: Bench, memo: Memo) -> None:
    bench.clients.client("ec2").create_route(
        RouteTableId=memo["table"], DestinationCidrBlock="0.0.0.0/0", GatewayId=memo["gateway"]
    )


def _deny_answers(bench: Bench) -> Memo:
    """A rule of the subnet's network ACL that keeps answers from outside out; the group looks right."""
    ec2 = bench.clients.client("ec2")
    subnet = [{"Name": "association.subnet-id", "Values": [bench.instance()["SubnetId"]]}]
    acl = ec2.describe_network_acls(Filters=subnet)["NetworkAcls"][0]["NetworkAclId"]
    ec2.create_network_acl_entry(
        NetworkAclId=acl,
        RuleNumber=50,
        Protocol="6",
        RuleAction="deny",
        Egress=False,
        CidrBlock="0.0.0.0/0",
        PortRange={"From": 1024, "To": 65535},
    )
    bench.restart()  # a connection that stands is asked too, but ends at once this way
    return {"acl": acl}


def _let_answers_in(bench: Bench, memo: Memo) -> None:
    ec2 = bench.clients.client("ec2")
    ec2.delete_network_acl_entry(NetworkAclId=memo["acl"], RuleNumber=50, Egress=False)


def _no_concurrency(bench: Bench) -> Memo:
    bench.clients.client("lambda").put_function_concurrency(
        FunctionName=bench.outputs["LambdaFunctionName"], ReservedConcurrentExecutions=0
    )
    return {}


def _free_concurrency(bench: Bench, memo: Memo) -> None:
    bench.clients.client("lambda").delete_function_concurrency(
        FunctionName=bench.outputs["LambdaFunctionName"]
    )


# ---- Programs and stores --------------------------------------------------------------------------------


def _stop_service(bench: Bench) -> Memo:
    bench.shell("systemctl stop flask-app")
    return {}


def _start_service(bench: Bench, memo: Memo) -> None:
    bench.shell("systemctl enable flask-app")
    bench.restart()


def _forget_after_boot(bench: Bench) -> Memo:
    """Not enabled any more, and the server is stopped and started: the service does not come back."""
    ec2, identifier = bench.clients.client("ec2"), bench.outputs["InstanceId"]
    bench.shell("systemctl disable flask-app")
    before = bench.instance().get("PublicIpAddress", "")
    ec2.stop_instances(InstanceIds=[identifier])
    ec2.get_waiter("instance_stopped").wait(InstanceIds=[identifier], WaiterConfig={"Delay": 1})
    ec2.start_instances(InstanceIds=[identifier])
    ec2.get_waiter("instance_running").wait(InstanceIds=[identifier], WaiterConfig={"Delay": 1})
    return {"public address before": before}


def _not_enabled(bench: Bench) -> str:
    """What the next boot would show again."""
    said = bench.shell("systemctl is-enabled flask-app").strip()
    return "" if said == "enabled" else f"systemctl is-enabled flask-app says: {said or 'nothing'}"


def _rename_table(bench: Bench) -> Memo:
    wrong = f"{bench.outputs['TableName']}-old"
    bench.shell(
        f"mkdir -p {DROP_IN.rpartition('/')[0]} && printf '[Service]\\nEnvironment=DYNAMODB_TABLE={wrong}\\n' "
        f"> {DROP_IN} && systemctl daemon-reload"
    )
    bench.restart()
    return {"table": wrong}


def _name_table(bench: Bench, memo: Memo) -> None:
    bench.shell(f"rm -f {DROP_IN}; systemctl daemon-reload")
    bench.restart()


def _deny(bench: Bench) -> Memo:
    from botocore.exceptions import ClientError

    s3, bucket = bench.clients.client("s3"), bench.outputs["BucketName"]
    try:
        before = s3.get_bucket_policy(Bucket=bucket)["Policy"]
    except ClientError:
        before = ""
    policy = json.loads(before) if before else {"Version": "2012-10-17", "Statement": []}
    statement = {
        "Sid": "NoMoreImages",
        "Action": "s3:PutObject",
        "Principal": "*",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Effect": "Deny",
    }
    policy["Statement"] = [*policy["Statement"], statement]
    s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps(policy))
    return {"before": before}


def _allow(bench: Bench, memo: Memo) -> None:
    s3, bucket = bench.clients.client("s3"), bench.outputs["BucketName"]
    if memo["before"]:
        s3.put_bucket_policy(Bucket=bucket, Policy=memo["before"])
    else:
        s3.delete_bucket_policy(Bucket=bucket)


def _number_key(bench: Bench) -> Memo:
    _make_table(bench, "N")
    return {}


def _text_key(bench: Bench, memo: Memo) -> None:
    _make_table(bench, "S")


def _make_table(bench: Bench, kind: str) -> None:
    """The table anew, with a key of another type; its tags stay."""
    api, name = bench.clients.client("dynamodb"), bench.outputs["TableName"]
    arn = api.describe_table(TableName=name)["Table"]["TableArn"]
    tags = api.list_tags_of_resource(ResourceArn=arn).get("Tags", [])
    api.delete_table(TableName=name)
    api.get_waiter("table_not_exists").wait(TableName=name, WaiterConfig={"Delay": 1})
    api.create_table(
        TableName=name,
        BillingMode="PAY_PER_REQUEST",
        Tags=tags,
        AttributeDefinitions=[{"AttributeName": "image_id", "AttributeType": kind}],
        KeySchema=[{"AttributeName": "image_id", "KeyType": "HASH"}],
    )
    api.get_waiter("table_exists").wait(TableName=name, WaiterConfig={"Delay": 1})


def _slow_images(bench: Bench) -> Memo:
    bench.inside.delay_images(SLOW_SECONDS)
    return {}


def _quick_images(bench: Bench, memo: Memo) -> None:
    bench.inside.delay_images(0)


#: F1 to F10 of the lesson, F9 last. F3 stops what the server asks outside for: inside a subnet no ACL is asked.
ALL: tuple[Fault, ...] = (
    Fault("rule-revoked", "network", "door", "silence means dropped; a group without a rule says nothing",
          r"no (ingress |inbound |incoming )?rules?|ippermissions.*\[\s*\]", _revoke, _authorize),
    Fault("route-gone", "network", "vpc", "inside works, outside does not: the way out is a route of its own",
          r"(no|default|missing|gone)\b.{0,40}\brout|\brout.{0,80}(0\.0\.0\.0/0|missing|gone)|0\.0\.0\.0/0.{0,40}\brout", _drop_route, _restore_route),
    Fault("answers-denied", "network", "vpc", "groups are stateful, network ACLs are not: the answer needs a rule too",
          r"network ?acl|nacl|rule 50|1024|stateless", _deny_answers, _let_answers_in),
    Fault("no-concurrency", "network", "function", "AWS refuses before your code runs: limits have their own status",
          r"toomanyrequests|429|concurren|rate exceeded", _no_concurrency, _free_concurrency),
    Fault("service-stopped", "program", "health", "refused at once: it arrived, and nobody is at home",
          r"inactive|stopped|dead\b|refused", _stop_service, _start_service, inside=True),
    Fault("not-enabled", "program", "health", "started is not enabled; the private address stays, the public does not",
          r"disabled|inactive|dead\b|refused", _forget_after_boot, _start_service, _not_enabled, inside=True),
    Fault("table-renamed", "program", "store", "what runs is not what the files say: drift",
          r"resourcenotfound|dynamodb_table|override", _rename_table, _name_table, inside=True),
    Fault("explicit-deny", "program", "store", "an explicit deny wins over every allow",
          r"explicit deny|nomoreimages|\"?effect\"?:? ?\"?deny", _deny, _allow),
    Fault("key-type", "program", "store", "a table knows one thing of your rows: its key, and the key's type",
          r"validationexception|type mismatch|attributetype", _number_key, _text_key),
    Fault("slow-images", "outside", "store", "a ladder of time-outs: the innermost gives up first, and says why",
          r"took longer|slow|timed? ?out|40 ?s\b", _slow_images, _quick_images),
)  # fmt: skip


#: faults that are made, seen and taken back on AWS by its API alone, and lose nothing
ON_AWS = ("rule-revoked", "route-gone", "answers-denied", "no-concurrency", "explicit-deny")
_ONLY_AT_HOME = {
    "outside": "whoever serves the images there can't be made slow",
    "program": "it is made inside the server, where nobody looks from here, or deletes the table with its rows",
}


def why_not_on_aws(name: str) -> str:
    """Why this fault is made on the local cloud only; "" for one that is made on AWS as well. Raises KeyError."""
    return "" if name in ON_AWS else _ONLY_AT_HOME[by_name(name).kind]


def by_name(name: str) -> Fault:
    """The fault of this name. Raises KeyError for another."""
    return {fault.name: fault for fault in ALL}[name]
