"""The Resource Groups Tagging API tells of what the kit's own stores hold, too.

What belongs here: that. What does not: tags themselves (labkit.cloud.stores).

AWS: Resource Groups Tagging API reference, GetResources, GetTagKeys, GetTagValues.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from labkit.cloud.moto_seam.replacing import Replacements

#: region → (ARN, tags, resource type) of what lies there
Tagged = Callable[[str], Iterable[tuple[str, Mapping[str, str], str]]]


def nothing_tagged(_: str) -> Iterable[tuple[str, Mapping[str, str], str]]:
    """There are no stores."""
    return ()


def correct_tagging(replacements: Replacements, tagged: Tagged) -> None:
    """Add buckets and tables to what moto's services tell."""
    import moto.resourcegroupstaggingapi.models as tagging

    @replacements.around(tagging, "iter_taggable_backends")
    def iter_taggable_backends(original: Any, account_id: str, region_name: str) -> Iterator[Any]:
        yield from original(account_id, region_name)
        yield _Stores(tagged, region_name)


class _Stores:
    """Buckets and tables as one of moto's backends; they are tagged by their own services alone."""

    def __init__(self, tagged: Tagged, region: str) -> None:
        self._tagged, self._region = tagged, region

    def iter_tagged_resources(self) -> Iterator[Any]:
        """Everything, with and without tags."""
        from moto.core.resource_tagging import TaggedResource

        for arn, tags, kind in self._tagged(self._region):
            yield TaggedResource(arn, dict(tags), kind)

    def owns_arn(self, arn: str) -> bool:
        """Nothing: whoever tags here is told that it can't be done."""
        return False
