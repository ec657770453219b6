"""The module about the instance itself, which lies beside this package."""

import sys

sys.path.insert(0, "/usr/share/lab")
from instance import metadata, region  # type: ignore[import-not-found]  # beside this package, on an instance

sys.path.pop(0)

__all__ = ["metadata", "region"]
