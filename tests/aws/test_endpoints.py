"""AWS's own names inside functions and instances: DNS, TLS, and packets that need a route."""

from typing import Any

import pytest

LOOK_UP = """
import socket, ssl
def lambda_handler(event, context):
    try:
        with socket.create_connection((event["host"], event.get("port", 443)), timeout=event.get("seconds", 1)) as plain:
            context = ssl.create_default_context()
            with context.wrap_socket(plain, server_hostname=event["host"]) as secure:
                return dict(x[0] for x in secure.getpeercert()["subject"])["commonName"]
    except Exception as error:
        return type(error).__name__
"""
#: what a function in a VPC needs, and nothing of S3
ENOUGH = {"Effect": "Allow", "Action": "ec2:*", "Resource": "*"}
IDENTITY = """
import boto3, os
from botocore.config import Config
def lambda_handler(event, context):
    config = Config(connect_timeout=1, retries={"max_attempts": 0}, **(event or {}).get("config", {}))
    try:
        client = boto3.client((event or {}).get("service", "sts"), config=config)
        call = getattr(client, (event or {}).get("call", "get_caller_identity"))
        answer = call(**(event or {}).get("with", {}))
        return {"answer": answer.get("Arn", "ok"), "url": client.meta.endpoint_url}
    except Exception as error:
        return {"error": type(error).__name__}
"""


@pytest.fixture(scope="module")
def prober(live: Any) -> str:
    """A function outside any VPC that connects to a name by TLS."""
    return str(live.function(LOOK_UP))


@pytest.mark.parametrize(
    ("host", "name"),
    [
        ("s3.ap-south-1.amazonaws.com", "s3.ap-south-1.amazonaws.com"),
        ("my-bucket.s3.ap-south-1.amazonaws.com", "s3.ap-south-1.amazonaws.com"),
        ("my-bucket.s3.amazonaws.com", "s3.amazonaws.com"),
        ("dynamodb.eu-west-1.amazonaws.com", "dynamodb.eu-west-1.amazonaws.com"),
        ("iam.amazonaws.com", "iam.amazonaws.com"),
    ],
)
def test_every_service_answers_by_its_own_name_with_a_good_certificate(
    live: Any, prober: str, host: str, name: str
) -> None:
    """AWS General Reference, "AWS service endpoints"; S3 user guide, "Virtual hosting of buckets"."""
    assert live.call(prober, {"host": host}) == name


@pytest.mark.parametrize(
    ("host", "error"),
    [
        ("dynamo.ap-south-1.amazonaws.com", "gaierror"),
        ("s3.mumbai.amazonaws.com", "gaierror"),
        ("no-such-host.example", "gaierror"),
        ("dotted.bucket.s3.ap-south-1.amazonaws.com", "SSLCertVerificationError"),
    ],
)
def test_a_wrong_name_is_not_found_and_a_dotted_bucket_has_no_certificate(
    live: Any, prober: str, host: str, error: str
) -> None:
    """S3 user guide, "Virtual hosting of buckets": the wildcard certificate matches no name with dots."""
    assert live.call(prober, {"host": host}) == error


def test_boto3_needs_no_endpoint_and_no_configuration(live: Any) -> None:
    """boto3 guide, "Credentials" and "Configuration": on Lambda the environment has all that is needed."""
    role = live.role()
    answer = live.run(IDENTITY, Role=role)
    assert answer["url"] == "https://sts.ap-south-1.amazonaws.com"
    assert role.rpartition("/")[2] in answer["answer"]


def test_no_variable_and_no_file_names_an_endpoint(live: Any) -> None:
    """AWS Lambda, "Using Lambda environment variables": there is no AWS_ENDPOINT_URL."""
    source = """
import os
def lambda_handler(event, context):
    return [n for n in os.environ if "ENDPOINT" in n] + [os.path.exists(os.path.expanduser("~/.aws"))]
"""
    assert live.run(source) == [False]


def test_objects_pass_through_the_buckets_own_host_name(live: Any, aids: Any) -> None:
    """S3 user guide, "Virtual hosting of buckets"; API reference, PutObject: signed for that host."""
    source = """
import boto3
def lambda_handler(event, context):
    s3 = boto3.client("s3")
    s3.put_object(Bucket=event, Key="a b/ü.txt", Body=b"x" * 100_000)
    return s3.get_object(Bucket=event, Key="a b/ü.txt")["ContentLength"]
"""
    bucket = live.bucket()
    assert live.run(source, bucket) == 100_000
    assert live.s3.get_object(Bucket=bucket, Key="a b/ü.txt")["Body"].read() == b"x" * 100_000


def test_secure_transport_is_true_for_https_and_false_for_http(live: Any, aids: Any) -> None:
    """S3 user guide, "Security best practices": a policy with aws:SecureTransport refuses plain HTTP."""
    bucket = live.bucket()
    deny = {
        "Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }  # fmt: skip
    live.s3.put_bucket_policy(Bucket=bucket, Policy=aids.policy(deny))
    source = """
import boto3
def lambda_handler(event, context):
    answers = []
    for ssl in (True, False):
        try:
            boto3.client("s3", use_ssl=ssl).put_object(Bucket=event, Key="k", Body=b"x")
            answers.append("ok")
        except Exception as error:
            answers.append(error.response["Error"]["Code"])
    return answers
"""
    assert live.run(source, bucket) == ["ok", "AccessDenied"]


def test_a_function_in_a_vpc_reaches_no_endpoint_without_nat_or_vpc_endpoint(live: Any) -> None:
    """AWS Lambda, "Internet access for VPC-connected functions": a public subnet does not give it."""
    vpc = live.vpc()
    settings = {"SubnetIds": [vpc.public], "SecurityGroupIds": [vpc.group]}
    assert live.run(IDENTITY, VpcConfig=settings)["error"] == "ConnectTimeoutError"


def test_a_nat_gateway_gives_a_private_subnet_the_endpoints(live: Any) -> None:
    """VPC user guide, "NAT gateways": a route in the private subnet, the gateway in a public one."""
    vpc = live.vpc()
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    name = live.function(IDENTITY, VpcConfig=settings)
    assert live.call(name)["error"] == "ConnectTimeoutError"
    address = live.ec2.allocate_address(Domain="vpc")["AllocationId"]
    nat = live.ec2.create_nat_gateway(SubnetId=vpc.public, AllocationId=address)["NatGateway"]["NatGatewayId"]
    live.ec2.create_route(RouteTableId=vpc.private_table, DestinationCidrBlock="0.0.0.0/0", NatGatewayId=nat)
    assert "answer" in live.call(name)


def test_a_gateway_endpoint_carries_s3_and_nothing_else(live: Any) -> None:
    """VPC user guide, "Gateway endpoints": S3 and DynamoDB of the region, by a route to a prefix list."""
    vpc, bucket = live.vpc(internet=False), live.bucket()
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    name = live.function(IDENTITY, VpcConfig=settings)
    listing = {"service": "s3", "call": "list_objects_v2", "with": {"Bucket": bucket}}
    assert live.call(name, listing)["error"] == "ConnectTimeoutError"
    live.ec2.create_vpc_endpoint(
        VpcId=vpc.vpc, ServiceName="com.amazonaws.ap-south-1.s3", RouteTableIds=[vpc.private_table]
    )
    assert live.call(name, listing)["answer"] == "ok"
    assert live.call(name)["error"] == "ConnectTimeoutError"


def test_a_policy_can_ask_for_the_gateway_endpoint(live: Any, aids: Any) -> None:
    """S3 user guide, "Controlling access from VPC endpoints with bucket policies": aws:SourceVpce."""
    vpc, bucket = live.vpc(internet=False), live.bucket()
    endpoint = live.ec2.create_vpc_endpoint(
        VpcId=vpc.vpc, ServiceName="com.amazonaws.ap-south-1.s3", RouteTableIds=[vpc.private_table]
    )["VpcEndpoint"]["VpcEndpointId"]
    condition = {"StringNotEquals": {"aws:SourceVpce": endpoint}}
    things = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"]
    deny = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:ListBucket",
        "Resource": things,
        "Condition": condition,
    }
    live.s3.put_bucket_policy(Bucket=bucket, Policy=aids.policy(deny))
    listing = {"service": "s3", "call": "list_objects_v2", "with": {"Bucket": bucket}}
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    assert live.run(IDENTITY, listing, VpcConfig=settings)["answer"] == "ok"
    assert live.run(IDENTITY, listing)["error"] == "AccessDenied"


def test_a_gateway_endpoints_policy_is_a_limit_and_no_permission(live: Any, aids: Any) -> None:
    """VPC user guide, "Control access to VPC endpoints using endpoint policies": everything passes by default."""
    vpc, open_bucket, other = live.vpc(internet=False), live.bucket(), live.bucket()
    things = [f"arn:aws:s3:::{open_bucket}", f"arn:aws:s3:::{open_bucket}/*"]
    only = {"Effect": "Allow", "Principal": "*", "Action": "s3:*", "Resource": things}
    endpoint = live.ec2.create_vpc_endpoint(
        VpcId=vpc.vpc, ServiceName="com.amazonaws.ap-south-1.s3", RouteTableIds=[vpc.private_table],
        PolicyDocument=aids.policy(only),
    )["VpcEndpoint"]["VpcEndpointId"]  # fmt: skip
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    name = live.function(IDENTITY, VpcConfig=settings)

    def listing(bucket: str) -> Any:
        return live.call(name, {"service": "s3", "call": "list_objects_v2", "with": {"Bucket": bucket}})

    assert listing(open_bucket)["answer"] == "ok"
    assert listing(other)["error"] == "AccessDenied"
    denied = live.local.ask("GET", "denials")[-1]
    assert denied["message"].endswith("because no VPC endpoint policy allows the s3:ListBucket action")
    nobody = live.function(IDENTITY, VpcConfig=settings, Role=live.role(ENOUGH))
    call = {"service": "s3", "call": "list_objects_v2", "with": {"Bucket": open_bucket}}
    assert live.call(nobody, call)["error"] == "AccessDenied", "the endpoint's policy grants nothing"
    deny = {"Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": "*"}
    live.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint, PolicyDocument=aids.policy({**only, "Resource": "*"}, deny)
    )
    assert listing(open_bucket)["error"] == "AccessDenied"
    denied = live.local.ask("GET", "denials")[-1]
    assert denied["message"].endswith("with an explicit deny in a VPC endpoint policy")
    live.ec2.modify_vpc_endpoint(
        VpcEndpointId=endpoint, PolicyDocument=aids.policy({**only, "Resource": "*"})
    )
    assert listing(other)["answer"] == "ok"


def test_a_dynamodb_endpoints_policy_names_tables(live: Any, aids: Any) -> None:
    """DynamoDB developer guide, "Using Amazon VPC endpoints to access DynamoDB": the policy may name tables."""
    vpc, tables = live.vpc(internet=False), [live.name("table") for _ in range(2)]
    for table in tables:
        live.dynamodb.create_table(
            TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
            AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        )  # fmt: skip
    only = {
        "Effect": "Allow",
        "Principal": "*",
        "Action": "dynamodb:*",
        "Resource": f"arn:aws:dynamodb:*:*:table/{tables[0]}",
    }
    live.ec2.create_vpc_endpoint(
        VpcId=vpc.vpc, ServiceName="com.amazonaws.ap-south-1.dynamodb", RouteTableIds=[vpc.private_table],
        PolicyDocument=aids.policy(only),
    )  # fmt: skip
    settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
    name = live.function(IDENTITY, VpcConfig=settings)
    scans = [
        live.call(name, {"service": "dynamodb", "call": "scan", "with": {"TableName": t}}) for t in tables
    ]
    assert [scan.get("answer") or scan["error"] for scan in scans] == ["ok", "ClientError"]
    assert (
        "no VPC endpoint policy allows the dynamodb:Scan" in live.local.ask("GET", "denials")[-1]["message"]
    )


def test_curl_requests_and_boto3_trust_the_endpoints_inside_an_instance(live: Any) -> None:
    """EC2 user guide, "Instance metadata"; the system's bundle, requests' and botocore's own: each works."""
    script = "#!/bin/bash\ndnf install -qy python3.11 python3.11-pip >/dev/null\npip3.11 install boto3 requests >/dev/null\n"
    with live.instance(script, IamInstanceProfile={"Name": live.profile()}) as instance:
        url = "https://s3.ap-south-1.amazonaws.com/"
        assert live.inside(instance, f"curl -s -o /dev/null -w %{{http_code}} {url}") in ("403", "200", "307")
        program = f"import requests; print(requests.get({url!r}).ok in (True, False))"
        assert live.inside(instance, f'python3.11 -c "{program}"').strip() == "True"
        program = (
            "import boto3; print(boto3.client('sts', region_name='ap-south-1').get_caller_identity()['Arn'])"
        )
        assert f"/{instance}" in live.inside(instance, f'python3.11 -c "{program}"')
        assert live.inside(instance, "env | grep -c ENDPOINT; ls -a /root | grep -c aws").split() == [
            "0",
            "0",
        ]


def test_the_vpcs_resolver_can_be_switched_off(live: Any) -> None:
    """VPC user guide, "DNS attributes for your VPC": without enableDnsSupport the resolver does not answer."""
    vpc = live.vpc()
    live.ec2.modify_vpc_attribute(VpcId=vpc.vpc, EnableDnsSupport={"Value": False})
    source = """
import socket
def lambda_handler(event, context):
    try:
        return socket.gethostbyname("s3.ap-south-1.amazonaws.com")
    except socket.gaierror as error:
        return error.errno
"""
    settings = {"SubnetIds": [vpc.public], "SecurityGroupIds": [vpc.group]}
    name = live.function(source, VpcConfig=settings, Timeout=20)
    assert live.call(name) == -3  # EAI_AGAIN: nobody answered
    live.ec2.modify_vpc_attribute(VpcId=vpc.vpc, EnableDnsSupport={"Value": True})
    assert str(live.call(name)).startswith("198.18.")


def test_an_instances_private_name_is_known_in_its_vpc(live: Any) -> None:
    """EC2 user guide, "EC2 instance hostnames": ip-10-0-1-4.ap-south-1.compute.internal."""
    with live.instance("#!/bin/bash\ntrue\n") as instance:
        found = live.described(instance)
        name = f"ip-{found['PrivateIpAddress'].replace('.', '-')}.ap-south-1.compute.internal"
        assert live.inside(instance, f"getent hosts {name}").split()[0] == found["PrivateIpAddress"]
        public = f"ec2-{found['PublicIpAddress'].replace('.', '-')}.ap-south-1.compute.amazonaws.com"
        assert live.inside(instance, f"getent hosts {public}").split()[0] == found["PrivateIpAddress"]
