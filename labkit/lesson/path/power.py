"""Whether a server is switched on, and the command that starts one.

What belongs here: these two. What does not: what runs on it (diagnosis).
"""

from labkit.deploy.targets import Clients


def state_of(clients: Clients, instance: str) -> str:
    """The instance's state by EC2's name, "gone" where there is no such instance."""
    from botocore.exceptions import ClientError

    try:
        answer = clients.client("ec2").describe_instances(InstanceIds=[instance])
    except ClientError:
        return "gone"
    return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])


def start(instance: str) -> str:
    """What to do about a server that is stopped: disk and private address are kept."""
    return f"Start it, in ./lab shell; its disk and private address are as before:\n  aws ec2 start-instances --instance-ids {instance}"
