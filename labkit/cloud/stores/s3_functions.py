"""Functions that S3 tells of events: asked and called at the cloud's own door, as everybody calls them.

What belongs here: whether a function lets S3 call it, and calling it, one event after the other. What does not: which
events (s3.notifications), what the function does with them.
Lambda developer guide: "Process Amazon S3 event notifications with Lambda".
"""

import contextlib
import json
import logging
import queue
import threading
from collections.abc import Callable, Mapping
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.iam.services import lets_service

_log = logging.getLogger(__name__)
_SERVICE = "s3.amazonaws.com"


class Functions:
    """Lambda as S3 sees it (notifications.Receiver). Events go out in the order in which they happened."""

    def __init__(self, client: Callable[[str, str], Any]) -> None:
        """`client(service, region)` is a client of the cloud itself."""
        self._client = client
        self._waiting: queue.SimpleQueue[tuple[str, Mapping[str, Any]] | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._lock = threading.Lock()

    def may_be_told(self, function: str, bucket: str) -> bool:
        """Whether the function's policy lets S3 call it for the bucket."""
        try:
            text = self._of(function).get_policy(FunctionName=function)["Policy"]
        except (ClientError, BotoCoreError):
            return False
        context = {"aws:sourcearn": f"arn:aws:s3:::{bucket}", "aws:sourceaccount": ACCOUNT_ID}
        return lets_service(json.loads(text), _SERVICE, "lambda:InvokeFunction", function, context)

    def _of(self, function: str) -> Any:
        return self._client("lambda", function.split(":")[3])

    def tell(self, function: str, message: Mapping[str, Any]) -> None:
        """Have the function called with the message, after those before it."""
        with self._lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="s3-events", daemon=True)
                self._thread.start()
        self._waiting.put((function, message))

    def _run(self) -> None:
        while (each := self._waiting.get()) is not None:
            function, message = each
            try:
                payload = json.dumps(message).encode()
                self._of(function).invoke(FunctionName=function, InvocationType="Event", Payload=payload)
            except (ClientError, BotoCoreError) as error:  # the function is gone: S3 tries no more either
                _log.warning("S3 could not tell %s of an event: %s", function, error)

    def close(self) -> None:
        """Tell nobody any more."""
        with self._lock:
            thread, self._thread = self._thread, None
        if thread is not None:
            self._waiting.put(None)
            with contextlib.suppress(RuntimeError):
                thread.join(5)
