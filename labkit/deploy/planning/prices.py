"""What a lab costs while it stands: a dated table of list prices.

What belongs here: prices and sums. What does not: asking AWS. Look prices up anew now and then, and set the date.
"""

from dataclasses import dataclass

#: list prices in ap-south-1 (Mumbai), Linux, on demand, without taxes and without a free tier
DATE = "2025-06"
REGION = "ap-south-1"
#: US dollars an hour
INSTANCES = {"t2.micro": 0.0124, "t3.micro": 0.0112, "t3.small": 0.0224, "t3.medium": 0.0448}
PUBLIC_ADDRESS = 0.005
DISK = 8 * 0.0912 / 730  # 8 GB of gp3, priced by the month
WEEK = 7 * 24


@dataclass(frozen=True)
class Cost:
    """US dollars an hour, item by item. Function, bucket, table and logs cost nothing while nobody uses them."""

    items: tuple[tuple[str, float], ...]

    @property
    def hour(self) -> float:
        """Dollars an hour."""
        return sum(price for _, price in self.items)

    @property
    def week(self) -> float:
        """Dollars for a week, if nobody deletes it."""
        return WEEK * self.hour


def cost(instance_type: str) -> Cost | None:
    """What one server of this type, its disk and its address cost; None when its price is not in the table."""
    if instance_type not in INSTANCES:
        return None
    return Cost(
        (("server", INSTANCES[instance_type]), ("its public address", PUBLIC_ADDRESS), ("its disk", DISK))
    )
