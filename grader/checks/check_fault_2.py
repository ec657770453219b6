"""Line fault-2."""

from grader.support.evidence import judge_fault
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """You found the second fault and repaired it, and nothing differs from your files any more.

    A repair that takes something else of yours along is the next fault.
    """
    told = judge_fault(lab, 2)
    if told.get("repaired") is True and told.get("undone") is False:
        return
    lost = told.get("lost")
    raise Failed(
        "the second fault was found, and its repair left something otherwise than it was" if lost
        else "the second fault was found, and was not repaired", fraction=0.5,
        hint="./lab break says what is not as it was" if lost else "repair it, then let step 06 look once more",
        expected="repaired, nothing else changed",
        found="taken back" if told.get("undone") else str(lost[0])[:160] if isinstance(lost, list) and lost else "not repaired",
    )  # fmt: skip
