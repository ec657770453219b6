"""Pages of other origins: which of them may ask what, by a bucket's rules.

What belongs here: rules, preflights, and the headers of answers. What does not: storing the rules (configurations).
S3 user guide: "Using cross-origin resource sharing (CORS)", "Elements of a CORS configuration".
"""

from collections.abc import Mapping, Sequence
from typing import Any

from labkit.aws.iam.matching import matches
from labkit.cloud.stores.s3.engine import Engine
from labkit.cloud.stores.s3.wire.errors import S3Error, invalid_request, malformed_xml

Headers = list[tuple[str, str]]
METHODS = frozenset({"GET", "PUT", "HEAD", "POST", "DELETE"})
_VARY = ("Vary", "Origin, Access-Control-Request-Headers, Access-Control-Request-Method")


def check(configuration: Mapping[str, Any]) -> Mapping[str, Any]:
    """The rules, as they are kept. Raises S3Error for rules that S3 does not take."""
    rules = configuration.get("CORSRules", [])
    if not 1 <= len(rules) <= 100:
        raise malformed_xml()
    for rule in rules:
        if not rule.get("AllowedMethods") or not rule.get("AllowedOrigins"):
            raise malformed_xml()
        for method in rule["AllowedMethods"]:
            if method not in METHODS:
                raise invalid_request(
                    f"Found unsupported HTTP method in CORS config. Unsupported method is {method}"
                )
        for origin in rule["AllowedOrigins"]:
            if origin.count("*") > 1:
                raise invalid_request(f'AllowedOrigin "{origin}" can not have more than one wildcard.')
        for name in rule.get("AllowedHeaders", ()):
            if name.count("*") > 1:
                raise invalid_request(f'AllowedHeader "{name}" can not have more than one wildcard.')
        for name in rule.get("ExposeHeaders", ()):
            if "*" in name:
                raise invalid_request(
                    f'ExposeHeader "{name}" contains wildcard. We currently do not support wildcard for ExposeHeader.'
                )
    return configuration


def answer_preflight(engine: Engine, bucket: str, environ: Mapping[str, object]) -> Headers:
    """The headers that let a page go on. Raises S3Error where no rule does."""
    origin = str(environ.get("HTTP_ORIGIN", ""))
    method = str(environ.get("HTTP_ACCESS_CONTROL_REQUEST_METHOD", ""))
    asked = str(environ.get("HTTP_ACCESS_CONTROL_REQUEST_HEADERS", ""))
    if not origin:
        raise S3Error("BadRequest", "Insufficient information. Origin request header needed.")
    if method not in METHODS:
        words = f"Invalid Access-Control-Request-Method: {method or 'null'}"
        raise S3Error("BadRequest", words)
    if engine.storage.bucket(bucket) is None:
        raise _refused("CORSResponse: Bucket not found", method)
    rules = engine.storage.setting(bucket, "cors")
    if rules is None:
        raise _refused("CORSResponse: CORS is not enabled for this bucket.", method)
    names = [each.strip().lower() for each in asked.split(",") if each.strip()]
    rule = _rule(rules["CORSRules"], origin, method, names)
    if rule is None:
        words = "This CORS request is not allowed. This is usually because the evalution of Origin, request method / "
        raise _refused(
            f"CORSResponse: {words}Access-Control-Request-Method or Access-Control-Request-Headers are not whitelisted by the resource's CORS spec.",
            method,
        )
    headers = _allowing(rule, origin)
    if names:
        headers.append(("Access-Control-Allow-Headers", ", ".join(names)))
    if rule.get("MaxAgeSeconds") is not None:
        headers.append(("Access-Control-Max-Age", str(rule["MaxAgeSeconds"])))
    return headers


def _refused(why: str, method: str) -> S3Error:
    details = {"Method": method, "ResourceType": "BUCKET"}
    return S3Error("AccessForbidden", why, status=403, details=details)


def headers_for(engine: Engine, bucket: str, environ: Mapping[str, object]) -> Headers:
    """What an answer to a page of another origin tells its browser; nothing where no rule allows it."""
    origin = str(environ.get("HTTP_ORIGIN", ""))
    if not origin or not bucket:
        return []
    rules = engine.storage.setting(bucket, "cors")
    rule = _rule(rules["CORSRules"], origin, str(environ["REQUEST_METHOD"]), ()) if rules else None
    return _allowing(rule, origin) if rule else []


def _allowing(rule: Mapping[str, Any], origin: str) -> Headers:
    anybody = "*" in rule["AllowedOrigins"]
    headers = [("Access-Control-Allow-Origin", "*" if anybody else origin)]
    headers.append(("Access-Control-Allow-Methods", ", ".join(rule["AllowedMethods"])))
    if rule.get("ExposeHeaders"):
        headers.append(("Access-Control-Expose-Headers", ", ".join(rule["ExposeHeaders"])))
    if not anybody:
        headers.append(("Access-Control-Allow-Credentials", "true"))
    return [*headers, _VARY]


def _rule(
    rules: Sequence[Mapping[str, Any]], origin: str, method: str, names: Sequence[str]
) -> Mapping[str, Any] | None:
    """The first rule that allows the origin, the method and all the headers."""
    for rule in rules:
        allowed = [each.lower() for each in rule.get("AllowedHeaders", ())]
        if (
            method in rule["AllowedMethods"]
            and any(_fits(each, origin) for each in rule["AllowedOrigins"])
            and all(any(_fits(each, name) for each in allowed) for name in names)
        ):
            return rule
    return None


def _fits(pattern: str, text: str) -> bool:
    """One * stands for any text, and nothing else for anything but itself."""
    return matches(pattern.replace("?", "%3F"), text)
