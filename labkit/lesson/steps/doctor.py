"""Step 00 among the other steps: the same look at the machine as steps/00_doctor.py, and with a target at the account.

What belongs here: turning findings into checks. What does not: looking (labkit.lesson.doctor, labkit.lesson.account).
"""

from labkit.deploy.targets import ON_AWS
from labkit.lesson import account, doctor, limit
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult, Judged, StepResult

OPTIONS: tuple[str, ...] = ("engine", "target", "region", limit.OPTION)
JUDGES: Judged = "files"


def run(context: Context) -> StepResult:
    """Look, and remember what was seen."""
    findings = doctor.examine(str(context.places.root))
    doctor.remember(context.places.state, findings)
    there = tuple(account.examine(context)) if context.options.target in ON_AWS else ()
    return StepResult((*(_check(finding) for finding in findings), *there))


check = run


def _check(finding: doctor.Finding) -> CheckResult:
    good = finding.state != "bad"
    name = f"{finding.name}: {finding.text}"
    return CheckResult(name, good, "" if good else finding.text, hint=finding.do)
