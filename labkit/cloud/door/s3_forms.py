"""POST requests to S3 that are neither an operation nor the form of an upload.

What belongs here: the outer shape of forms. What does not: their fields (forms, post_policies).
"""

from collections.abc import Mapping

from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused


def check_form(asked: Asked, environ: Mapping[str, object]) -> None:
    """Raise Refused for a POST that is neither an operation nor the form of an upload.

    S3 API reference, "POST Object" and "List of error codes".
    """
    if (
        asked.service != "s3"
        or environ.get("REQUEST_METHOD") != "POST"
        or asked.operation not in ("PostObject", "")
    ):
        return
    if not asked.operation:
        raise Refused(405, "MethodNotAllowed", "The specified method is not allowed against this resource.")
    kind = str(environ.get("CONTENT_TYPE", ""))
    if not kind.lower().startswith("multipart/form-data"):
        words = "Bucket POST must be of the enclosure-type multipart/form-data"
        message = f"At least one of the preconditions you specified did not hold. {words}"
        raise Refused(412, "PreconditionFailed", message)
    if asked.form is None:
        message = "The body of your POST request is not well-formed multipart/form-data."
        raise Refused(400, "MalformedPOSTRequest", message)
    if "key" not in asked.form.fields:
        words = "If it is specified, please check the order of the fields."
        raise Refused(400, "InvalidArgument", f"Bucket POST must contain a field named 'key'. {words}")
    if asked.form.size < 0:
        raise Refused(400, "InvalidArgument", "POST requires exactly one file upload per request.")
