"""Line fault-1."""

from grader.support.evidence import judge_fault
from labkit.grading.api import Lab


def check(lab: Lab) -> None:
    """You found where the first fault stops the path, and showed what proves it.

    The same symptom has many causes. One line of evidence is worth an hour of guessing.
    """
    judge_fault(lab, 1)
