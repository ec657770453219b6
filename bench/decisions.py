"""What deciding costs by itself: one permission, one connection, the packet filter of a VPC.

What belongs here: the pure functions, with the reference solution's own policies and network. What does not: what a
request costs with them in it (bench.sections.api).
"""

from bench.measuring import Figure, figure, timed
from bench.sections import clients_of, context_of, lab_cloud, run
from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.iam import Request, evaluate
from labkit.aws.network.decision import decide
from labkit.aws.network.descriptions import topology_of
from labkit.aws.network.model import Flow
from labkit.aws.records import PolicyDocument, Principal
from labkit.cloud.network.compile import compile_vpc
from labkit.deploy.targets import Clients

RUNS = 2000


def decisions() -> list[Figure]:
    """One decision of IAM, one of the network, and all rules of the lab's VPC."""
    with lab_cloud() as (places, local):
        run(places, local, "01")
        run(places, local, "03")
        context, clients = context_of(places, local), clients_of(local)
        outputs, port = context.deployed().outputs, context.workspace.variant.port
        topology, policies = topology_of(clients), _policies(clients, outputs["InstanceId"])
    table = f"arn:aws:dynamodb:{clients.target.region}:{ACCOUNT_ID}:table/{outputs['TableName']}"
    request = Request(Principal("session", "server", ACCOUNT_ID), "dynamodb:PutItem", [table])
    flow = Flow(outputs["LambdaFunctionName"], topology.by_name[outputs["InstanceId"]].address, port)
    if not (evaluate(request, policies).allowed and decide(topology, flow).arrives):
        raise SystemExit("the reference solution's server may not write, or is not reached")
    return [
        figure("IAM: may the server put an item?", timed(lambda: evaluate(request, policies), RUNS)),
        figure("network: function to server", timed(lambda: decide(topology, flow), RUNS)),
        figure("all rules of the lab's VPC", timed(lambda: compile_vpc(topology, outputs["VpcId"]), 200)),
    ]


def _policies(clients: Clients, instance: str) -> list[PolicyDocument]:
    """The inline policies of the instance's role."""
    iam, ec2 = clients.client("iam"), clients.client("ec2")
    described = ec2.describe_instances(InstanceIds=[instance])["Reservations"][0]["Instances"][0]
    profile = described["IamInstanceProfile"]["Arn"].rpartition("/")[2]
    role = iam.get_instance_profile(InstanceProfileName=profile)["InstanceProfile"]["Roles"][0]["RoleName"]
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    found = [iam.get_role_policy(RoleName=role, PolicyName=name) for name in names]
    return [PolicyDocument(policy["PolicyName"], policy["PolicyDocument"]) for policy in found]
