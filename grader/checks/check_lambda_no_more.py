"""Line lambda-no-more."""

from grader.support.rights import Attempt, beyond, note_undecided, shown, told
from labkit.aws.iam.analysis import Needed, Policies, allows
from labkit.aws.iam.role_policies import policies_of
from labkit.grading.api import Failed, Lab

#: what AWS's own AWSLambdaVPCAccessExecutionRole allows, on everything, and looking at the same things
_NEEDED = (
    Needed(("logs:createloggroup", "logs:createlogstream", "logs:putlogevents", "logs:describelog*"), ("*",)),
    Needed(("ec2:createnetworkinterface", "ec2:deletenetworkinterface"), ("*",)),
    Needed(("ec2:assignprivateipaddresses", "ec2:unassignprivateipaddresses"), ("*",)),
    Needed(("ec2:describenetworkinterfaces", "ec2:describesubnets"), ("*",)),
    Needed(("ec2:describesecuritygroups", "ec2:describevpcs"), ("*",)),
)
_HINT = "take from FunctionRole what is not about logs or interfaces"


def check(lab: Lab) -> None:
    """Your function's role may write its logs and have a network interface, and nothing more.

    The function only calls the server: whoever takes it over should find nothing else in its hands.
    """
    policies = policies_of(lab.clients, lab.function.role_arn, lab.function.name)
    if not _may_what_it_must(lab, policies):
        raise Failed(
            "your function's role may neither write logs nor have an interface: there is nothing to judge",
            hint="what does FunctionRole need for its own log group, and for an interface in your subnet?",
            expected="logs and network interfaces", found="neither",
        )  # fmt: skip
    found = beyond(policies, _NEEDED, {})
    note_undecided(lab, "your function's role", found)
    finds = [each for sort in ("changing", "looking") for each in found.get(sort, ())]
    if finds:
        raise Failed(
            f"your function's role may also {told(finds)}", hint=_HINT, final=True,
            expected="logs and network interfaces only", found=told(finds), evidence=shown(finds),
        )  # fmt: skip
    allowed = [attempt.words for attempt in _attempts(lab) if not attempt.is_refused(lab)]
    if allowed:
        raise Failed(
            f"your function's role may also {', '.join(allowed)}", hint=_HINT, final=True,
            expected="refused", found=f"allowed: {', '.join(allowed)}",
        )  # fmt: skip


def _may_what_it_must(lab: Lab, policies: Policies) -> bool:
    account = policies.principal.account_id
    group = f"arn:aws:logs:{lab.region}:{account}:log-group:/aws/lambda/{lab.function.name}"
    interface = f"arn:aws:ec2:{lab.region}:{account}:network-interface/new"
    return allows(policies, "logs:PutLogEvents", f"{group}:log-stream:one") or allows(
        policies, "ec2:CreateNetworkInterface", interface
    )


def _attempts(lab: Lab) -> list[Attempt]:
    role, key = lab.as_role("function"), lab.unique("try")
    place = {"Bucket": lab.bucket.name, "Key": f"{lab.variant.prefix}/{key}"}
    item = {"image_id": {"S": key}}
    lab.cleanup(lab.clients.client("s3").delete_object, **place)
    lab.cleanup(lab.clients.client("dynamodb").delete_item, TableName=lab.table.name, Key=item)
    server = {"InstanceIds": [lab.server.instance_id]}
    return [
        Attempt("put objects into the bucket", role.client("s3").put_object, {**place, "Body": b"x"}),
        Attempt("list the bucket", role.client("s3").list_objects_v2, {"Bucket": lab.bucket.name}),
        Attempt("put items", role.client("dynamodb").put_item, {"TableName": lab.table.name, "Item": item}),
        Attempt("read the table", role.client("dynamodb").scan, {"TableName": lab.table.name}),
        Attempt("reboot the server", role.client("ec2").reboot_instances, {**server, "DryRun": True}),
        Attempt("list roles", role.client("iam").list_roles, {}),
    ]
