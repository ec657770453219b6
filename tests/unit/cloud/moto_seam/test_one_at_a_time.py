"""A client meets no half-done work of another."""

import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from labkit.cloud.moto_seam.backends import backend


class Pausing(defaultdict[str, Any]):
    """Log groups by their name; whoever goes through them pauses after the first, until another was put or can't be."""

    def __init__(self, items: Any) -> None:
        super().__init__(dict, items)
        self.entered, self.put = threading.Event(), threading.Event()

    def items(self) -> Iterator[Any]:  # type: ignore[override]
        for item in super().items():
            yield item
            self.entered.set()
            self.put.wait(0.5)


def test_a_list_beside_a_writer_is_a_whole_list(moto, refusal):
    """CloudWatch Logs API reference, DescribeLogGroups: groups may come meanwhile; that is no failure."""

    def scenario(aws):
        logs = aws.client("logs")
        logs.create_log_group(logGroupName="first")
        backend_ = backend("logs", "ap-south-1")
        backend_.groups = groups = Pausing(backend_.groups)
        said: list[str] = []
        listing = threading.Thread(target=lambda: said.append(refusal(logs.describe_log_groups)))
        listing.start()
        assert groups.entered.wait(10)
        logs.create_log_group(logGroupName="second")
        groups.put.set()
        listing.join()
        return said

    plain, corrected = moto.compare(scenario)
    assert plain != [""], "moto bears two threads now: this correction can go"
    assert corrected == [""]
