"""The door: everything that is asked of the local cloud comes through it, and is allowed or refused.

What belongs here: reading a request of the AWS API far enough to know who asks for what, deciding
with labkit.aws.iam, refusing in AWS's words. What does not: answering requests (moto).
"""

from labkit.cloud.door.middleware import Door, Store
from labkit.cloud.door.refusals import Refusal

__all__ = ["Door", "Refusal", "Store"]
