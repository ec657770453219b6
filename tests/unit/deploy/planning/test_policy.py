"""Policy warnings: each rule sees its mistake in either language, names the line, and leaves the solution alone."""

from pathlib import Path

import pytest

import labkit
from labkit.course.manifest import load
from labkit.course.workspace import Workspaces
from labkit.deploy.planning.policy import bucket_protection, warnings

ROOT = Path(labkit.__file__).resolve().parent.parent
REGION = "ap-south-1"
ENGINES = ("terraform", "cloudformation")


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[bool, dict[str, bytes]]:
    workspaces = Workspaces(tmp_path_factory.mktemp("lab"), load(ROOT))
    return {
        solution: workspaces.generate("ada", solution=solution).workspace.files()
        for solution in (False, True)
    }


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("solution", [False, True])
def test_neither_starter_nor_solution_is_warned_about(
    files: dict[bool, dict[str, bytes]], engine: str, solution: bool
) -> None:
    assert warnings(files[solution], engine, REGION) == ()


@pytest.mark.parametrize("engine", ENGINES)
def test_the_starters_bucket_lacks_everything_and_the_solutions_nothing(
    files: dict[bool, dict[str, bytes]], engine: str
) -> None:
    assert len(bucket_protection(files[False], engine)) == 4
    assert bucket_protection(files[True], engine) == ()


@pytest.mark.parametrize(
    ("engine", "old", "new", "lacks"),
    [
        ("terraform", 'status = "Enabled"', 'status = "Suspended"', "versions"),
        ("terraform", "block_public_acls       = true", "", "public-access blocks"),
        ("cloudformation", "Status: Enabled", "Status: Suspended", "versions"),
        ("cloudformation", "IgnorePublicAcls: true", "", "public-access blocks"),
    ],
)
def test_half_a_protection_is_none(
    files: dict[bool, dict[str, bytes]], engine: str, old: str, new: str, lacks: str
) -> None:
    changed = {name: data.replace(old.encode(), new.encode()) for name, data in files[True].items()}
    assert changed != files[True]
    assert bucket_protection(changed, engine) == (lacks,)


#: a mistake in Terraform's words, the same in CloudFormation's, a word of the warning
MISTAKES = {
    "open": (
        'resource "aws_vpc_security_group_ingress_rule" "all" {\n  cidr_ipv4 = "0.0.0.0/0"\n}',
        "      SecurityGroupIngress:\n        - CidrIp: 0.0.0.0/0", "whole internet",
    ),
    "all actions": (
        'Effect = "Allow"\nAction = "*"', "Effect: Allow\nAction: '*'", "allows more",
    ),
    "a service": (
        'Effect   = "Allow"\nAction   = ["s3:*"]', "- Effect: Allow\n  Action:\n    - s3:*", "s3:* allows more",
    ),
    "public acl": ('  acl = "public-read"', "  AccessControl: PublicRead", "everybody read"),
    "block off": ("  block_public_policy = false", "  BlockPublicPolicy: false", "can be made public"),
    "metadata": ('  http_tokens = "optional"', "  HttpTokens: optional", "IMDSv1"),
    "key": ('x = "AKIAIOSFODNN7EXAMPLE"', "X: AKIAIOSFODNN7EXAMPLE", "access key"),
    "secret": ('secret_key = "wJalrXUtnFEMIK7MDENG"', 'SecretKey: "wJalrXUtnFEMIK7MDENG"', "secret stands"),
    "runtime": ('  runtime = "python3.7"', "  Runtime: python3.7", "is retired"),
    "image": ('  ami = "ami-0123456789abcdef0"', "  ImageId: ami-0123456789abcdef0", "one region only"),
    "public policy": (
        'Effect = "Allow"\nPrincipal = { AWS = "*" }', 'Effect: Allow\nPrincipal: "*"', "everybody on the internet",
    ),
    "old image": (
        '  default = "/aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2"',
        "    Default: /aws/service/ami-amazon-linux-latest/amzn2-ami-hvm-x86_64-gp2", "end of life",
    ),
    "zone": ('  availability_zone = "us-east-1a"', "  AvailabilityZone: us-east-1a", "not in ap-south-1"),
}  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("engine", ENGINES)
def test_each_mistake_is_seen_in_both_languages(
    files: dict[bool, dict[str, bytes]], engine: str, mistake: str
) -> None:
    terraform, cloudformation, word = MISTAKES[mistake]
    text, name = (
        (terraform, "main.tf") if engine == "terraform" else (cloudformation, "cloudformation-template.yaml")
    )
    whole = files[True][name] + b"\n" + text.encode() + b"\n"
    (found,) = warnings({**files[True], name: whole}, engine, REGION)
    assert word in found.text
    lines = whole.decode().split("\n")
    assert found.file == name
    assert lines[found.line - 1] in text.split("\n")
    assert warnings({**files[True], name: b"# " + text.replace("\n", "\n# ").encode()}, engine, REGION) == ()


def test_a_deny_may_name_everything() -> None:
    text = b'Effect = "Deny"\nAction = "s3:*"\n'
    assert warnings({"main.tf": text}, "terraform", REGION) == ()


def test_an_instance_without_metadata_options_is_seen() -> None:
    (found,) = warnings({"main.tf": b'\nresource "aws_instance" "server" {\n}\n'}, "terraform", REGION)
    assert (found.line, "IMDSv2" in found.text) == (2, True)


def test_the_other_engines_file_is_not_read(files: dict[bool, dict[str, bytes]]) -> None:
    broken = {**files[True], "main.tf": b'x = "AKIAIOSFODNN7EXAMPLE"'}
    assert warnings(broken, "cloudformation", REGION) == ()


def test_windows_line_ends_are_seen_where_bash_reads_them() -> None:
    (found,) = warnings({"flask_server_startup.sh": b"#!/bin/bash\necho a\r\n"}, "terraform", REGION)
    assert (found.line, "CRLF" in found.text) == (2, True)


def test_python_that_is_too_new_for_the_server_is_seen() -> None:
    generic = b"type Pair = tuple[int, int]\n"
    found = {f.file: f.line for f in warnings({"flask_app.py": b"\n" + generic}, "terraform", REGION)}
    assert found == {"flask_app.py": 2}


def test_a_mistake_in_python_is_told_with_its_line() -> None:
    (found,) = warnings({"lambda_function.py": b"x = 1\ny = (\n"}, "terraform", REGION)
    assert found.line == 2


def test_a_resources_name_as_text_where_a_reference_belongs_is_seen(
    files: dict[bool, dict[str, bytes]],
) -> None:
    name = "cloudformation-template.yaml"
    whole = files[True][name].replace(
        b"      Bucket: !Ref ImageBucket\n", b"      Bucket: ImageBucket\n      DependsOn: Vpc\n"
    )
    (found,) = warnings({**files[True], name: whole}, "cloudformation", REGION)
    assert "!Ref ImageBucket" in found.text
    assert whole.decode().splitlines()[found.line - 1].strip() == "Bucket: ImageBucket"


#: the ports of a rule that lets everybody in, and who should be named in everybody's place
MENDS = {(22, 22): "your own address", (3389, 3389): "your own address", (20, 25): "your own address", (5000, 5000): "function's group",
         (0, 65535): "the one port", (0, 0): "function's group"}  # fmt: skip


@pytest.mark.parametrize("ports", MENDS)
def test_the_mend_of_an_open_door_fits_its_ports(ports: tuple[int, int]) -> None:
    low, high = ports
    terraform = (
        f'resource "aws_security_group" "a" {{\n  ingress {{\n    from_port = {low}\n    to_port   = {high}\n'
        '    protocol = "tcp"\n    cidr_blocks = [\n      "0.0.0.0/0",\n    ]\n  }\n  ingress {\n    from_port = 7\n  }\n}\n'
    )
    cloudformation = (
        "      SecurityGroupIngress:\n        - FromPort: 22\n          ToPort: 22\n          CidrIp: 10.0.0.1/32\n"
        f"        - CidrIp: 0.0.0.0/0  # all\n          FromPort: {low}\n          ToPort: {high}\n        - FromPort: 22\n"
    )
    files = {"main.tf": terraform.encode(), "cloudformation-template.yaml": cloudformation.encode()}
    for engine in ENGINES:
        (found,) = warnings(files, engine, REGION)
        assert MENDS[ports] in found.text


def test_a_door_of_every_protocol_is_told_to_have_one_port() -> None:
    text = b'resource "aws_vpc_security_group_ingress_rule" "all" {\n  ip_protocol = "-1"\n  cidr_ipv4 = "0.0.0.0/0"\n}'
    (found,) = warnings({"main.tf": text}, "terraform", REGION)
    assert "the one port" in found.text
