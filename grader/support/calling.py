"""The function called where nobody answers, and what it means when it does not even begin.

What belongs here: what the lines about the function's answers share. What does not: judging them (the checks).
"""

import ipaddress

from labkit.grading.api import Answer, Failed, Lab, Untried

_NOT_LOADED = ("Runtime.ImportModuleError", "Runtime.UserCodeSyntaxError", "Runtime.HandlerNotFound")


def nobody(lab: Lab) -> str:
    """A URL at which nobody lives: an address of the own subnet that no interface has. Whoever calls waits in silence."""
    ec2, server = lab.clients.client("ec2"), lab.server.description
    here = [{"Name": "subnet-id", "Values": [server["SubnetId"]]}]
    (subnet,) = ec2.describe_subnets(SubnetIds=[server["SubnetId"]])["Subnets"]
    interfaces = ec2.describe_network_interfaces(Filters=here)["NetworkInterfaces"]
    taken = {server.get("PrivateIpAddress", ""), *(each["PrivateIpAddress"] for each in interfaces)}
    hosts = list(ipaddress.ip_network(subnet["CidrBlock"]).hosts())[3:]  # the first four are AWS's own
    free = [str(host) for host in hosts if str(host) not in taken]
    return f"http://{lab.random.choice(free)}:{lab.variant.port}"


def why(answer: Answer) -> type[Failed]:
    """How a line about an answer fails: untried where the function can't even be loaded."""
    return Untried if answer.error.startswith(_NOT_LOADED) else Failed
