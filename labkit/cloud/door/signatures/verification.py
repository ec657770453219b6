"""Whether a signature is right: for here, for now, with the key's secret, over this body; in AWS's order.

What belongs here: the order of the checks. What does not: each of them (freshness, signing, payloads, post_policies),
and whose key it is (authority).
"""

from labkit.aws.network import names
from labkit.cloud.door import refusals
from labkit.cloud.door.buckets import AS_SENT
from labkit.cloud.door.credentials import Signature
from labkit.cloud.door.emulated import services
from labkit.cloud.door.reading import Asked, Body, Environ
from labkit.cloud.door.signatures import freshness, payloads, post_policies, signing
from labkit.deploy.targets import regions


def check_scope(signature: Signature, asked: Asked, environ: Environ) -> None:
    """Raise Refused for a signature that can't be read, or is for a region that AWS does not have, or another host.

    S3 is asked about a bucket of any region at any of its hosts; the other services sign for where they are asked.
    """
    wire, service = asked.wire, asked.service
    if signature.flaw is not None:
        raise refusals.malformed_signature(wire, service, signature.flaw)
    if signature.version == 2:
        return
    if signature.region not in regions():
        raise refusals.no_such_region(wire, service, signature.region)
    sent = environ.get(AS_SENT)
    host = str(sent[0] if isinstance(sent, tuple) else environ.get("HTTP_HOST", "")).partition(":")[0]
    endpoint = names.parse(host)
    if endpoint is None or endpoint.service not in services():
        return
    if endpoint.service != signature.service:
        words = f"Credential should be scoped to correct service: '{endpoint.service}'."
        raise refusals.out_of_scope(wire, words)
    if service != "s3" and endpoint.region != signature.region:
        raise refusals.no_such_region(wire, service, signature.region)


def verify(signature: Signature, secret: str, asked: Asked, environ: Environ, body: Body, now: float) -> None:
    """Raise Refused where `secret` did not sign this request, or not for `now` (seconds since the epoch).

    S3's body is held against the signature when it is read.
    """
    freshness.check(signature, asked.wire, asked.service, now)
    if signature.place == "form":
        _verify_form(signature, secret, asked, now)
        return
    name = signing.unsigned_header(signature, environ)
    if name:
        raise refusals.unsigned_header(asked.wire, asked.service, name)
    said = payloads.stated(signature, environ, body.read)
    if not secret or not signing.is_genuine(signature, secret, environ, said):
        raise refusals.bad_signature(asked.wire, asked.service)
    payloads.guard(signature, secret, said, environ)


def _verify_form(signature: Signature, secret: str, asked: Asked, now: float) -> None:
    assert asked.form is not None
    policy = asked.form.fields.get("policy", "")
    if not secret or not signing.same(signing.sign_text(signature, secret, policy), signature.signature):
        raise refusals.bad_signature(asked.wire, asked.service)
    post_policies.check(asked.form, str(asked.parameters.get("Bucket", "")), now)
