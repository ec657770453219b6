"""Whether a signature is still good, and already: the clock of requests, presigned URLs and scopes.

What belongs here: times. What does not: the signature itself (signing), the end of a session (authority), the end of an
upload form's policy (post_policies).
AWS IAM user guide, "Troubleshoot signed requests"; S3 API reference, "Authenticating requests: using query parameters".
"""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from labkit.cloud.door import refusals
from labkit.cloud.door.credentials import Flaw, Signature
from labkit.cloud.door.reading import Wire
from labkit.cloud.door.refusals import Refused

#: seconds by which a client's clock may be wrong, and for which a signed request is good
SKEW = 15 * 60
LONGEST = 7 * 24 * 3600
_QUERY_ERROR = "AuthorizationQueryParametersError"
_BASIC = "%Y%m%dT%H%M%SZ"
_LONG_FORM = "X-Amz-Date must be in the ISO8601 Long Format \"yyyyMMdd'T'HHmmss'Z'\""


def check(signature: Signature, wire: Wire, service: str, now: float) -> None:
    """Raise Refused where the signature is not good at `now` (seconds since the epoch)."""
    if signature.version == 2:
        _check_version_2(signature, now)
        return
    made = _seconds(signature.moment)
    if made is None or signature.moment[:8] != signature.date:
        raise _other_date(signature, wire, service, parsed=made is not None)
    if signature.place == "query":
        _check_url(signature, wire, service, made, now)
    elif signature.place == "header":
        _check_skew(signature, wire, service, made, now)


def _check_version_2(signature: Signature, now: float) -> None:
    if signature.place == "header":
        made = _seconds(signature.moment)
        if made is None:
            raise _no_date()
        _check_skew(signature, "rest-xml", "s3", made, now)
    elif signature.place == "query":
        if not re.fullmatch(r"[0-9]{1,15}", signature.expires):
            words = f"Invalid date (should be seconds since epoch): {signature.expires}"
            raise Refused(403, "AccessDenied", words)
        if now >= int(signature.expires):
            raise _has_expired(float(signature.expires), now)


def _check_skew(signature: Signature, wire: Wire, service: str, made: float, now: float) -> None:
    if abs(now - made) <= SKEW:
        return
    if service == "s3":
        words = "The difference between the request time and the current time is too large."
        limit = {"MaxAllowedSkewMilliseconds": str(SKEW * 1000)}
        times = {"RequestTime": signature.moment, "ServerTime": _iso(now), **limit}
        raise Refused(403, "RequestTimeTooSkewed", words, details=times)
    raise _out_of_time(signature.moment, wire, now, now - made)


def _check_url(signature: Signature, wire: Wire, service: str, made: float, now: float) -> None:
    """AWS's rules for X-Amz-Expires, in its order; other services than S3 count it as they count a skew."""
    if not re.fullmatch(r"-?[0-9]{1,18}", signature.expires):
        raise _malformed(wire, service, "X-Amz-Expires should be a number")
    lasts = int(signature.expires)
    if lasts < 0:
        raise _malformed(wire, service, "X-Amz-Expires must be non-negative")
    if lasts > LONGEST:
        words = "X-Amz-Expires must be less than a week (in seconds); that is, the given X-Amz-Expires must be less than"
        raise _malformed(wire, service, f"{words} {LONGEST} seconds")
    if made > now + SKEW:
        if service != "s3":
            raise _out_of_time(signature.moment, wire, now, now - made)
        raise Refused(403, "AccessDenied", "Request is not valid yet", details={"ServerTime": _iso(now)})
    if now >= made + lasts:
        if service != "s3":
            raise _out_of_time(signature.moment, wire, now, now - made)
        raise _has_expired(made + lasts, now, {"X-Amz-Expires": signature.expires})


def _has_expired(end: float, now: float, more: Mapping[str, str] | None = None) -> Refused:
    times = {**(more or {}), "Expires": _iso(end), "ServerTime": _iso(now)}
    return Refused(403, "AccessDenied", "Request has expired", details=times)


def _out_of_time(moment: str, wire: Wire, now: float, age: float) -> Refused:
    """In the words of everybody but S3; `age` in seconds, negative for what is not yet."""
    if wire == "ec2":
        return Refused(400, "RequestExpired", "Request has expired.")
    sign, word = (
        ("-", "Signature expired: {} is now earlier than")
        if age > 0
        else ("+", "Signature not yet current: {} is still later than")
    )
    edge = _basic(now - SKEW if age > 0 else now + SKEW)
    return refusals.out_of_scope(wire, f"{word.format(moment)} {edge} ({_basic(now)} {sign} 15 min.)")


def _other_date(signature: Signature, wire: Wire, service: str, *, parsed: bool) -> Refused:
    """There is no date, or the scope names another day."""
    if not parsed:
        if signature.place == "query":
            return _malformed(wire, service, _LONG_FORM)
        words = "Authorization header requires existence of either a 'X-Amz-Date' or a 'Date' header."
        return _no_date() if service == "s3" else refusals.malformed_signature(wire, service, Flaw("", words))
    if service != "s3":
        words = f"'{signature.date}' != '{signature.moment[:8]}', from '{signature.moment}'."
        return refusals.out_of_scope(
            wire,
            f"Date in Credential scope does not match YYYYMMDD from ISO-8601 version of date from HTTP: {words}",
        )
    words = f'Invalid credential date "{signature.date}". This date is not the same as X-Amz-Date: "{signature.moment[:8]}".'
    code = _QUERY_ERROR if signature.place == "query" else "AuthorizationHeaderMalformed"
    return Refused(400, code, words)


def _no_date() -> Refused:
    return Refused(403, "AccessDenied", "AWS authentication requires a valid Date or x-amz-date header")


def _malformed(wire: Wire, service: str, words: str) -> Refused:
    return refusals.malformed_signature(wire, service, Flaw(_QUERY_ERROR, words))


@lru_cache(maxsize=64)
def _seconds(moment: str) -> float | None:
    """Since the epoch; None for what is no moment. ISO 8601's basic form, or that of HTTP, which version 2 may use."""
    try:
        if len(moment) == 16:
            return datetime.strptime(moment, _BASIC).replace(tzinfo=UTC).timestamp()
        return parsedate_to_datetime(moment).astimezone(UTC).timestamp()
    except (ValueError, OverflowError):
        return None


def _iso(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _basic(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime(_BASIC)
