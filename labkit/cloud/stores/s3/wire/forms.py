"""Uploads by HTML forms.

What belongs here: a form that the door has read and found in order, and its answers. What does not: its policy and
signature (labkit.cloud.door). S3 API reference: "POST Object".
"""

import io
from collections.abc import Mapping
from urllib.parse import parse_qsl, quote, urlencode, urlsplit

from labkit.cloud.stores.s3 import objects
from labkit.cloud.stores.s3.conditions import quoted
from labkit.cloud.stores.s3.engine import Call, Engine, Reply
from labkit.cloud.stores.s3.wire import writing
from labkit.cloud.stores.s3.wire.errors import S3Error
from labkit.cloud.stores.s3.wire.reading import read_document, read_head

#: fields of a form that are headers of a PutObject
_PLAIN = ("content-type", "cache-control", "content-disposition", "content-encoding", "expires")


def post_object(engine: Engine, call: Call) -> Reply:
    """PostObject: the file of a form becomes an object."""
    form = call.input["form"]
    engine.bucket(call)
    fields: Mapping[str, str] = form.fields
    environ = {**call.environ, **_headers(fields)}
    given = {"Bucket": call.bucket, "Key": form.key, **read_head("PutObject", environ)}
    if fields.get("acl"):
        given["ACL"] = fields["acl"]
    if fields.get("x-amz-tagging") or fields.get("tagging"):
        given["Tagging"] = _tagging(fields)
    put = Call(
        "PutObject",
        call.region,
        given,
        environ,
        io.BytesIO(form.content),
        form.size,
        principal=call.principal,
    )
    written = objects.put_object(engine, put).output
    return _answer(call, fields, given["Key"], str(written["ETag"]).strip('"'), written.get("VersionId"))


def _headers(fields: Mapping[str, str]) -> dict[str, str]:
    named = [name for name in fields if name.startswith("x-amz-") or name in _PLAIN]
    found = {
        f"HTTP_{name.upper().replace('-', '_')}": fields[name] for name in named if name != "x-amz-tagging"
    }
    if "HTTP_CONTENT_TYPE" in found:
        found["CONTENT_TYPE"] = found.pop("HTTP_CONTENT_TYPE")
    else:
        found["CONTENT_TYPE"] = ""
    return found


def _tagging(fields: Mapping[str, str]) -> str:
    """A form's tags are a document; as the header that they would be elsewhere."""
    if fields.get("x-amz-tagging"):
        return fields["x-amz-tagging"]
    document = read_document("PutObjectTagging", fields["tagging"].encode())
    return urlencode([(tag["Key"], tag["Value"]) for tag in document["TagSet"]])


def _answer(call: Call, fields: Mapping[str, str], key: str, etag: str, version: str | None) -> Reply:
    where = f"https://{call.bucket}.s3.{call.region}.amazonaws.com/{quote(key)}"
    headers = [("ETag", quoted(etag)), ("Location", where)]
    headers += [("x-amz-version-id", version)] if version else []
    target = fields.get("success_action_redirect") or fields.get("redirect") or ""
    if urlsplit(target).scheme in ("http", "https"):
        headers[1] = ("Location", _redirect(target, call.bucket, key, etag))
        return Reply(status=303, headers=tuple(headers), parts=())
    status = fields.get("success_action_status", "")
    if status == "201":
        escape = writing.escape
        text = (
            f"{writing.DECLARATION}<PostResponse><Location>{escape(where)}</Location><Bucket>{call.bucket}</Bucket>"
            f"<Key>{escape(key)}</Key><ETag>{escape(quoted(etag))}</ETag></PostResponse>"
        )
        headers.append(("Content-Type", "application/xml"))
        return Reply(status=201, headers=tuple(headers), parts=(text.encode(),))
    return Reply(status=200 if status == "200" else 204, headers=tuple(headers), parts=())


def _redirect(target: str, bucket: str, key: str, etag: str) -> str:
    split = urlsplit(target)
    query = [
        *parse_qsl(split.query, keep_blank_values=True),
        ("bucket", bucket),
        ("key", key),
        ("etag", quoted(etag)),
    ]
    found = split._replace(query=urlencode(query)).geturl()
    if "\r" in found or "\n" in found:
        raise S3Error("InvalidArgument")
    return found
