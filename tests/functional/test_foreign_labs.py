"""Labs unlike ours, deployed as their own instructions say: the AWS CLI's lines, CloudFormation's, Terraform's."""

import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

#: each line of the AWS CLI is a Python of its own: about 20 s of work, so `make verify` runs them
pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.timeout(300)]

FUNCTION = """
import json, os, urllib.request
import boto3
def handler(event, context):
    page = urllib.request.urlopen(event["url"], timeout=5).read() if "url" in event else b"no url"
    boto3.client("s3").put_object(Bucket=os.environ["BUCKET"], Key="page.html", Body=page)
    return {"bytes": len(page), "page": page.decode()}
"""
#: the whole app in the user data, on port 80, as so many labs have it
USER_DATA = """#!/bin/bash
yum update -y
mkdir -p /var/www && cd /var/www
echo "<h1>from $(hostname -f)</h1>" > index.html
nohup python3 -m http.server 80 > /var/log/web.log 2>&1 &
"""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "lambda.amazonaws.com"}}
    ],
}
BY_HAND = """
set -e
aws s3 mb s3://foreign-bucket
aws iam create-role --role-name f --assume-role-policy-document file://trust.json
aws iam attach-role-policy --role-name f --policy-arn arn:aws:iam::aws:policy/AmazonS3FullAccess
aws iam attach-role-policy --role-name f --policy-arn arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole
aws lambda create-function --function-name f --runtime python3.13 --handler index.handler --timeout 20 --zip-file fileb://f.zip --role "$(aws iam get-role --role-name f --query Role.Arn --output text)" --environment "Variables={BUCKET=foreign-bucket}"
aws lambda wait function-active --function-name f
group=$(aws ec2 create-security-group --group-name web --description web --query GroupId --output text)
aws ec2 authorize-security-group-ingress --group-id "$group" --protocol tcp --port 80 --cidr 0.0.0.0/0
image=$(aws ssm get-parameter --name /aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64 --query Parameter.Value --output text)
server=$(aws ec2 run-instances --image-id "$image" --instance-type t2.micro --security-group-ids "$group" --user-data file://user-data.sh --query 'Instances[0].InstanceId' --output text)
aws ec2 wait instance-status-ok --instance-ids "$server"
address=$(aws ec2 describe-instances --instance-ids "$server" --query 'Reservations[0].Instances[0].PublicIpAddress' --output text)
for _ in 1 2 3 4 5 6 7 8 9 10; do
    aws lambda invoke --function-name f --cli-binary-format raw-in-base64-out --payload "{\\"url\\": \\"http://$address/\\"}" answer.json > said.json
    grep -q FunctionError said.json || break; sleep 0.5
done
aws s3 cp s3://foreign-bucket/page.html page.html
aws ec2 terminate-instances --instance-ids "$server" > /dev/null
"""
STACK = """
Parameters: {Table: {Type: String, Default: visits}}
Resources:
  Visits:
    Type: AWS::DynamoDB::Table
    Properties:
      TableName: !Ref Table
      BillingMode: PAY_PER_REQUEST
      AttributeDefinitions: [{AttributeName: id, AttributeType: S}]
      KeySchema: [{AttributeName: id, KeyType: HASH}]
  Logs: {Type: AWS::Logs::LogGroup, Properties: {RetentionInDays: 3}}
Outputs: {Arn: {Value: !GetAtt Visits.Arn}}
"""
MAIN_TF = """
terraform {
  required_providers { aws = { source = "hashicorp/aws", version = "~> 5.0" } }
}
provider "aws" {
  region              = "ap-south-1"
  s3_use_path_style   = true
}
data "aws_ssm_parameter" "image" { name = "/aws/service/ami-amazon-linux-latest/al2023-ami-kernel-default-x86_64" }
data "aws_vpc" "default" { default = true }
resource "aws_security_group" "web" {
  name   = "web-tf"
  vpc_id = data.aws_vpc.default.id
  ingress {
    from_port   = 80
    to_port     = 80
    protocol    = "tcp"
    cidr_blocks = ["0.0.0.0/0"]
  }
  egress {
    from_port   = 0
    to_port     = 0
    protocol    = "-1"
    cidr_blocks = ["0.0.0.0/0"]
  }
}
resource "aws_instance" "web" {
  ami                    = data.aws_ssm_parameter.image.value
  instance_type          = "t2.micro"
  vpc_security_group_ids = [aws_security_group.web.id]
  user_data              = file("user-data.sh")
}
resource "aws_s3_bucket" "pages" {
  bucket_prefix = "pages-"
  force_destroy = true
}
resource "aws_iam_role" "f" { assume_role_policy = file("trust.json") }
resource "aws_iam_role_policy_attachment" "s3" {
  role       = aws_iam_role.f.name
  policy_arn = "arn:aws:iam::aws:policy/AmazonS3FullAccess"
}
resource "aws_lambda_function" "f" {
  function_name = "f-tf"
  runtime       = "python3.13"
  handler       = "index.handler"
  filename      = "f.zip"
  timeout       = 20
  role          = aws_iam_role.f.arn
  environment { variables = { BUCKET = aws_s3_bucket.pages.bucket } }
}
output "event" { value = jsonencode({ url = "http://${aws_instance.web.public_ip}/" }) }
"""


@pytest.fixture(scope="module")
def foreign(new_lab: Callable[[], Any]) -> Iterator[Any]:
    """A cloud with nothing in it, and a folder with the files of somebody else's lab."""
    import zipfile

    lab = new_lab()
    started = lab.run("cloud", "start")
    assert started.status == 0, started
    with zipfile.ZipFile(lab.base / "f.zip", "w") as archive:
        archive.writestr("index.py", FUNCTION)
    for name, text in {
        "trust.json": json.dumps(TRUST), "user-data.sh": USER_DATA, "stack.yaml": STACK, "main.tf": MAIN_TF,
    }.items():  # fmt: skip
        (lab.base / name).write_text(text)
    try:
        yield lab
    finally:
        lab.stop()


def by_hand(lab: Any, lines: str, timeout: float = 280) -> Any:
    """Run lines of shell in the shell of `./lab cloud shell`."""
    shell: Path = lab.base / "shell"
    shell.write_text(f'#!/bin/bash\ncd "{lab.base}"\n{lines}\n')
    shell.chmod(0o755)
    return lab.with_variables(SHELL=str(shell)).run("cloud", "shell", timeout=timeout)


def test_a_lab_of_aws_cli_lines(foreign: Any) -> None:
    run = by_hand(foreign, BY_HAND)
    assert run.status == 0, run
    page = (foreign.base / "page.html").read_text()
    assert page.startswith("<h1>from ip-172-31-"), (
        "the default VPC's server, seen by a function outside any VPC"
    )
    assert json.loads((foreign.base / "answer.json").read_text())["page"] == page


def test_a_template_deployed_and_changed_by_the_aws_cli(foreign: Any) -> None:
    deploy = "aws cloudformation deploy --template-file stack.yaml --stack-name foreign"
    outputs = "aws cloudformation describe-stacks --stack-name foreign --query 'Stacks[0].Outputs[0].OutputValue' --output text"
    run = by_hand(
        foreign,
        f"set -e\n{deploy}\n{deploy} --no-fail-on-empty-changeset\n{outputs}\naws cloudformation delete-stack --stack-name foreign",
    )
    assert run.status == 0, run
    assert "No changes to deploy" in run.output + run.errors
    assert ":table/visits" in run.output


@pytest.mark.terraform
@pytest.mark.skipif(shutil.which("terraform") is None, reason="Terraform is not installed here")
def test_a_configuration_applied_and_destroyed_by_terraform(foreign: Any) -> None:
    from labkit.deploy.terraform_command import Setup

    settings = Setup(foreign.base / "terraform").write_configuration()
    lines = """set -e
terraform init -no-color && terraform apply -no-color -auto-approve
terraform plan -no-color -detailed-exitcode
for _ in 1 2 3 4 5 6; do
    aws lambda invoke --function-name f-tf --cli-binary-format raw-in-base64-out --payload "$(terraform output -raw event)" tf.json > said.json
    grep -q FunctionError said.json || break; sleep 0.5
done
terraform destroy -no-color -auto-approve
"""
    run = by_hand(foreign, f"export TF_CLI_CONFIG_FILE={settings}\n{lines}", timeout=280)
    assert run.status == 0, run
    assert json.loads((foreign.base / "tf.json").read_text())["page"].startswith("<h1>from ip-")
    assert "Destroy complete!" in run.output
