"""Labs unlike the kit's own, deployed by plain API calls; what is not emulated is refused by name."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

APP = """#!/bin/bash
cat > /opt/app.py <<'PY'
import http.server, json, urllib.request
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        behind = "{behind}"
        text = urllib.request.urlopen(behind, timeout=3).read().decode() if behind else "the second server"
        self.send_response(200); self.end_headers(); self.wfile.write(json.dumps([text]).encode())
http.server.HTTPServer(("0.0.0.0", 8080), Handler).serve_forever()
PY
cat > /etc/systemd/system/app.service <<'UNIT'
[Service]
ExecStart=/usr/bin/python3 /opt/app.py
[Install]
WantedBy=multi-user.target
UNIT
systemctl enable --now app
"""
FETCH = """
import urllib.request
def lambda_handler(event, context):
    for _ in range(50):
        try:
            return urllib.request.urlopen(event, timeout=3).read().decode()
        except OSError:  # not listening yet, here or behind
            __import__("time").sleep(0.05)
"""


def test_an_app_inside_user_data_with_a_second_server_behind_it(live: Any) -> None:
    """EC2 user guide, "Run commands when you launch": servers reach each other by private addresses."""
    vpc = live.vpc()
    with live.instance(APP.replace("{behind}", ""), vpc, SubnetId=vpc.private, public=False) as second:
        behind = f"http://{live.described(second)['PrivateIpAddress']}:8080/"
        with live.instance(APP.replace("{behind}", behind), vpc) as first:
            url = f"http://{live.described(first)['PrivateIpAddress']}:8080/"
            settings = {"SubnetIds": [vpc.private], "SecurityGroupIds": [vpc.group]}
            answer = live.run(FETCH, url, VpcConfig=settings)
            assert json.loads(json.loads(answer)[0]) == ["the second server"]
            outside = f"http://{live.described(first)['PublicIpAddress']}:8080/"
            assert json.loads(live.run(FETCH, outside)) == json.loads(answer)


NGINX = """dnf install -y nginx
mkdir -p /srv/site; echo hello > /srv/site/index.html
cat > /etc/nginx/conf.d/app.conf <<'CONF'
upstream app { server 127.0.0.1:8079; server 127.0.0.1:8080; }
server {
    listen 80 default_server;
    root /srv/site;
    client_max_body_size 2k;   # the default is 1m
    location /api/ { proxy_pass http://app/; proxy_set_header X-Real-IP $remote_addr; }
    location = /health { return 200 "ok\\n"; }
    location /dead { proxy_pass http://127.0.0.1:9; }
}
CONF
systemctl enable --now nginx
"""


@pytest.fixture(scope="module")
def fronted(live: Any) -> Iterator[str]:
    """A server with nginx in front of an app."""
    with live.instance(APP.replace("{behind}", "") + NGINX) as instance:
        yield instance


def test_nginx_in_front_of_an_app(live: Any, fronted: str) -> None:
    """EC2 user guide, "Tutorial: Install a LAMP server": packages from Amazon's repository; upstreams, files, limits."""
    url = f"http://{live.described(fronted)['PublicIpAddress']}"
    assert json.loads(live.run(FETCH, f"{url}/api/")) == ["the second server"]
    assert live.run(FETCH, f"{url}/") == "hello\n"

    def status(words: str) -> str:
        return str(live.inside(fronted, f"curl -s -o /dev/null -w '%{{http_code}}' {words}"))

    assert live.inside(fronted, "curl -s localhost/health") == "ok\n"
    assert status("localhost/none") == "404"
    assert status("localhost/dead") == "502"
    assert status(f"--data {'x' * 2049} localhost/api/") == "413"


def test_nginx_refuses_what_it_does_not_know_and_reloads(live: Any, fronted: str) -> None:
    """EC2 user guide, "Tutorial: Install a LAMP server"; systemctl: a wrong configuration keeps a server from starting."""
    more = "/etc/nginx/conf.d/more.conf"
    said = live.inside(
        fronted, f"echo 'server {{ listen 81; return 204; }}' > {more}; nginx -t; systemctl reload nginx"
    )
    assert "test is successful" in said
    asked = (
        "for _ in $(seq 50); do curl -s -o /dev/null -w '%{http_code}' localhost:81 && break; sleep 0.1; done"
    )
    assert live.inside(fronted, asked).endswith("204")
    said = live.inside(
        fronted, f"echo 'server {{ lisen 81; }}' > {more}; nginx -t; systemctl restart nginx; rm {more}"
    )
    assert f'unknown directive "lisen" in {more}:1' in said
    assert "Job for nginx.service failed" in said


HTTPD = """#!/bin/bash
yum update -y
yum install -y httpd git php > /opt/said 2>&1; echo "status $?" >> /opt/said
echo "<h1>hello from $(hostname -f)</h1>" > /var/www/html/index.html
usermod -a -G apache ec2-user && chown -R ec2-user:apache /var/www
systemctl start httpd && systemctl enable httpd
"""


def test_httpd_serves_var_www_html_and_what_is_lacking_is_named(live: Any) -> None:
    """EC2 user guide, "Tutorial: Install a LAMP server on AL2023": the unit, the user, the folder, the logs."""
    with live.instance(HTTPD) as server:
        page = live.run(FETCH, f"http://{live.described(server)['PublicIpAddress']}/")
        assert page == f"<h1>hello from {live.described(server)['PrivateDnsName']}</h1>\n"
        said = live.inside(
            server, "cat /opt/said; which git; which php; cat /var/log/httpd/access_log; apachectl -t 2>&1"
        )
        assert "AWS has php; the local cloud has not: it has no PHP." in said
        assert "status 1" in said
        assert ("/usr/bin/git" in said) or ("this machine has none" in said)
        assert "/usr/bin/php" not in said
        assert '"GET / HTTP/1.1" 200' in said
        assert said.endswith("Syntax OK\n")
        missing = live.inside(
            server, "rm /var/www/html/index.html; curl -s -o /dev/null -w '%{http_code}' localhost"
        )
        assert missing == "403"


def test_the_image_has_the_aws_cli_and_its_own_description(live: Any) -> None:
    """EC2 user guide, "Access instance metadata for an EC2 instance": region and role are the instance's."""
    profile = live.profile()
    with live.instance("#!/bin/bash\n", IamInstanceProfile={"Name": profile}) as server:
        said = live.inside(
            server,
            "ec2-metadata -z; aws sts get-caller-identity --query Arn --output text --no-cli-pager; rpm -q awscli-2",
        )
        arn = f"arn:aws:sts::123456789012:assumed-role/{profile}/{server}"
        assert said == f"placement: ap-south-1a\n{arn}\nawscli-2\n"


SIGNALLING = """
Parameters:
  Image: {Type: "AWS::SSM::Parameter::Value<AWS::EC2::Image::Id>", Default: /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64}
Resources:
  Handle: {Type: AWS::CloudFormation::WaitConditionHandle}
  Wait: {Type: AWS::CloudFormation::WaitCondition, DependsOn: Box, Properties: {Handle: !Ref Handle, Timeout: 60}}
  Box:
    Type: AWS::EC2::Instance
    CreationPolicy: {ResourceSignal: {Timeout: PT1M}}
    Metadata:
      AWS::CloudFormation::Init:
        config:
          packages: {yum: {httpd: []}}
          files: {/var/www/html/index.html: {content: !Sub "of ${AWS::StackName}", mode: "000644", owner: apache}}
          services: {systemd: {httpd: {enabled: true, ensureRunning: true}}}
    Properties:
      ImageId: !Ref Image
      InstanceType: t3.micro
      UserData:
        Fn::Base64: !Sub |
          #!/bin/bash
          /opt/aws/bin/cfn-init -v --stack ${AWS::StackName} --resource Box --region ${AWS::Region}
          /opt/aws/bin/cfn-signal -e $? --stack ${AWS::StackName} --resource Box --region ${AWS::Region}
          /opt/aws/bin/cfn-signal -d "$(curl -s localhost)" "${Handle}"
Outputs: {Data: {Value: !GetAtt Wait.Data}, Id: {Value: !Ref Box}}
"""


def test_a_stack_waits_for_what_its_instance_signals(live: Any) -> None:
    """CloudFormation user guide, "Deploying applications on Amazon EC2": cfn-init, cfn-signal, a wait condition's handle."""
    live.cloudformation.create_stack(StackName="signalling", TemplateBody=SIGNALLING)
    patience = {"Delay": 0.3, "MaxAttempts": 200}
    live.cloudformation.get_waiter("stack_create_complete").wait(
        StackName="signalling", WaiterConfig=patience
    )
    stack = live.cloudformation.describe_stacks(StackName="signalling")["Stacks"][0]
    told = {each["OutputKey"]: each["OutputValue"] for each in stack["Outputs"]}
    assert json.loads(told["Data"]) == {told["Id"]: "of signalling"}
    live.cloudformation.delete_stack(StackName="signalling")
    live.cloudformation.get_waiter("stack_delete_complete").wait(
        StackName="signalling", WaiterConfig=patience
    )


def test_amazon_linux_2_says_that_it_is_one(live: Any) -> None:
    """EC2 user guide, "Amazon Linux", Extras library (Amazon Linux 2): python3 is 3.7, and pip is not kept from its work by that."""
    name = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"
    image = live.ssm.get_parameter(Name=name)["Parameter"]["Value"]
    script = """#!/bin/bash
yum install -y python3-pip; pip3 install 'requests>=2,<3' && python3 -c 'import requests'; echo "pip $?"
pip3 install 'requests<1'; echo "old $?"
amazon-linux-extras install -y nginx1 && systemctl start nginx && curl -s localhost
"""
    with live.instance(script, ImageId=image) as server:
        console = live.ec2.get_console_output(InstanceId=server)["Output"]
        assert console.startswith("Amazon Linux 2, ")
        assert "pip 0" in console
        assert "No matching distribution found for requests<1" in console
        assert "old 1" in console
        assert "Welcome to nginx!" in console


def test_any_program_may_listen_on_port_80(live: Any) -> None:
    """EC2 user guide, "Use IMDS": the metadata service is no program of the instance, and takes no port of it."""
    script = "#!/bin/bash\ncd /srv; echo here > x; python3 -m http.server 80 >/dev/null 2>&1 &\n"
    with live.instance(script) as instance:
        url = f"http://{live.described(instance)['PublicIpAddress']}/x"
        assert live.run(FETCH, url) == "here\n"
        ask = "curl -s -X PUT -H 'X-aws-ec2-metadata-token-ttl-seconds: 60' 169.254.169.254/latest/api/token"
        token = f'-H "X-aws-ec2-metadata-token: $({ask})"'
        assert (
            live.inside(instance, f"curl -s {token} 169.254.169.254/latest/meta-data/instance-id") == instance
        )


def test_a_package_that_amazons_repository_lacks_fails_the_install(live: Any) -> None:
    """Amazon Linux 2023 user guide, "Package management": dnf's own words, and its status."""
    with live.instance(
        "#!/bin/bash\ndnf install -y no-such-package > /opt/said 2>&1\necho $? >> /opt/said\n"
    ) as instance:
        said = live.inside(instance, "cat /opt/said")
        assert "No match for argument: no-such-package" in said
        assert said.split()[-1] == "1"


def test_a_package_brings_its_own_libraries(live: Any, aids: Any) -> None:
    """AWS Lambda, "Working with .zip file archives for Python": the package's own folders are found first."""
    files = {
        "lambda_function.py": "import shapes.square\ndef lambda_handler(e, c):\n    return shapes.square.area(e)\n",
        "shapes/__init__.py": "", "shapes/square.py": "def area(side):\n    return side * side\n",
    }  # fmt: skip
    assert live.run("", 7, Code={"ZipFile": aids.zipped(files)}) == 49


def test_a_function_outside_any_vpc_writes_to_s3_and_dynamodb(live: Any) -> None:
    """AWS Lambda, "Using the SDK for Python (Boto3)": without VpcConfig it has the internet."""
    bucket, table = live.bucket(), live.name("table")
    live.dynamodb.create_table(
        TableName=table, BillingMode="PAY_PER_REQUEST", KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
    )  # fmt: skip
    source = """
import boto3
def lambda_handler(event, context):
    boto3.client("s3").put_object(Bucket=event["bucket"], Key="k", Body=b"body")
    boto3.resource("dynamodb").Table(event["table"]).put_item(Item={"id": "1", "n": 2})
    return boto3.resource("dynamodb").Table(event["table"]).get_item(Key={"id": "1"})["Item"]["id"]
"""
    statements = [
        {"Effect": "Allow", "Action": "s3:PutObject", "Resource": f"arn:aws:s3:::{bucket}/*"},
        {
            "Effect": "Allow",
            "Action": ["dynamodb:PutItem", "dynamodb:GetItem"],
            "Resource": f"arn:aws:dynamodb:*:*:table/{table}",
        },
    ]
    assert live.run(source, {"bucket": bucket, "table": table}, Role=live.role(*statements)) == "1"
    other = live.role(statements[0], {**statements[1], "Resource": "arn:aws:dynamodb:*:*:table/another"})
    answer = live.lambda_.invoke(
        FunctionName=live.function(source, Role=other),
        Payload=json.dumps({"bucket": bucket, "table": table}).encode(),
    )
    assert "AccessDeniedException" in answer["Payload"].read().decode()


@pytest.mark.parametrize(
    ("service", "call", "arguments", "words"),
    [
        ("elbv2", "describe_load_balancers", {}, "the service elasticloadbalancing"),
        ("rds", "describe_db_instances", {}, "the service rds"),
        ("sqs", "list_queues", {}, "the service sqs"),
        ("ec2", "create_transit_gateway", {}, "CreateTransitGateway"),
        (
            "ec2", "create_vpc_endpoint",
            {"VpcId": "vpc-1", "ServiceName": "com.amazonaws.ap-south-1.ssm", "VpcEndpointType": "Interface"},
            "VpcEndpointType of CreateVpcEndpoint",
        ),
        (
            "lambda", "create_event_source_mapping",
            {"FunctionName": "f", "EventSourceArn": "arn:aws:sqs:ap-south-1:123456789012:q"}, "CreateEventSourceMapping",
        ),
    ],
)  # fmt: skip
def test_what_is_not_emulated_is_refused_by_name(
    live: Any, aids: Any, service: str, call: str, arguments: dict[str, Any], words: str
) -> None:
    """API references, "Common errors": the call fails, and says what is not there."""
    code, message = aids.refused(getattr(live.clients.client(service, read_timeout=60), call), **arguments)
    assert (code, message) == ("UnsupportedOperation", f"The local cloud does not emulate {words}.")
