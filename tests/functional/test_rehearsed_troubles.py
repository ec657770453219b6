"""On AWS, rehearsed: what is refused before anything is begun, and steps that are broken off."""

from typing import Any

import pytest

from tests.functional.conftest import ROOT
from tests.functional.test_rehearsal import rehearsed

pytestmark = [pytest.mark.slow, pytest.mark.verify]

_BEGIN = """
cd "$KIT"
lab() { sh ./lab "$@" --plain --solution; }
"""
REFUSED = """
cp ~/.aws/credentials ~/good
tried() { echo "== $1"; shift; lab "$@" && echo WENT-THROUGH; }
tried nobody deploy --target learner-lab < /dev/null
printf '[default]\\naws_access_key_id = AKIAIOSFODNN7EXAMPLE\\naws_secret_access_key = none\\n' > ~/.aws/credentials
tried wrong deploy --target learner-lab --yes
sed /token/d ~/good > ~/.aws/credentials
tried cut deploy --target learner-lab --yes
{ cat ~/good; echo 'aws_expiration = 2020-01-01T00:00:00Z'; } > ~/.aws/credentials
tried expired deploy --target learner-lab --yes
{ cat ~/good; echo "aws_expiration = $(date -u -d '+5 min' +%Y-%m-%dT%H:%M:%SZ)"; } > ~/.aws/credentials
tried short deploy --target learner-lab --yes
cp ~/good ~/.aws/credentials
tried far deploy --target learner-lab --region eu-west-1 --yes
tried kind deploy --target aws --region us-east-1 --yes
tried dear deploy --target learner-lab --yes --cost-limit 0.01
AWS_ENDPOINT_URL=http://127.0.0.1:9 tried elsewhere deploy --target learner-lab --yes
echo "== end"
lab doctor --target learner-lab
lab destroy --target learner-lab
"""
MEANS = {
    "wrong": "AWS does not know your credentials",
    "cut": "the third line is missing",
    "expired": "have expired",
    "short": "Your AWS credentials end in",
    "far": "opens us-east-1 and us-west-2 only",
    "kind": "are a Learner Lab's",
    "dear": "the limit is 0.01",
    "nobody": "Nobody is here to type the word",
    "elsewhere": "AWS_ENDPOINT_URL is set here",
}


@pytest.mark.timeout(400)
def test_what_can_t_end_well_is_refused_and_nothing_is_begun(lab: Any) -> None:
    made = lab.with_variables(KIT=str(ROOT))
    run = rehearsed(made, "--", "sh", "-c", _BEGIN + REFUSED, timeout=300)
    assert run.status == 0, run
    assert "WENT-THROUGH" not in run.output
    parts = dict(part.split("\n", 1) for part in run.output.split("== ")[1:])
    for name, means in MEANS.items():
        assert means in " ".join(parts[name].split()), (name, parts[name])
        assert "AWS::" not in parts[name], "something was made"
    assert "account: …9012 in us-east-1" in parts["end"]
    assert "nothing is left" in parts["end"]
    assert "emptied the bucket" not in parts["end"]


BROKEN_OFF = """
off() { seconds=$1; shift; timeout -s "$signal" "$seconds" sh ./lab "$@" --plain --solution; echo "status $?"; }
for signal in INT KILL; do
  for seconds in 2 4 7; do off $seconds deploy --target learner-lab --yes; done
  lab deploy --target learner-lab --yes || exit 3
  for step in wire process measure; do off 2 $step; done
  lab wire || exit 4
  for seconds in 2 5; do off $seconds destroy; done
  lab destroy || exit 5
done
"""


@pytest.mark.timeout(900)
def test_steps_that_are_broken_off_go_on_and_leave_nothing(lab: Any) -> None:
    made = lab.with_variables(KIT=str(ROOT))
    run = rehearsed(
        made, "--as-slow-as-aws", "--factor", "300", "--", "sh", "-c", _BEGIN + BROKEN_OFF, timeout=900
    )
    assert run.status == 0, run
    assert "Traceback" not in run.output + run.errors
    assert "Something went wrong inside the kit" not in run.output
    assert run.output.count("✓ nothing is left") == 2
