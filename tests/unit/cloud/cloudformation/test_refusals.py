"""Templates that are refused at the call: AWS's code and words, the name, the line."""

from typing import Any

import pytest

pytestmark = pytest.mark.slow

VPC = "Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n    Properties: {CidrBlock: 10.0.0.0/16}\n"

REFUSED = {
    "not yaml": ("Resources:\n  Vpc: [", "YAML not well-formed. (line 3"),
    "a tab": (
        "Resources:\n  Vpc:\n\tType: AWS::EC2::VPC\n",
        "(line 3, column 1): found character that cannot start any token. It is a tab: YAML takes spaces only",
    ),
    "not json": ('{"Resources": {\n  "Vpc": }\n}', "JSON not well-formed. (line 2, column 10)"),
    "a duplicate key": (VPC + "  Vpc: {}\n", "duplicate key Vpc (line 5)"),
    "an alias": (
        "Resources: &a\n  X: *a\n",
        "YAML aliases are not allowed in CloudFormation templates (line 2)",
    ),
    "a python object": ("Resources: !!python/object:os.system {}", "At least one Resources member"),
    "an unknown tag": (
        VPC + "Outputs:\n  A: !Get x\n",
        "YAML tag !Get is not a CloudFormation function (line 6)",
    ),
    "text": ("hello", "unsupported structure"),
    "nothing": ("Description: x", "At least one Resources member must be defined."),
    "a misspelt section": (VPC + "Output: {}\n", "Invalid template property or properties [Output] (line 5)"),
    "a transform": ("Transform: AWS::Serverless-2016-10-31\n" + VPC, "section Transform is not emulated"),
    "no type": ("Resources:\n  A: {Properties: {}}\n", "must contain a Type member. (line 2)"),
    "a misspelt attribute": (VPC + "    DependOn: X\n", "Invalid template resource property 'DependOn'"),
    "a creation policy": (
        VPC + "    CreationPolicy: {}\n",
        "CreationPolicy is not supported for resource type AWS::EC2::VPC of resource Vpc",
    ),
    "a bad logical id": ("Resources:\n  a-b: {Type: AWS::EC2::VPC}\n", "a-b is non alphanumeric. (line 2)"),
    "an unknown type": (
        "Resources:\n  A:\n    Type: AWS::EC2::Instanse\n",
        "Unrecognized resource types: [AWS::EC2::Instanse]. Did you mean AWS::EC2::Instance? (line 3)",
    ),
    "a type that is not emulated": (
        "Resources:\n  Q:\n    Type: AWS::SQS::Queue\n",
        "The resource type AWS::SQS::Queue of resource Q is not emulated by the local cloud (line 3)",
    ),
    "a custom resource that nobody makes": (
        "Resources:\n  C:\n    Type: Custom::Thing\n",
        "for resource C with message:\n#: required key [ServiceToken] not found (line 2)",
    ),
    "a nested stack with a time-out": (
        "Resources:\n  C:\n    Type: AWS::CloudFormation::Stack\n"
        "    Properties: {TemplateURL: https://b.s3.amazonaws.com/t, TimeoutInMinutes: 5}\n",
        "property TimeoutInMinutes of type AWS::CloudFormation::Stack is not emulated",
    ),
    "a misspelt property": (
        "Resources:\n  Vpc:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlok: 10.0.0.0/16\n",
        "for resource Vpc with message:\n#: extraneous key [CidrBlok] is not permitted. "
        "Did you mean CidrBlock? (line 5)",
    ),
    "a misspelt inner property": (
        "Resources:\n  V:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlock: 10.0.0.0/16\n"
        "      Tags:\n        - Key: a\n          Valu: b\n",
        "#/Tags/0: extraneous key [Valu] is not permitted. Did you mean Value? (line 8)",
    ),
    "half a name, told once": (
        "Resources:\n  G:\n    Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupDescription: x\n"
        "      SecurityGroupIngress:\n        - {IpProtocol: tcp, Port: 80}\n",
        "#/SecurityGroupIngress/0: extraneous key [Port] is not permitted. Did you mean FromPort or ToPort? (line 7)",
    ),
    "one text where a list is due": (
        "Resources:\n  S:\n    Type: AWS::EC2::Subnet\n    Properties: {VpcId: v}\n  F:\n    Type: AWS::Lambda::Function\n"
        "    Properties:\n      Role: r\n      Code: {ZipFile: x}\n      VpcConfig:\n        SubnetIds: !Ref S\n",
        "#/VpcConfig/SubnetIds: expected type: JSONArray, found: String (line 11)",
    ),
    "a list where one text is due": (
        "Resources:\n  S:\n    Type: AWS::EC2::Subnet\n    Properties: {VpcId: v, AvailabilityZone: !GetAZs ''}\n",
        "#/AvailabilityZone: expected type: String, found: JSONArray (line 4)",
    ),
    "a list of a parameter where one text is due": (
        "Parameters: {Nets: {Type: 'List<AWS::EC2::Subnet::Id>'}}\nResources:\n  V:\n    Type: AWS::EC2::Subnet\n"
        "    Properties:\n      VpcId: !Ref Nets\n",
        "#/VpcId: expected type: String, found: JSONArray (line 6)",
    ),
    "a missing property": (
        "Resources:\n  Sub:\n    Type: AWS::EC2::Subnet\n    Properties: {CidrBlock: 10.0.0.0/24}\n",
        "resource Sub with message:\n#: required key [VpcId] not found (line 4)",
    ),
    "a wrong type": (
        "Resources:\n  G:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      RetentionInDays: week\n",
        "#/RetentionInDays: expected type: Integer, found: String (line 5)",
    ),
    "a wrong value": (
        "Resources:\n  G:\n    Type: AWS::Logs::LogGroup\n    Properties:\n      RetentionInDays: 8\n",
        "#/RetentionInDays: 8 is not a valid enum value",
    ),
    "a list for text": (
        "Resources:\n  V:\n    Type: AWS::EC2::VPC\n    Properties:\n      CidrBlock: [10.0.0.0/16]\n",
        "#/CidrBlock: expected type: String, found: JSONArray (line 5)",
    ),
    "a property that is not emulated": (
        "Resources:\n  V:\n    Type: AWS::EC2::VPC\n    Properties:\n      Ipv4IpamPoolId: x\n",
        "property Ipv4IpamPoolId of type AWS::EC2::VPC is not emulated by the local cloud (line 5)",
    ),
    "a member of a list inside a property": (
        "Resources:\n  B:\n    Type: AWS::S3::Bucket\n    Properties:\n      LifecycleConfiguration:\n"
        "        Rules:\n          - Status: Enabled\n            ExpirationInDays: 1\n"
        "            ObjectSizeGreaterThan: '500'\n",
        "property LifecycleConfiguration.Rules.ObjectSizeGreaterThan of type AWS::S3::Bucket is not emulated "
        "by the local cloud (line 9)",
    ),
    "an inner property that is not emulated": (
        "Resources:\n  I:\n    Type: AWS::EC2::Instance\n    Properties:\n      NetworkInterfaces:\n"
        "        - DeviceIndex: '0'\n          Ipv6AddressCount: 1\n",
        "property NetworkInterfaces.Ipv6AddressCount of type AWS::EC2::Instance is not emulated by the "
        "local cloud (line 7)",
    ),
    "a read-only property": (
        "Resources:\n  V:\n    Type: AWS::EC2::VPC\n    Properties:\n      VpcId: vpc-1\n",
        "read-only key [VpcId] is not permitted (line 5)",
    ),
    "an unresolved Ref": (
        VPC + "Outputs:\n  A:\n    Value: !Ref Nobody\n",
        "Unresolved resource dependencies [Nobody] in the Outputs block of the template (line 7)",
    ),
    "an unresolved Sub": (
        VPC + "Outputs:\n  A:\n    Value: !Sub '${Nobody}'\n",
        "Unresolved resource dependencies [Nobody] in the Outputs block",
    ),
    "an unresolved DependsOn": (
        VPC + "    DependsOn: Nobody\n",
        "dependencies [Nobody] in the Resources block of the template",
    ),
    "GetAtt of nobody": (
        VPC + "Outputs:\n  A:\n    Value: !GetAtt Nobody.Arn\n",
        "instance of Fn::GetAtt references undefined resource Nobody (line 7)",
    ),
    "an unknown attribute": (
        VPC + "Outputs:\n  A:\n    Value: !GetAtt Vpc.Arn\n",
        "resource Vpc does not support attribute type Arn in Fn::GetAtt (line 7)",
    ),
    "an unknown condition": (VPC + "    Condition: Never\n", "Unresolved condition dependency Never"),
    "an unknown function": (
        VPC + "Outputs:\n  A:\n    Value: {'Fn::Jion': []}\n",
        "Encountered unsupported function: Fn::Jion",
    ),
    "an unknown mapping": (
        VPC + "Outputs:\n  A:\n    Value: !FindInMap [M, a, b]\n",
        "Mapping named 'M' is not present in the 'Mappings' section",
    ),
    "a resource in a condition": (
        VPC + "Conditions:\n  C: !Equals [!Ref Vpc, a]\n",
        "Cannot reference resources in the Conditions block of the template (line 6)",
    ),
    "an unknown parameter type": (
        VPC + "Parameters:\n  P: {Type: Text}\n",
        "Unrecognized parameter type: Text (line 6)",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused(cloud: Any, case: str) -> None:
    """CloudFormation: UserGuide/troubleshooting.html, "Validation error"."""
    body, words = REFUSED[case]
    refusal = cloud.refusal(body)
    assert refusal.startswith("ValidationError: ")
    assert words in refusal
    assert cloud.cloudformation.describe_stacks()["Stacks"] == []


def test_what_aws_does_not_have_is_not_called_lacking_here(cloud: Any) -> None:
    assert "not emulated" not in cloud.refusal(REFUSED["half a name, told once"][0])


def test_circular_dependencies_are_named(cloud: Any) -> None:
    """CloudFormation: UserGuide/troubleshooting.html, "Circular dependency between resources"."""
    group = "    Type: AWS::EC2::SecurityGroup\n    Properties:\n      GroupDescription: {other}\n"
    body = "Resources:\n  A:\n" + group.format(other="!Ref B") + "  B:\n" + group.format(other="!Ref A")
    assert cloud.refusal(body) == "ValidationError: Circular dependency between resources: [A, B]"


def test_every_problem_is_told_at_once(cloud: Any) -> None:
    body = (
        "Resources:\n  A:\n    Type: AWS::EC2::VPC\n    Properties: {Cidr: x}\n"
        "  B:\n    Type: AWS::EC2::Subnet\n    Properties: {Cidr: x}\n"
    )
    refusal = cloud.refusal(body)
    assert "resource A" in refusal
    assert "resource B" in refusal
    assert "required key [VpcId] not found (line 7)" in refusal


def test_a_template_body_is_at_most_51200_bytes(cloud: Any) -> None:
    """CloudFormation: UserGuide/cloudformation-limits.html, "Template body size in a request"."""
    refusal = cloud.refusal(VPC + "# " + "x" * 51_200)
    assert "failed to satisfy constraint: Member must have length less than or equal to 51200" in refusal


def test_deep_nesting_is_refused(cloud: Any) -> None:
    assert "nested too deeply" in cloud.refusal("Resources: " + "[" * 20_000)
    assert "nested too deeply" in cloud.refusal('{"Resources": ' + "[" * 20_000)


@pytest.mark.parametrize(
    ("given", "needed"),
    [({}, "[CAPABILITY_IAM]"), ({"InstanceProfileName": "x"}, "[CAPABILITY_NAMED_IAM]")],
)
def test_iam_needs_a_capability(cloud: Any, given: dict[str, str], needed: str) -> None:
    """CloudFormation: UserGuide/control-access-with-iam.html, acknowledging IAM resources."""
    name = "".join(f", {key}: {value}" for key, value in given.items())
    body = f"Resources:\n  P:\n    Type: AWS::IAM::InstanceProfile\n    Properties: {{Roles: [a]{name}}}\n"
    refusal = cloud.refusal(body, Capabilities=[])
    assert refusal == f"InsufficientCapabilitiesException: Requires capabilities : {needed}"


def test_json_templates_are_taken(cloud: Any) -> None:
    body = '{\n\t"Resources": {"Vpc": {"Type": "AWS::EC2::VPC", "Properties": {"CidrBlock": "10.0.0.0/16"}}}}'
    assert cloud.create(body)["StackStatus"] == "CREATE_COMPLETE"


@pytest.mark.parametrize(
    "parameter", [{"RoleARN": "arn:aws:iam::123456789012:role/x"}, {"TimeoutInMinutes": 5}]
)
def test_what_is_not_emulated_is_refused_by_name(cloud: Any, parameter: dict[str, Any]) -> None:
    assert f"The parameter {next(iter(parameter))} of CreateStack is not emulated" in cloud.refusal(
        VPC, **parameter
    )


def test_an_action_that_is_not_emulated_is_refused_by_name(cloud: Any) -> None:
    with pytest.raises(
        cloud.cloudformation.exceptions.ClientError, match="action ListStackSets is not emulated"
    ):
        cloud.cloudformation.list_stack_sets()
