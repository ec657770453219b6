"""Line lambda-in-vpc."""

from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """Your function stands in your own subnet, in a security group of its own.

    A function outside the network can't reach a private address: its packets have no way there.
    """
    network = lab.function.configuration.get("VpcConfig") or {}
    subnets, groups = set(network.get("SubnetIds", [])), set(network.get("SecurityGroupIds", []))
    own = {s["SubnetId"] for s in _in_vpc(lab, "describe_subnets", "Subnets")}
    if not subnets or not subnets <= own:
        raise Failed(
            "your function is not inside your network", hint="gap lambda-network: which subnet, which group?",
            expected="a subnet of your own VPC", found=", ".join(sorted(subnets)) or "no subnet",
        )  # fmt: skip
    others = {g["GroupId"] for g in lab.server.description["SecurityGroups"]}
    others |= {
        g["GroupId"]
        for g in _in_vpc(lab, "describe_security_groups", "SecurityGroups")
        if g["GroupName"] == "default"
    }
    if not groups - others:
        raise Failed(
            "your function has no security group of its own", fraction=1 / 3,
            hint="gap lambda-network: the door can only name the function if the function has a group of its own",
            expected="the function's own group", found=", ".join(sorted(groups)) or "no group",
        )  # fmt: skip


#: it only reads
live = check


def _in_vpc(lab: Lab, operation: str, entries: str) -> list[dict[str, str]]:
    filters = [{"Name": "vpc-id", "Values": [lab.output("VpcId")]}]
    found: list[dict[str, str]] = getattr(lab.clients.client("ec2"), operation)(Filters=filters)[entries]
    return found
