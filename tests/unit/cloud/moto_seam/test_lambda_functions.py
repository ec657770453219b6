"""Creating and changing functions: what Lambda refuses, and how it describes them."""

import io
import json
import zipfile

import pytest

from labkit.cloud.moto_seam.functions.lambda_records import code_zip, functions

pytestmark = pytest.mark.slow

PREFIX = "InvalidParameterValueException: "


def package(text="def lambda_handler(event, context): return event\n"):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("lambda_function.py", text)
    return data.getvalue()


def create(aws, **changes):
    if "Role" not in changes:
        changes["Role"] = aws.role()
    wanted = {
        "FunctionName": "f",
        "Runtime": "python3.13",
        "Handler": "lambda_function.lambda_handler",
        "Code": {"ZipFile": package()},
    }
    return aws.lambda_.create_function(**{**wanted, **changes})


def groups_in(aws, vpc):
    found = aws.ec2.describe_security_groups(Filters=[{"Name": "vpc-id", "Values": [vpc]}])
    return [group["GroupId"] for group in found["SecurityGroups"]]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"Runtime": "python3.7"},
            f"{PREFIX}The runtime parameter of python3.7 is no longer supported for creating or updating AWS "
            "Lambda functions. We recommend you use a supported runtime while creating or updating functions.",
        ),
        (
            {"MemorySize": 20_000},
            "ValidationException: 1 validation error detected: Value '20000' at 'memorySize' failed to satisfy "
            "constraint: Member must have value less than or equal to 10240",
        ),
        (
            {"Timeout": 901},
            "ValidationException: 1 validation error detected: Value '901' at 'timeout' failed to satisfy "
            "constraint: Member must have value less than or equal to 900",
        ),
        (
            {"Environment": {"Variables": {"AWS_REGION": "x", "MINE": "y"}}},
            f"{PREFIX}Lambda was unable to configure your environment variables because the environment "
            "variables you have provided contains reserved keys that are currently not supported for "
            "modification. Reserved keys used in this request: AWS_REGION",
        ),
        (
            {"Code": {"ZipFile": b"no zip"}},
            f"{PREFIX}Could not unzip uploaded file. Please check your file, then try to upload again.",
        ),
    ],
    ids=["runtime", "memory", "timeout", "environment", "zip"],
)
def test_wrong_settings_are_refused(moto, refusal, changes, message):
    """Lambda API reference, CreateFunction."""

    def scenario(aws):
        return refusal(create, aws=aws, **changes)

    assert moto.compare(scenario) == ("", message)


def test_unknown_runtime_is_refused(moto, refusal):
    """Lambda API reference, CreateFunction: Runtime's valid values."""

    def scenario(aws):
        return refusal(create, aws=aws, Runtime="python9.9")

    fault, right = moto.compare(scenario)
    assert fault == ""
    assert right.startswith(
        f"{PREFIX}Value python9.9 at 'runtime' failed to satisfy constraint: Member must satisfy enum value set: ["
    )
    assert right.endswith("] or be a valid ARN")


def test_role_must_trust_lambda(moto, refusal):
    """Lambda developer guide, "Defining Lambda function permissions with an execution role"."""

    def scenario(aws):
        return refusal(create, aws=aws, Role=aws.role("server", "ec2.amazonaws.com"))

    words = "The role defined for the function cannot be assumed by Lambda."
    assert moto.compare(scenario) == ("", PREFIX + words)


def test_role_must_exist(aws, refusal):
    """Lambda API reference, CreateFunction: Role."""
    refused = refusal(create, aws=aws, Role="arn:aws:iam::123456789012:role/nobody")
    assert refused == f"{PREFIX}The role defined for the function cannot be assumed by Lambda."


@pytest.mark.slow
def test_subnets_and_groups_must_exist(moto, refusal):
    """Lambda API reference, CreateFunction: VpcConfig."""

    def scenario(aws):
        vpc, subnet = aws.network()
        group = groups_in(aws, vpc)[0]
        missing = refusal(create, aws=aws, VpcConfig={"SubnetIds": ["subnet-1"], "SecurityGroupIds": [group]})
        aws.iam.delete_role(RoleName="lab")
        aws.lambda_.delete_function(FunctionName="f") if not missing else None
        return missing, refusal(
            create, aws=aws, VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": ["sg-1"]}
        )

    fault, right = moto.compare(scenario)
    assert fault == ("", "")
    assert right == (
        f"{PREFIX}Error occurred while DescribeSubnets. EC2 Error Code: InvalidSubnetID.NotFound. "
        "EC2 Error Message: The subnet ID 'subnet-1' does not exist",
        f"{PREFIX}Error occurred while DescribeSecurityGroups. EC2 Error Code: InvalidGroup.NotFound. "
        "EC2 Error Message: The security group 'sg-1' does not exist",
    )


def test_role_must_make_network_interfaces(aws, refusal):
    """Lambda developer guide, "Giving Lambda functions access to resources in an Amazon VPC": permissions."""
    vpc, subnet = aws.network()
    aws.calls.denied.add("ec2:CreateNetworkInterface")
    config = {"SubnetIds": [subnet], "SecurityGroupIds": groups_in(aws, vpc)}
    assert refusal(create, aws=aws, VpcConfig=config) == (
        f"{PREFIX}The provided execution role does not have permissions to call CreateNetworkInterface on EC2"
    )


def test_vpc_is_the_subnets(moto):
    """Lambda API reference, VpcConfigResponse."""

    def scenario(aws):
        vpc, subnet = aws.network()
        config = {"SubnetIds": [subnet], "SecurityGroupIds": groups_in(aws, vpc)}
        return create(aws, VpcConfig=config)["VpcConfig"]["VpcId"].replace(vpc, "right")

    assert moto.compare(scenario) == ("vpc-123abc", "right")


def test_subnet_and_group_of_a_function_stay(aws, refusal):
    """Lambda developer guide, VPC: the function's interface holds its subnet and groups."""
    vpc, subnet = aws.network()
    group = aws.ec2.create_security_group(GroupName="g", Description="g", VpcId=vpc)["GroupId"]
    create(aws, VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]})
    assert refusal(aws.ec2.delete_subnet, SubnetId=subnet).startswith("DependencyViolation")
    assert refusal(aws.ec2.delete_security_group, GroupId=group).startswith("DependencyViolation")
    aws.lambda_.delete_function(FunctionName="f")
    aws.ec2.delete_security_group(GroupId=group)
    aws.ec2.delete_subnet(SubnetId=subnet)


def test_every_change_is_a_new_revision(moto):
    """Lambda API reference, FunctionConfiguration: RevisionId."""

    def scenario(aws):
        seen = [create(aws).get("RevisionId")]
        client = aws.lambda_
        seen.append(client.update_function_configuration(FunctionName="f", Timeout=9).get("RevisionId"))
        changed = client.update_function_code(FunctionName="f", ZipFile=package("x = 1\n"))
        seen.append(changed.get("RevisionId"))
        variables = {"Variables": {"A": "1"}}
        seen.append(
            client.update_function_configuration(FunctionName="f", Environment=variables).get("RevisionId")
        )
        return len(set(seen))

    assert moto.compare(scenario) == (1, 4)


def test_refused_change_leaves_the_function(aws, refusal):
    """Lambda API reference, UpdateFunctionConfiguration."""
    create(aws)
    changes = {"Timeout": 9, "Environment": {"Variables": {"AWS_REGION": "x"}}}
    assert refusal(aws.lambda_.update_function_configuration, FunctionName="f", **changes).startswith(PREFIX)
    assert aws.lambda_.get_function_configuration(FunctionName="f")["Timeout"] == 3


def test_publishing_keeps_the_code_of_the_version(moto):
    """Lambda API reference, UpdateFunctionCode: Publish."""

    def scenario(aws):
        create(aws)
        one = aws.lambda_.update_function_code(FunctionName="f", ZipFile=package("x = 1\n"), Publish=True)
        aws.lambda_.update_function_code(FunctionName="f", ZipFile=package("x = 2\n"))
        again = aws.lambda_.get_function_configuration(FunctionName="f", Qualifier=one["Version"])
        return one["Version"], again["CodeSha256"] == one["CodeSha256"]

    fault, right = moto.compare(scenario)
    assert right == ("1", True)
    assert fault == right  # the code is right in plain moto too; it only takes it twice


def test_records_tell_all_about_functions(aws):
    vpc, subnet = aws.network()
    group = groups_in(aws, vpc)[0]
    created = create(
        aws,
        Timeout=60,
        MemorySize=256,
        Environment={"Variables": {"S3_BUCKET": "b"}},
        VpcConfig={"SubnetIds": [subnet], "SecurityGroupIds": [group]},
        LoggingConfig={"LogGroup": "/mine"},
    )
    aws.lambda_.put_function_concurrency(FunctionName="f", ReservedConcurrentExecutions=2)
    aws.lambda_.publish_version(FunctionName="f")
    latest, published = functions()
    assert (latest.version, published.version) == ("$LATEST", "1")
    assert latest.arn == created["FunctionArn"]
    assert published.arn == f"{latest.arn}:1"
    assert (latest.timeout_seconds, latest.memory_mb, latest.environment) == (60, 256, {"S3_BUCKET": "b"})
    assert (latest.vpc_id, latest.subnet_ids, latest.security_group_ids) == (vpc, (subnet,), (group,))
    assert (latest.log_group, latest.reserved_concurrency) == ("/mine", 2)
    assert latest.code_sha256 == created["CodeSha256"]
    assert latest == functions()[0]


def test_code_of_every_version_can_be_read(aws):
    arn = create(aws)["FunctionArn"]
    aws.lambda_.publish_version(FunctionName="f")
    aws.lambda_.update_function_code(FunctionName="f", ZipFile=package("x = 2\n"))
    assert code_zip(arn, "1") == package()
    assert code_zip(arn, "$LATEST") == package("x = 2\n")
    with pytest.raises(KeyError):
        code_zip(arn, "7")


def test_description_names_the_log_group(aws):
    """Lambda API reference, LoggingConfig."""
    assert create(aws)["LoggingConfig"] == {"LogFormat": "Text", "LogGroup": "/aws/lambda/f"}


def test_too_much_environment_is_refused(aws, refusal):
    """Lambda developer guide, "Lambda quotas": 4 KB for all variables."""
    refused = refusal(create, aws=aws, Environment={"Variables": {"A": "x" * 4096}})
    assert "exceeded the 4KB limit. String measured: " + json.dumps({"A": "x"})[:5] in refused
