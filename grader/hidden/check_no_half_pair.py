"""Line no-half-pair."""

from grader.support.pictures import ask, taken, text
from grader.support.rights import taken_away
from labkit.grading.api import Failed, Lab, Reply, lost


def check(lab: Lab) -> None:
    """When S3 or DynamoDB refuses: 500, no row that says processed, no object without a row.

    Two stores know no common transaction. The order of writing decides which half can be left over.
    """
    half = _left_by_itself(lab)
    url, reply = _refused(lab, "s3:PutObject")
    wrong_row = [
        row
        for row in lab.table.rows()
        if text(row, "original_url") == url and text(row, "status") == "processed"
    ]
    before = set(lab.bucket.keys())
    _, other = _refused(lab, "dynamodb:PutItem", "dynamodb:UpdateItem")
    left = set(lab.bucket.keys()) - before
    holding, missing = lost([
        (reply.status == other.status == 500, f"S3 refused: {_status(reply)}; the table refused: {_status(other)}"),
        (not wrong_row, "S3 refused the object, and its row says processed"),
        (not left and not half, "the table refused the row, and the object stays in the bucket"),
    ])  # fmt: skip
    if holding < 1:
        raise Failed(
            missing, fraction=holding, hint="gap record: what is written first, and what does the row say meanwhile?",
            expected="500; a row that is not processed; no object", found=missing,
        )  # fmt: skip


def _left_by_itself(lab: Lab) -> bool:
    """Whether a good image is refused, and its object stays all the same. Raises Untried where nothing is stored."""
    data, before = lab.images.make("png", lab.random.randint(400, 4000)), set(lab.bucket.keys())
    url = lab.images.publish(data)
    reply = ask(lab, url)
    if reply.status != 200 and set(lab.bucket.keys()) - before:
        return True
    taken(url, data, reply)
    return False


def _refused(lab: Lab, *actions: str) -> tuple[str, Reply]:
    url = lab.images.publish(
        lab.images.make(lab.random.choice(("png", "jpg", "gif")), lab.random.randint(400, 4000))
    )
    with taken_away(lab, *actions):
        return url, ask(lab, url)


def _status(reply: Reply) -> str:
    return str(reply.status or "no answer")
