"""Line destroy-clean."""

from labkit.grading.api import Failed, Lab
from labkit.grading.judging.clues import next_thing

#: events after which the first attempt to delete is left alone
_IN_THE_MIDDLE = 6


def check(lab: Lab) -> None:
    """Deleting leaves nothing, also when it was killed in the middle and run again.

    What is left costs money while you sleep. Only a listing proves that nothing is.
    """
    other = lab.disposable_copy()
    if not other.survivors():
        raise Failed(
            f"nothing of your files was deployed, so there is nothing to delete: {other.system.deployment.reason}",
            hint="mend the line deploys first", expected="something to delete", found="nothing",
        )  # fmt: skip
    for bucket in other.system.buckets():
        key = f"{lab.variant.prefix}/{lab.unique('left')}.png"
        other.clients.client("s3").put_object(Bucket=bucket, Key=key, Body=b"an image")
    other.destroy(stop_after=_IN_THE_MIDDLE)
    again = _destroyed(other)
    left = other.survivors()
    if left:
        raise Failed(
            f"deleting failed: {again}" if again else f"still there after deleting: {'; '.join(left)}",
            hint=next_thing(again, "read the first failed event:  ./lab destroy") if again
            else "what in your files says that it is to stay (a retention, a protection)?",
            expected="nothing", found="; ".join(left), evidence=left,
        )  # fmt: skip
    if again:
        raise Failed(
            f"deleting again, after it was killed in the middle, failed: {again}", fraction=0.5,
            hint=next_thing(again, "read the first failed event:  ./lab destroy"), expected="gone", found=again,
        )  # fmt: skip


def _destroyed(other: Lab) -> str:
    """Delete, and once more; why it did not go through, "" when it did."""
    try:
        other.destroy()
        other.destroy()
    except Failed as failed:
        return failed.reason
    return ""
