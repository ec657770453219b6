"""Line same-again."""

from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """Deploying the same files once more changes nothing.

    Then a plan that shows changes means that something really changed.
    """
    if lab.redeploy():
        raise Failed(
            "the second deployment of the same files changed something",
            hint="what in your files is different each time (a time, a random name)?",
            expected="nothing to change", found="changes",
        )  # fmt: skip
