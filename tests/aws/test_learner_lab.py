"""An account that is an AWS Academy Learner Lab: what its student may, and in which words the rest is refused."""

import boto3
import pytest
from botocore.config import Config

ROLE = "arn:aws:iam::123456789012:role/LabRole"
STUDENT = r"assumed-role/voclabs/user\d+=Lab_Student"
_IMAGE = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"


@pytest.fixture(scope="module")
def lab(aids, tmp_path_factory):
    """A cloud whose account is a Learner Lab."""
    folder = tmp_path_factory.mktemp("learner-lab")
    with aids.open_live(folder, account="learner-lab", region="us-east-1") as found:
        yield found


@pytest.fixture
def image(lab):
    return lab.ssm.get_parameter(Name=_IMAGE)["Parameter"]["Value"]


def test_the_student_is_voclabs_and_the_account_brings_a_role(lab) -> None:
    """STS API reference, GetCallerIdentity; IAM user guide, "IAM roles": voclabs, LabRole, LabInstanceProfile."""
    import re

    assert re.search(STUDENT, lab.sts.get_caller_identity()["Arn"])
    assert {role["RoleName"] for role in lab.iam.list_roles()["Roles"]} == {"LabRole", "voclabs"}
    profile = lab.iam.get_instance_profile(InstanceProfileName="LabInstanceProfile")["InstanceProfile"]
    assert [role["Arn"] for role in profile["Roles"]] == [ROLE]
    assert [pair["KeyName"] for pair in lab.ec2.describe_key_pairs()["KeyPairs"]] == ["vockey"]


@pytest.mark.parametrize(
    ("operation", "arguments"),
    [
        ("create_role", {"RoleName": "mine", "AssumeRolePolicyDocument": "{}"}),
        ("create_user", {"UserName": "me"}),
        ("create_policy", {"PolicyName": "mine", "PolicyDocument": "{}"}),
        ("create_instance_profile", {"InstanceProfileName": "mine"}),
        ("attach_role_policy", {"RoleName": "LabRole", "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
        ("put_role_policy", {"RoleName": "voclabs", "PolicyName": "more", "PolicyDocument": "{}"}),
        ("delete_role", {"RoleName": "LabRole"}),
    ],
)  # fmt: skip
def test_iam_is_read_only(lab, aids, operation: str, arguments) -> None:
    """IAM user guide, "Troubleshoot access denied error messages": who, what, on what, and why not."""
    code, message = aids.refused(getattr(lab.iam, operation), **arguments)
    action = "iam:" + "".join(part.capitalize() for part in operation.split("_"))
    assert code == "AccessDenied"
    assert f"assumed-role/voclabs/user3141592=Lab_Student is not authorized to perform: {action}" in message
    assert f"because no identity-based policy allows the {action} action" in message


def test_service_linked_roles_may_be_made(lab) -> None:
    """IAM API reference, CreateServiceLinkedRole: the one kind of role that a Learner Lab lets students make."""
    made = lab.iam.create_service_linked_role(AWSServiceName="autoscaling.amazonaws.com")["Role"]
    assert made["Path"] == "/aws-service-role/autoscaling.amazonaws.com/"
    lab.iam.delete_service_linked_role(RoleName=made["RoleName"])


def test_only_labrole_can_be_passed_on(lab, aids) -> None:
    """IAM user guide, "Grant a user permissions to pass a role to an AWS service"."""
    wanted = {
        "Runtime": "python3.13", "Handler": "lambda_function.lambda_handler",
        "Code": {"ZipFile": aids.zipped({"lambda_function.py": "def lambda_handler(event, context):\n    return 1\n"})},
    }  # fmt: skip
    other = ROLE.replace("LabRole", "voclabs")
    code, message = aids.refused(lab.lambda_.create_function, FunctionName="other", Role=other, **wanted)
    assert code == "AccessDeniedException"
    assert f"is not authorized to perform: iam:PassRole on resource: {other}" in message
    source = "def lambda_handler(event, context):\n    return 1\n"
    assert lab.run(source, Role=ROLE) == 1


def client(lab, service: str, **settings):
    """A client of the student's with settings of its own."""
    keys = lab.clients.keys or lab.clients.target.owner
    return boto3.client(
        service,
        endpoint_url=lab.clients.target.endpoint_url,
        aws_access_key_id=keys.access_key_id,
        aws_secret_access_key=keys.secret_access_key,
        aws_session_token=keys.token or None,
        **settings,
    )


def test_two_regions_only(lab, aids) -> None:
    """IAM user guide, "AWS: Denies access to AWS based on the requested Region"."""
    far = client(lab, "ec2", region_name="eu-west-1")
    code, message = aids.refused(far.create_vpc, CidrBlock="10.0.0.0/16")
    assert code == "UnauthorizedOperation"
    assert "ec2:CreateVpc on resource" in message
    assert "with an explicit deny in an identity-based policy" in message
    assert aids.refused(far.describe_vpcs)[0] == "UnauthorizedOperation"
    west = client(lab, "ec2", region_name="us-west-2")
    assert west.describe_vpcs()["Vpcs"]
    assert not west.describe_key_pairs()["KeyPairs"], "vockey is in us-east-1 only"


def test_large_types_spot_and_large_or_fast_volumes_are_refused(lab, aids, image) -> None:
    """Service authorization reference, "Condition keys for Amazon EC2": InstanceType, VolumeSize, VolumeType."""
    one = {"ImageId": image, "MinCount": 1, "MaxCount": 1}
    root = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 101, "VolumeType": "gp3"}}
    fast = {"DeviceName": "/dev/xvda", "Ebs": {"VolumeSize": 8, "VolumeType": "io1", "Iops": 100}}
    for wrong in (
        {"InstanceType": "t3.xlarge"},
        {"InstanceType": "t3.micro", "InstanceMarketOptions": {"MarketType": "spot"}},
        {"InstanceType": "t3.micro", "BlockDeviceMappings": [root]},
        {"InstanceType": "t3.micro", "BlockDeviceMappings": [fast]},
    ):
        code, message = aids.refused(lab.ec2.run_instances, **one, **wrong)
        assert code == "UnauthorizedOperation", wrong
        assert "ec2:RunInstances" in message
        assert "explicit deny" in message
    zone = {"AvailabilityZone": "us-east-1a"}
    assert aids.refused(lab.ec2.create_volume, Size=200, **zone)[0] == "UnauthorizedOperation"
    assert aids.refused(lab.ec2.create_volume, Size=8, VolumeType="io2", **zone)[0] == "UnauthorizedOperation"
    assert lab.ec2.create_volume(Size=100, VolumeType="gp3", **zone)["VolumeId"]


def test_the_tenth_instance_is_terminated_and_vcpus_end_at_32(lab, aids, image) -> None:
    """EC2 user guide, "Amazon EC2 instance quotas"; a Learner Lab terminates what is beyond nine at once."""
    first = lab.ec2.run_instances(ImageId=image, InstanceType="t2.nano", MinCount=8, MaxCount=8)["Instances"]
    code, message = aids.refused(
        lab.ec2.run_instances, ImageId=image, InstanceType="t2.nano", MinCount=12, MaxCount=12
    )
    assert (code, "would now be deactivated" in message) == ("UnsupportedOperation", True)
    two = lab.ec2.run_instances(ImageId=image, InstanceType="t3.nano", MinCount=2, MaxCount=2)["Instances"]
    every = [instance["InstanceId"] for instance in first + two]
    try:
        states = {
            i["InstanceId"]: i["State"]["Name"]
            for r in lab.ec2.describe_instances(InstanceIds=every)["Reservations"]
            for i in r["Instances"]
        }
        assert list(states.values()).count("running") == 9
        assert states[two[1]["InstanceId"]] == "terminated"
    finally:
        lab.ec2.terminate_instances(InstanceIds=every)
    code, message = aids.refused(
        lab.ec2.run_instances, ImageId=image, InstanceType="t3.nano", MinCount=17, MaxCount=17
    )
    assert (code, "current vCPU limit of 32" in message) == ("VcpuLimitExceeded", True)


def test_ten_executions_at_once_and_none_to_reserve(lab, aids) -> None:
    """Lambda developer guide, "Understanding Lambda function scaling": a quota of 10 leaves nothing to reserve."""
    import concurrent.futures

    source = "import time\ndef lambda_handler(event, context):\n    time.sleep(1.5)\n    return 1\n"
    name = lab.function(source, Role=ROLE)
    code, message = aids.refused(
        lab.lambda_.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=1
    )
    assert code == "InvalidParameterValueException"
    assert message.endswith("below its minimum value of [10].")

    config = Config(retries={"total_max_attempts": 1}, max_pool_connections=12)
    once = client(lab, "lambda", region_name=lab.clients.target.region, config=config)

    def invoke(_: int) -> str:
        try:
            return str(once.invoke(FunctionName=name)["StatusCode"])
        except once.exceptions.TooManyRequestsException as error:
            return str(error.response["Error"]["Code"])

    with concurrent.futures.ThreadPoolExecutor(12) as many:
        answers = list(many.map(invoke, range(12)))
    assert answers.count("200") == 10
    assert answers.count("TooManyRequestsException") == 2


def test_the_roles_of_functions_are_bound_to_the_account_too(lab) -> None:
    """IAM user guide, "Policy evaluation logic": LabRole, too, may make no roles; its keys serve two regions."""
    source = (
        "import boto3, botocore\ndef lambda_handler(event, context):\n"
        "    try:\n        getattr(boto3.client(event[0], region_name=event[1]), event[2])(**event[3])\n"
        "    except botocore.exceptions.ClientError as error:\n        return error.response['Error']['Code']\n"
    )
    name = lab.function(source, Role=ROLE)
    assert lab.call(name, ["s3", "us-east-1", "list_buckets", {}]) is None
    role = {"RoleName": "x", "AssumeRolePolicyDocument": "{}"}
    assert lab.call(name, ["iam", "us-east-1", "create_role", role]) == "AccessDenied"
    assert lab.call(name, ["dynamodb", "ap-south-1", "list_tables", {}]) == "AccessDeniedException"


def test_a_full_account_keeps_a_hundred_executions_unreserved(live, aids) -> None:
    """Lambda developer guide, "Configuring reserved concurrency": 100 of the quota of 1,000 stay unreserved."""
    name = live.function("def lambda_handler(event, context):\n    return 1\n")
    live.lambda_.put_function_concurrency(FunctionName=name, ReservedConcurrentExecutions=900)
    code, message = aids.refused(
        live.lambda_.put_function_concurrency, FunctionName=name, ReservedConcurrentExecutions=901
    )
    live.lambda_.delete_function_concurrency(FunctionName=name)
    assert code == "InvalidParameterValueException"
    assert message.endswith("below its minimum value of [100].")
