"""Graded where it stands on AWS, rehearsed: the reference, two broken ones, another account's role; nothing is written."""

import json
import shutil
from typing import Any

import pytest

from labkit.live.reads import READS
from tests.functional.conftest import ROOT
from tests.functional.test_rehearsal import rehearsed
from tests.unit.live.test_live import LIVE

pytestmark = [pytest.mark.slow, pytest.mark.verify, pytest.mark.terraform]

_BEGIN = """
set -e
cd "$KIT"
lab() { sh ./lab "$@" --solution; }
graded() { name=$1; shift; lab grade --target aws --result "$LAB_BASE/$name.json" "$@" > "$LAB_BASE/$name.txt" || echo "$name: $?"; }
py() { .venv/bin/python -c "import boto3, json; of = lambda s: boto3.client(s, 'us-west-2'); $1"; }
"""
_SERVER = "i = of('ec2').describe_instances()['Reservations'][0]['Instances'][0]; "
#: what somebody clicked: port 22, no tokens, another retention, no versions
CLICKED = (
    f"{_SERVER}"
    "of('ec2').authorize_security_group_ingress(GroupId=i['SecurityGroups'][0]['GroupId'], IpProtocol='tcp', FromPort=22, "
    "ToPort=22, CidrIp='0.0.0.0/0'); "
    "of('ec2').modify_instance_metadata_options(InstanceId=i['InstanceId'], HttpTokens='optional'); "
    "g = of('logs').describe_log_groups()['logGroups'][0]['logGroupName']; "
    "of('logs').put_retention_policy(logGroupName=g, retentionInDays=30); "
    "b = of('s3').list_buckets()['Buckets'][0]['Name']; "
    "of('s3').put_bucket_versioning(Bucket=b, VersioningConfiguration={'Status': 'Suspended'})"
)
#: what wrong code leaves: another's token, a number as text, a hash of something else, a typed address
WRONG = (
    "t = of('dynamodb').list_tables()['TableNames'][0]; r = of('dynamodb').scan(TableName=t)['Items'][0]; "
    "r['file_size'] = {'S': r['file_size']['N']}; r['sha256'] = {'S': '0' * 64}; r['lab_token'] = {'S': 'another'}; "
    "of('dynamodb').put_item(TableName=t, Item=r); "
    "f = of('lambda').list_functions()['Functions'][0]; v = f['Environment']['Variables']; "
    "of('lambda').update_function_configuration(FunctionName=f['FunctionName'], "
    "Environment={'Variables': {**v, 'EC2_FLASK_URL': 'http://54.1.2.3:80'}})"
)
INSTRUCTOR = (
    "of('cloudformation').create_stack(StackName='instructor', TemplateBody=open('docs/aws-instructor-role.json').read(), "
    "Capabilities=['CAPABILITY_NAMED_IAM'], Parameters=[dict(ParameterKey='InstructorAccount', ParameterValue='123456789012'), "
    "dict(ParameterKey='ExternalId', ParameterValue='course-2026-ada')]); "
    "of('cloudformation').get_waiter('stack_create_complete').wait(StackName='instructor', WaiterConfig=dict(Delay=1)); "
    "of('iam').create_user(UserName='teacher'); "
    "of('iam').put_user_policy(UserName='teacher', PolicyName='p', PolicyDocument=json.dumps({'Version': '2012-10-17', "
    "'Statement': {'Effect': 'Allow', 'Action': 'sts:AssumeRole', 'Resource': '*'}})); "
    "k = of('iam').create_access_key(UserName='teacher')['AccessKey']; "
    "print('[default]', 'aws_access_key_id=' + k['AccessKeyId'], 'aws_secret_access_key=' + k['SecretAccessKey'], sep=chr(10))"
)
STORY = f"""
lab deploy --target aws --region us-west-2 --yes > /dev/null
graded early
lab process > /dev/null
graded good --reports "$LAB_BASE/reports"
py "{INSTRUCTOR}" > teacher.keys
cp ~/.aws/credentials ~/own; cp teacher.keys ~/.aws/credentials; rm teacher.keys
role=arn:aws:iam::123456789012:role/lab-instructor
graded role --region us-west-2 --role $role --external-id course-2026-ada
graded stranger --region us-west-2 --role $role --external-id course-2026-eve
graded nobody --region us-west-2 --role $role
cp ~/own ~/.aws/credentials
py "{CLICKED}"
graded clicked
py "{WRONG}"
graded wrong
py "of('cloudformation').delete_stack(StackName='instructor')"
lab destroy > /dev/null
graded gone
lab deploy --target aws --region us-west-2 --engine terraform --yes > /dev/null
lab process > /dev/null
graded terraform
lab destroy > /dev/null
"""


def lost(result: dict[str, Any]) -> set[str]:
    return {line["id"] for line in result["lines"] if line["verdict"]["outcome"] == "failed"}


def live(result: dict[str, Any]) -> set[str]:
    return {line["id"] for line in result["lines"] if line["proof"] == "live"}


@pytest.mark.timeout(600)
def test_a_lab_on_aws_is_judged_by_reading_alone(lab: Any) -> None:
    if shutil.which("terraform") is None:
        pytest.skip("Terraform is not installed here")
    made = lab.with_variables(KIT=str(ROOT))
    run = rehearsed(made, "--account", "full", "--", "sh", "-c", _BEGIN + STORY, timeout=500)
    assert run.status == 0, run
    base = lab.base / ".lab" / "rehearsal" / "base"
    of = {path.stem: json.loads(path.read_text()) for path in base.glob("*.json") if path.stem != "place"}
    assert of.keys() >= {"early", "good", "role", "clicked", "wrong", "gone", "terraform"}, run.output
    rows = {"bytes-exact", "row-each", "row-types", "row-hash", "row-origin"}
    assert live(of["early"]) == LIVE - rows - {"logs-kept"} - _console(of["early"])
    for name in ("good", "role", "terraform"):
        assert (live(of[name]), lost(of[name])) == (LIVE, set()), (name, of[name])
        assert of[name]["final"] is False
    clicked = {"nothing-else-open", "imds-v2", "logs-kept", "bucket-kept"}
    assert lost(of["clicked"]) == clicked
    assert lost(of["wrong"]) == clicked | {"row-types", "row-hash", "row-origin", "private-address"}
    assert lost(of["gone"]) == LIVE
    asked = {each for result in of.values() for each in result["about"]["asked"]}
    assert asked | {"sts GetCallerIdentity"} == {
        f"{service} {name}" for service in READS for name in READS[service]
    }
    assert "stranger: 1" in run.output
    assert "nobody: 1" in run.output
    assert "external id" in (base / "stranger.txt").read_text()
    report = (base / "reports" / "report.html").read_text()
    assert "live, on AWS, by reading alone" in report


def _console(result: dict[str, Any]) -> set[str]:
    """The server may still boot."""
    (boot,) = [line for line in result["lines"] if line["id"] == "boot-clean"]
    return {"boot-clean"} if boot["proof"] == "none" else set()
