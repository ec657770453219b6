"""Numbers about numbers: minimum, maximum, mean, median, standard deviation, percentiles.

What belongs here: pure functions. What does not: where the numbers come from.
"""

import math
import statistics
from collections.abc import Mapping, Sequence

NAMES = ("count", "minimum", "maximum", "mean", "median", "deviation", "p95", "p99")


def percentile(values: Sequence[float], share: float) -> float:
    """The smallest value that `share` per cent of all values do not exceed (nearest rank).

    Raises ValueError for no values.
    """
    if not values:
        raise ValueError("no values")
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)]


def summary(values: Sequence[float]) -> Mapping[str, float]:
    """Every number in NAMES, rounded to a thousandth; only the count when there are no values.

    The deviation is the sample's (n − 1), 0 for one value.
    """
    if not values:
        return {"count": 0}
    numbers = {
        "count": len(values),
        "minimum": min(values),
        "maximum": max(values),
        "mean": statistics.fmean(values),
        "median": statistics.median(values),
        "deviation": statistics.stdev(values) if len(values) > 1 else 0.0,
        "p95": percentile(values, 95),
        "p99": percentile(values, 99),
    }
    return {name: round(number, 3) for name, number in numbers.items()}
