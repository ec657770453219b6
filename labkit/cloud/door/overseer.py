"""The grader's own eye: a key whose calls no policy is asked about.

A bucket's policy may refuse everybody but the server's role, the account's administrator too. What stands in such a
bucket must still be seen, or a right stricter policy could not be judged. So the grader looks as AWS itself would.

What belongs here: this key. What does not: who gets it (labkit.cloud.server.probing, for the holder of the token).
"""

import secrets
import time
from dataclasses import dataclass, field

from labkit.aws.addresses import ACCOUNT_ID
from labkit.aws.records import Caller, Principal
from labkit.cloud.door.credentials import Signature
from labkit.cloud.door.reading import Asked, Body, Environ
from labkit.cloud.door.signatures.verification import check_scope, verify

PRINCIPAL = Principal("root", f"arn:aws:iam::{ACCOUNT_ID}:root", ACCOUNT_ID, ACCOUNT_ID)


@dataclass(frozen=True)
class Overseer:
    """One key, made with its cloud; good on this machine's own listener only."""

    access_key_id: str = field(default_factory=lambda: f"LABOVERSEER{secrets.token_hex(8).upper()}")
    secret_access_key: str = field(default_factory=lambda: secrets.token_urlsafe(30), repr=False)

    def signed(
        self, signature: Signature | None, caller: Caller, asked: Asked, environ: Environ, body: Body
    ) -> bool:
        """Whether the request is the overseer's. Raises Refused where it says so and the signature is not genuine."""
        if signature is None or caller.place != "host" or signature.access_key_id != self.access_key_id:
            return False
        check_scope(signature, asked, environ)
        verify(signature, self.secret_access_key, asked, environ, body, time.time())
        return True
