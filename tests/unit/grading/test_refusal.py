"""Configuration that runs code or reaches out is refused by name and line; the lab's own files are not."""

from pathlib import Path

import pytest

import labkit
from labkit import manifest
from labkit.grading.refusal import find
from labkit.rendering import Renderer
from labkit.variant import make_variant

ROOT = Path(labkit.__file__).resolve().parent.parent


@pytest.mark.parametrize("solution", [False, True])
def test_the_labs_own_files_pass(solution: bool) -> None:
    lab = manifest.load(ROOT)
    values = make_variant(lab.salt, "ada@uni.edu").values()
    assert find(Renderer(ROOT, lab.files).render(values, solution=solution)) == []


TERRAFORM = {
    "external": 'data "external" "x" {\n  program = ["sh"]\n}',
    "http": 'data "http" "x" {\n  url = "http://evil"\n}',
    "remote state": 'data "terraform_remote_state" "x" {}',
    "local-exec": 'resource "aws_vpc" "x" {\n  provisioner "local-exec" {\n    command = "id"\n  }\n}',
    "remote-exec": 'resource "aws_vpc" "x" {\n  provisioner "remote-exec" {}\n}',
    "module": 'module "x" {\n  source = "git::https://evil"\n}',
    "local module": 'module "x" {\n  source = "./there"\n}',
    "provider": 'provider "null" {}',
    "required": 'terraform {\n  required_providers {\n    x = {\n      source = "evil/x"\n    }\n  }\n}',
    "backend": 'terraform {\n  backend "http" {\n  }\n}',
    "cloud": "terraform {\n  cloud {\n  }\n}",
    "file": 'locals {\n  x = file("/etc/passwd")\n}',
    "file above": 'locals {\n  x = file("../../secret")\n}',
    "file computed": "locals {\n  x = file(var.path)\n}",
    "templatefile": 'locals {\n  x = templatefile("/etc/passwd", {})\n}',
    "fileset": 'locals {\n  x = fileset("/", "**")\n}',
    "after a comment": '# nothing\n/* data */ \ndata "external" "x" {}',
    "other resource": 'resource "random_id" "x" {\n  byte_length = 4\n}',
    "other data": 'data "vault_secret" "x" {}',
}


@pytest.mark.parametrize("text", TERRAFORM.values(), ids=TERRAFORM)
def test_terraform_is_refused_by_name_and_line(text: str) -> None:
    found = find({"main.tf": "\n\n" + text})
    assert found
    assert found[0].file == "main.tf"
    assert found[0].line >= 3
    assert "is refused" in str(found[0])


@pytest.mark.parametrize(
    "text",
    [
        '# data "external" "x" {}',
        '// provisioner "local-exec" {}',
        '/* module "x" { source = "y" } */',
        'description = "data \\"external\\" is not used"',
        "source_security_group_id = aws_security_group.x.id",
        'x = file("${path.module}/build/lambda.zip")',
        'x = filebase64sha256("build/lambda.zip")',
        'data "aws_ssm_parameter" "ami" {}',
    ],
)
def test_terraform_that_is_harmless(text: str) -> None:
    assert find({"main.tf": text}) == []


CLOUDFORMATION = {
    "transform": "Transform: AWS::Serverless-2016-10-31\n",
    "include": "A:\n  Fn::Transform:\n    Name: AWS::Include\n",
    "short transform": "A: !Transform {Name: AWS::Include}\n",
    "custom": "Resources:\n  A:\n    Type: Custom::Evil\n",
    "custom resource": "Resources:\n  A:\n    Type: AWS::CloudFormation::CustomResource\n",
    "service token": "Resources:\n  A:\n    Properties:\n      ServiceToken: arn\n",
    "nested": "Resources:\n  A:\n    Type: AWS::CloudFormation::Stack\n",
    "macro": "Resources:\n  A:\n    Type: AWS::CloudFormation::Macro\n",
    "json": '{"Resources": {"A": {"Type": "Custom::Evil"}}}',
    "aliases": "a: &a [x]\nb: [*a, *a]\n",
    "depth": "[" * 60 + "]" * 60,
    "many": "a: [" + "x, " * 21_000 + "x]",
    "size": "# " + "x" * (1 << 20) + "\na: b\n",
}


@pytest.mark.parametrize("text", CLOUDFORMATION.values(), ids=CLOUDFORMATION)
def test_cloudformation_is_refused_by_name_and_line(text: str) -> None:
    found = find({"cloudformation-template.yaml": text})
    assert found
    assert found[0].line >= 1
    assert "is refused" in str(found[0])


def test_broken_yaml_is_left_to_the_engine() -> None:
    assert find({"cloudformation-template.yaml": "a: [b\n"}) == []


def test_other_files_are_not_looked_at() -> None:
    assert find({"answers.md": 'data "external" "x" {}', "flask_app.py": "Transform: x"}) == []
