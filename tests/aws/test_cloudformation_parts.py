"""Types of CloudFormation that other people's templates use beside the lab's, through the whole local cloud."""

import json
from typing import Any

import pytest
import yaml

from tests.aws.stacks import Stack, outputs

HELLO = "def lambda_handler(event, context):\n    print('hello')\n    return event\n"


def made(
    stack: Stack, resources: str, named: dict[str, Any] | None = None, verb: str = "create"
) -> dict[str, str]:
    """The stack with these resources (YAML), of which none failed: its outputs."""
    description = stack.apply(
        json.dumps({"Resources": yaml.safe_load(resources), "Outputs": named or {}}), verb
    )
    assert stack.failures() == []
    return outputs(description)


def test_a_key_pairs_private_key_is_kept_as_a_parameter(live: Any, stack: Stack) -> None:
    """CloudFormation: TemplateReference/aws-resource-ec2-keypair.html: /ec2/keypair/<id> in the parameter store, deleted with it."""
    name = live.name("key")
    told = made(
        stack,
        f"Key: {{Type: 'AWS::EC2::KeyPair', Properties: {{KeyName: {name}}}}}",
        {"Id": {"Value": {"Fn::GetAtt": ["Key", "KeyPairId"]}}, "Name": {"Value": {"Ref": "Key"}}},
    )
    assert told["Name"] == name
    where = f"/ec2/keypair/{told['Id']}"
    private = live.ssm.get_parameter(Name=where, WithDecryption=True)["Parameter"]
    assert (private["Type"], private["Value"][:10]) == ("SecureString", "-----BEGIN")
    stack.delete()
    assert live.ssm.get_parameters(Names=[where])["InvalidParameters"] == [where]
    assert live.ec2.describe_key_pairs(Filters=[{"Name": "key-name", "Values": [name]}])["KeyPairs"] == []


PARTS = """
Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.77.0.0/16}}
Net: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: {Ref: Vpc}, CidrBlock: 10.77.1.0/24, AvailabilityZone: ap-south-1a}}
Group: {Type: 'AWS::EC2::SecurityGroup', Properties: {VpcId: {Ref: Vpc}, GroupDescription: parts}}
Second:
  Type: AWS::EC2::NetworkInterface
  Properties: {SubnetId: {Ref: Net}, GroupSet: [{Ref: Group}], Description: %s, PrivateIpAddress: 10.77.1.77, SourceDestCheck: false}
Disk: {Type: 'AWS::EC2::Volume', Properties: {AvailabilityZone: ap-south-1a, Size: %d, VolumeType: gp3}}
Names: {Type: 'AWS::EC2::DHCPOptions', Properties: {DomainName: lab.example, DomainNameServers: [AmazonProvidedDNS]}}
Named: {Type: 'AWS::EC2::VPCDHCPOptionsAssociation', Properties: {VpcId: {Ref: Vpc}, DhcpOptionsId: {Ref: Names}}}
"""


def test_interfaces_volumes_and_dhcp_options(live: Any, stack: Stack) -> None:
    """CloudFormation: TemplateReference: aws-resource-ec2-networkinterface, -volume, -dhcpoptions, -vpcdhcpoptionsassociation."""
    named = {
        "Interface": {"Value": {"Ref": "Second"}},
        "Address": {"Value": {"Fn::GetAtt": ["Second", "PrimaryPrivateIpAddress"]}},
        "Disk": {"Value": {"Fn::GetAtt": ["Disk", "VolumeId"]}},
        "Vpc": {"Value": {"Fn::GetAtt": ["Second", "VpcId"]}},
    }
    first = made(stack, PARTS % ("one", 8), named)
    assert first["Address"] == "10.77.1.77"
    options = live.ec2.describe_vpcs(VpcIds=[first["Vpc"]])["Vpcs"][0]["DhcpOptionsId"]
    (described,) = live.ec2.describe_dhcp_options(DhcpOptionsIds=[options])["DhcpOptions"]
    assert {"Key": "domain-name", "Values": [{"Value": "lab.example"}]} in described["DhcpConfigurations"]

    assert made(stack, PARTS % ("two", 9), named, "update") == first
    (interface,) = live.ec2.describe_network_interfaces(NetworkInterfaceIds=[first["Interface"]])[
        "NetworkInterfaces"
    ]
    assert (interface["Description"], interface["SourceDestCheck"]) == ("two", False)
    assert live.ec2.describe_volumes(VolumeIds=[first["Disk"]])["Volumes"][0]["Size"] == 9


JOINED = """
Vpc: {Type: 'AWS::EC2::VPC', Properties: {CidrBlock: 10.78.0.0/16}}
Net: {Type: 'AWS::EC2::Subnet', Properties: {VpcId: {Ref: Vpc}, CidrBlock: 10.78.1.0/24}}
Box: {Type: 'AWS::EC2::Instance', Properties: {ImageId: %s, InstanceType: t3.micro, SubnetId: {Ref: Net}}}
Second: {Type: 'AWS::EC2::NetworkInterface', Properties: {SubnetId: {Ref: Net}}}
Joined:
  Type: AWS::EC2::NetworkInterfaceAttachment
  Properties: {InstanceId: {Ref: Box}, NetworkInterfaceId: {Ref: Second}, DeviceIndex: "1"}
Disk: {Type: 'AWS::EC2::Volume', Properties: {AvailabilityZone: {'Fn::GetAtt': [Box, AvailabilityZone]}, Size: 1}}
Attached: {Type: 'AWS::EC2::VolumeAttachment', Properties: {InstanceId: {Ref: Box}, VolumeId: {Ref: Disk}, Device: /dev/sdf}}
"""


def test_what_is_attached_to_an_instance_is_detached_with_the_stack(
    live: Any, aids: Any, stack: Stack
) -> None:
    """CloudFormation: TemplateReference: aws-resource-ec2-networkinterfaceattachment, -volumeattachment."""
    path = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64"
    image = live.ssm.get_parameter(Name=path)["Parameter"]["Value"]
    told = made(stack, JOINED % image, {"Box": {"Value": {"Ref": "Box"}}, "Disk": {"Value": {"Ref": "Disk"}}})
    (reservation,) = live.ec2.describe_instances(InstanceIds=[told["Box"]])["Reservations"]
    assert [
        each["Attachment"]["DeviceIndex"] for each in reservation["Instances"][0]["NetworkInterfaces"]
    ] == [0, 1]
    (volume,) = live.ec2.describe_volumes(VolumeIds=[told["Disk"]])["Volumes"]
    assert [each["InstanceId"] for each in volume["Attachments"]] == [told["Box"]]
    stack.delete()
    assert aids.refused(live.ec2.describe_volumes, VolumeIds=[told["Disk"]])[0] == "InvalidVolume.NotFound"


HELLO_MADE = """
Role:
  Type: AWS::IAM::Role
  Properties:
    AssumeRolePolicyDocument:
      Version: "2012-10-17"
      Statement: [{Effect: Allow, Principal: {Service: lambda.amazonaws.com}, Action: 'sts:AssumeRole'}]
    ManagedPolicyArns: ['arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole']
Hello:
  Type: AWS::Lambda::Function
  Properties: {Runtime: python3.13, Handler: index.lambda_handler, Role: {'Fn::GetAtt': [Role, Arn]}, Code: {ZipFile: %s}}
"""
RUNS = (
    HELLO_MADE
    + """
First: {Type: 'AWS::Lambda::Version', Properties: {FunctionName: {Ref: Hello}}}
Live:
  Type: AWS::Lambda::Alias
  Properties: {FunctionName: {Ref: Hello}, FunctionVersion: {'Fn::GetAtt': [First, Version]}, Name: live, Description: %s}
Tries: {Type: 'AWS::Lambda::EventInvokeConfig', Properties: {FunctionName: {Ref: Hello}, Qualifier: $LATEST, MaximumRetryAttempts: %d}}
Lines: {Type: 'AWS::Logs::LogGroup', Properties: {LogGroupName: {'Fn::Sub': '/aws/lambda/${Hello}'}}}
Words: {Type: 'AWS::Logs::LogStream', Properties: {LogGroupName: {Ref: Lines}, LogStreamName: words}}
Errors:
  Type: AWS::Logs::MetricFilter
  Properties:
    LogGroupName: {Ref: Lines}
    FilterPattern: %s
    MetricTransformations: [{MetricName: Errors, MetricNamespace: Lab, MetricValue: "1"}]
"""
)


def test_aliases_retries_and_log_filters(live: Any, stack: Stack) -> None:
    """CloudFormation: TemplateReference: aws-resource-lambda-alias, -eventinvokeconfig, aws-resource-logs-metricfilter, -logstream."""
    named = {
        "Alias": {"Value": {"Ref": "Live"}},
        "Function": {"Value": {"Ref": "Hello"}},
        "Group": {"Value": {"Ref": "Lines"}},
    }
    told = made(stack, RUNS % (json.dumps(HELLO), "one", 0, "ERROR"), named)
    assert live.call(told["Alias"], 7) == 7
    made(stack, RUNS % (json.dumps(HELLO), "two", 1, "FATAL"), named, "update")
    alias = live.lambda_.get_alias(FunctionName=told["Function"], Name="live")
    assert (alias["FunctionVersion"], alias["Description"]) == ("1", "two")
    tries = live.lambda_.get_function_event_invoke_config(FunctionName=told["Function"])
    assert tries["MaximumRetryAttempts"] == 1
    (errors,) = live.logs.describe_metric_filters(logGroupName=told["Group"])["metricFilters"]
    assert (errors["filterPattern"], errors["metricTransformations"][0]["metricName"]) == ("FATAL", "Errors")


BUCKET = (
    HELLO_MADE
    + """
May:
  Type: AWS::Lambda::Permission
  Properties: {FunctionName: {Ref: Hello}, Action: 'lambda:InvokeFunction', Principal: s3.amazonaws.com, SourceAccount: {Ref: 'AWS::AccountId'}}
Box:
  Type: AWS::S3::Bucket
  DependsOn: May
  Properties:
    AccessControl: %s
    OwnershipControls: {Rules: [{ObjectOwnership: ObjectWriter}]}
    CorsConfiguration: {CorsRules: [{AllowedMethods: [GET], AllowedOrigins: ['https://lab.example'], ExposedHeaders: [ETag], MaxAge: 60}]}
    NotificationConfiguration:
      LambdaConfigurations: [{Event: 's3:ObjectCreated:*', Function: {'Fn::GetAtt': [Hello, Arn]}, Filter: {S3Key: {Rules: [{Name: suffix, Value: .png}]}}}]
"""
)


def test_a_bucket_with_an_acl_needs_object_ownership(live: Any, stack: Stack) -> None:
    """S3 user guide, "Controlling ownership of objects": a new bucket has ACLs off, AccessControl alone fails."""
    with pytest.raises(AssertionError, match="BucketOwnerEnforced"):
        made(stack, "Box: {Type: 'AWS::S3::Bucket', Properties: {AccessControl: PublicRead}}")


def test_a_bucket_tells_functions_and_pages_of_other_origins(live: Any, aids: Any, stack: Stack) -> None:
    """CloudFormation: TemplateReference/aws-resource-s3-bucket.html: AccessControl, CorsConfiguration, NotificationConfiguration."""
    named = {"Box": {"Value": {"Ref": "Box"}}, "Hello": {"Value": {"Ref": "Hello"}}}
    told = made(stack, BUCKET % (json.dumps(HELLO), "LogDeliveryWrite"), named)
    box = told["Box"]
    assert len(live.s3.get_bucket_acl(Bucket=box)["Grants"]) == 3
    (rule,) = live.s3.get_bucket_cors(Bucket=box)["CORSRules"]
    assert (rule["ExposeHeaders"], rule["MaxAgeSeconds"]) == (["ETag"], 60)
    live.s3.put_object(Bucket=box, Key="a.txt")
    live.s3.put_object(Bucket=box, Key="a.png")

    def lines() -> Any:
        group = f"/aws/lambda/{told['Hello']}"
        if not live.logs.describe_log_groups(logGroupNamePrefix=group)["logGroups"]:
            return []
        return [
            each["message"]
            for each in live.logs.filter_log_events(logGroupName=group, filterPattern="hello")["events"]
        ]

    assert aids.eventually(lines) == ["hello\n"]
    made(stack, BUCKET % (json.dumps(HELLO), "Private"), named, "update")
    assert len(live.s3.get_bucket_acl(Bucket=box)["Grants"]) == 1
    live.s3.delete_objects(Bucket=box, Delete={"Objects": [{"Key": "a.txt"}, {"Key": "a.png"}]})


PEOPLE = """
Crew: {Type: 'AWS::IAM::Group'}
Ada: {Type: 'AWS::IAM::User'}
Bob: {Type: 'AWS::IAM::User'}
In: {Type: 'AWS::IAM::UserToGroupAddition', Properties: {GroupName: {Ref: Crew}, Users: [{Ref: %s}]}}
Steps:
  Type: AWS::SSM::Document
  Properties:
    DocumentType: Command
    UpdateMethod: NewVersion
    Content: {schemaVersion: "2.2", description: %s, mainSteps: [{action: aws:runShellScript, name: a, inputs: {runCommand: [date]}}]}
"""


def test_members_of_groups_and_documents_change(live: Any, stack: Stack) -> None:
    """CloudFormation: TemplateReference/aws-resource-iam-usertogroupaddition.html, aws-resource-ssm-document.html."""
    named = {name: {"Value": {"Ref": name}} for name in ("Crew", "Ada", "Bob", "Steps")}
    told = made(stack, PEOPLE % ("Ada", "one"), named)

    def members() -> list[str]:
        return [each["UserName"] for each in live.iam.get_group(GroupName=told["Crew"])["Users"]]

    assert members() == [told["Ada"]]
    assert made(stack, PEOPLE % ("Bob", "two"), named, "update") == told
    assert members() == [told["Bob"]]
    document = live.ssm.get_document(Name=told["Steps"])
    assert (document["DocumentVersion"], json.loads(document["Content"])["description"]) == ("2", "two")
