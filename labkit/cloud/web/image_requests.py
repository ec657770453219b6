"""What can be asked of the image host: how it shall answer for a name, and who came.

What belongs here: the records that the cloud and those who ask it share. What does not: the host (image_host.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Behaviour:
    """How the host answers for one name; the default is well-behaved.

    status: 200, 404 …; content_type: "" guesses by name; location: for a redirect (with status 302);
    delay: seconds before the answer; drip: bytes each second (0: at once); silent: takes the connection and never
    answers; size: this many more zero bytes after the data (a huge picture), not held in memory; headers: more.
    """

    status: int = 200
    content_type: str = ""
    location: str = ""
    delay: float = 0.0
    drip: float = 0.0
    silent: bool = False
    size: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Visit:
    """A request that came to the host: when (seconds since the epoch), for which path, as which agent."""

    at: float
    method: str
    path: str
    user_agent: str
