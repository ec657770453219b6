"""Line fault-2."""

from grader.support.evidence import judge_fault
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """You found the second fault, repaired it by code, and nothing differs from your files any more.

    What is mended by hand is broken again at the next deployment.
    """
    told = judge_fault(lab, 2)
    drift = told.get("drift")
    if told.get("repaired") is not True or drift != []:
        raise Failed(
            "the second fault was found, but what stands is not what your files say", fraction=0.5,
            hint="deploy again, then let step 06 look once more",
            expected="repaired, no drift", found=f"repaired: {told.get('repaired')}, drift: {drift}",
        )  # fmt: skip
