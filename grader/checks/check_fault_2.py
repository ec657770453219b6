"""Line fault-2."""

from grader.support.evidence import judge_fault
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """You found the second fault, repaired it by code, and nothing differs from your files any more.

    What is mended by hand is broken again at the next deployment.
    """
    told = judge_fault(lab, 2)
    if told.get("repaired") is not True or told.get("undone") is not False:
        raise Failed(
            "the second fault was found, and was not repaired by deploying again", fraction=0.5,
            hint="deploy again, then let step 06 look once more",
            expected="repaired by code", found="taken back" if told.get("undone") else "not repaired",
        )  # fmt: skip
