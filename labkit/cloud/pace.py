"""How long AWS takes for what it does late, as far as a local cloud is told to take as long.

What belongs here: the durations, drawn from a seed, and how often each was met. What does not: what is late by them (the
parts of the cloud that take a Pace), what befalls a request on its way (labkit.cloud.rehearsal.weather).

The durations are declared, not measured. AWS: Lambda developer guide, "Lambda function states", "Giving Lambda functions
access to resources in an Amazon VPC"; IAM user guide, "Changes that I make are not always immediately visible"; EC2 API
reference, GetConsoleOutput; CloudWatch Logs user guide, "Viewing log data".
"""

import hashlib
import threading
from collections import Counter
from dataclasses import dataclass, field, fields, replace

#: each duration is drawn between these parts of itself
_LEAST, _MOST = 0.5, 1.5


@dataclass(frozen=True)
class Pace:
    """Seconds. The defaults are those of a local cloud at home: nothing is late, but a function is Pending for a moment.

    `pending`: until a new function is Active. `role`: until a new role or instance profile can be used by a service. `policy`: until
    a change of policies is seen. `boot`: from an instance's start until its machine boots. `console`: from there until its
    console can be read. `lines`: until a line that was logged can be read. `interface`: how long a function's interface
    outlives the function.
    """

    pending: float = 0.3
    role: float = 0.0
    policy: float = 0.0
    boot: float = 0.0
    console: float = 0.0
    lines: float = 0.0
    interface: float = 0.0
    counts: "Counts" = field(default_factory=lambda: Counts(), compare=False)

    @property
    def patience(self) -> float:
        """For so long CloudFormation asks again where something is not there, or not gone, yet."""
        return 2 * max(self.role, self.policy, self.interface)


class Counts:
    """How often something was late. For any thread."""

    def __init__(self) -> None:
        self._found: Counter[str] = Counter()
        self._lock = threading.Lock()

    def add(self, what: str) -> None:
        """One more."""
        with self._lock:
            self._found[what] += 1

    @property
    def found(self) -> dict[str, int]:
        """All so far."""
        with self._lock:
            return dict(self._found)


AT_HOME = Pace()
#: as AWS's documents and other people's reports have it
AS_AWS = Pace(pending=30.0, role=20.0, policy=60.0, boot=90.0, console=240.0, lines=30.0, interface=1200.0)


def parse(text: str) -> Pace:
    """AWS's pace from "SEED:FACTOR", so many times quicker and each duration drawn; "" is the pace at home."""
    if not text:
        return AT_HOME
    seed, factor = text.split(":")
    names = [each.name for each in fields(Pace) if each.name != "counts"]
    return replace(
        AS_AWS,
        counts=Counts(),
        **{name: getattr(AS_AWS, name) * drawn(seed, name) / float(factor) for name in names},
    )


def drawn(seed: str, name: str) -> float:
    """Between _LEAST and _MOST, by seed and name."""
    return _LEAST + (_MOST - _LEAST) * share(f"{seed}\n{name}")


def share(text: str) -> float:
    """From 0 to 1, the same for the same text."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:6], "big") / (1 << 48)
