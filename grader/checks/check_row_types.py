"""Line row-types."""

from grader.support.pictures import process, row_of
from grader.support.rows import ATTRIBUTES, Row, standing, typed
from labkit.grading.api import Failed, Lab, lost


def check(lab: Lab) -> None:
    """A row has all its attributes, each with the right type.

    DynamoDB takes anything: a number stored as text sorts 10 before 9, and nobody notices for a year.
    """
    _judge(row_of(lab, process(lab, lab.images.make("png", lab.random.randint(300, 3000)))))


def live(lab: Lab) -> None:
    """Each row that stands in your table has all its attributes, each with the right type."""
    for row in standing(lab):
        _judge(row)


def _judge(row: Row) -> None:
    holding, found = lost(typed(row))
    if holding < 1:
        raise Failed(
            f"the row is not as in the contract: {found}", hint="gap record: as_row gives each value its type",
            expected=", ".join(f"{name} ({kind})" for name, kind in ATTRIBUTES.items()), found=found,
        )  # fmt: skip
