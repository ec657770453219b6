"""Bonus parity."""

from grader.support.evidence import read
from labkit.deploy.parity import ABSENT, Difference, compare
from labkit.grading.api import Failed, Lab
from labkit.lesson.compare.comparison import DATA


def check(lab: Lab) -> None:
    """Both engines deploy your files, and what they make is the same, property by property.

    Who can say one infrastructure in two languages has understood it, and not only its notation.
    """
    read(lab, DATA, "08")  # it says that the other engine's files are meant to be looked at
    there = lab.by_the_other_engine()
    sides = {lab.engine: lab.inventory(), there.engine: there.inventory()}
    differences = compare(sides["cloudformation"], sides["terraform"])
    if differences:
        raise Failed(
            f"the two engines do not make the same: {_said(differences[0])}", fraction=0.4,
            hint="do step 08 again: it lays both side by side", expected="no difference",
            found=f"{len(differences)} differences", evidence=[_said(each) for each in differences],
        )  # fmt: skip


def _said(difference: Difference) -> str:
    what = f"{difference.role}: {difference.path}" if difference.path else difference.role
    left, right = ("nothing" if side == ABSENT else side for side in (difference.left, difference.right))
    return f"{what} is {left} by CloudFormation, {right} by Terraform"
