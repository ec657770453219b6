"""EC2_FLASK_URL followed to where it comes from, in both languages."""

import pytest

from grader.support.origins import cloudformation_refers, terraform_refers

PSEUDO = {"AWS::Region": "ap-south-1", "AWS::StackName": "lab"}
TEMPLATE = """
Parameters:
  Port: {{Type: Number, Default: 5417}}
  Address: {{Type: String, Default: 10.30.1.4}}
Mappings:
  Addresses: {{server: {{ip: 10.30.1.4}}}}
Conditions:
  Made: !Equals [!Ref Port, "5417"]
Resources:
  Server:
    Type: AWS::EC2::Instance
    Properties: {{{server}}}
  Card: {{Type: AWS::EC2::NetworkInterface, Properties: {{}}}}
  Stored:
    Type: AWS::SSM::Parameter
    Properties: {{Name: /url, Type: String, Value: !GetAtt Server.PrivateIp}}
  Function:
    Type: AWS::Lambda::Function
    Properties:
      Environment:
        Variables:
          EC2_FLASK_URL: {value}
"""
TERRAFORM = """
resource "aws_instance" "server" {{
  {server}
}}
resource "aws_lambda_function" "f" {{
  environment {{
    variables = {{
      EC2_FLASK_URL = {value}
      OTHER = aws_instance.server.private_ip
    }}
  }}
}}
{more}
"""


def template(value: str, server: str = "") -> bool:
    return cloudformation_refers(TEMPLATE.format(value=value, server=server), PSEUDO)


def terraform(value: str, more: str = "", server: str = "") -> bool:
    return terraform_refers([TERRAFORM.format(value=value, more=more, server=server)])


@pytest.mark.parametrize(
    "value",
    [
        "!Sub http://${Server.PrivateIp}:${Port}",
        "!Sub ['http://${Ip}:${Port}', {Ip: !GetAtt Server.PrivateIp}]",
        "!Join ['', [http://, !GetAtt Server.PrivateIp, ':', !Ref Port]]",
        "!If [Made, !Sub 'http://${Server.PrivateIp}:${Port}', http://10.0.0.1:1]",
        "!Select [1, !Split [' ', !Sub 'x http://${Server.PrivateIp}:${Port}']]",
        "!Sub http://${Card.PrimaryPrivateIpAddress}:${Port}",
        "!Sub http://${Stored.Value}:${Port}",
        "!Sub 'http://{{resolve:ssm:/url}}:${Port}'",
    ],
)
def test_a_template_that_refers_to_the_server(value: str) -> None:
    assert template(value)


@pytest.mark.parametrize(
    "value",
    [
        "!Sub http://10.30.1.4:${Port}",
        "!Sub ['http://${Ip}:${Port}', {Ip: 10.30.1.4}]",
        "!Join ['.', [http://10, 30, 1, '4:5417']]",
        "!Sub http://${Address}:${Port}",
        "!Sub ['http://${Ip}:${Port}', {Ip: !FindInMap [Addresses, server, ip]}]",
        "!If [Made, !Sub 'http://10.30.1.4:${Port}', !Sub 'http://${Server.PrivateIp}:${Port}']",
        "!Select [1, !Split [' ', 'x http://10.30.1.4:5417']]",
        "!Sub http://${Server.PublicIp}:${Port}",
        "!Sub 'http://{{resolve:ssm:/none}}:${Port}'",
    ],
)
def test_a_template_with_a_typed_address(value: str) -> None:
    assert not template(value)


def test_an_address_that_the_template_itself_gives_the_server_is_no_chance() -> None:
    fixed = "PrivateIpAddress: !Ref Address"
    assert template("!Sub http://${Address}:${Port}", fixed)
    assert not template("!Sub http://10.30.1.4:${Port}", fixed)


@pytest.mark.parametrize(
    ("value", "more"),
    [
        ('"http://${aws_instance.server.private_ip}:${var.port}"', ""),
        ("local.url", 'locals {\n  url = "http://${aws_instance.server.private_ip}:1"\n}'),
        ('format("http://%s:%d", aws_instance.server.private_ip, var.port)', ""),
        ('join("", ["http://", aws_instance.server.private_ip, ":1"])', ""),
        ('"http://${one(aws_instance.server[*].private_ip)}:1"', ""),
        (
            '"http://${data.aws_instance.s.private_ip}:1"',
            'data "aws_instance" "s" {\n  instance_id = aws_instance.server.id\n}',
        ),
        (
            "terraform_data.url.output",
            'resource "terraform_data" "url" {\n  input = aws_instance.server.private_ip\n}',
        ),
    ],
)
def test_a_configuration_that_refers_to_the_server(value: str, more: str) -> None:
    assert terraform(value, more)


@pytest.mark.parametrize(
    ("value", "more"),
    [
        ('"http://10.30.1.4:1"', ""),
        ("local.url", 'locals {\n  url = "http://10.30.1.4:1"\n}'),
        ('"http://${var.address}:1"', 'variable "address" {\n  default = "10.30.1.4"\n}'),
        ('format("http://%s:1", "10.30.1.4")', ""),
        ('join(".", ["http://10", 30, 1, "4:1"])', ""),
        ('"http://${cidrhost(var.subnet_cidr, 4)}:1"', ""),
        ('"http://${aws_instance.server.public_ip}:1"', ""),
    ],
)
def test_a_configuration_with_a_typed_address(value: str, more: str) -> None:
    assert not terraform(value, more)


def test_an_address_that_the_configuration_itself_gives_the_server_is_no_chance() -> None:
    local = 'locals {\n  address = "10.30.1.9"\n}'
    assert terraform('"http://${local.address}:1"', local, "private_ip = local.address")
    assert not terraform('"http://10.30.1.9:1"', local, "private_ip = local.address")
