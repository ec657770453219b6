"""S3's upload forms, read. What belongs here: their fields and their file. What does not: what S3 refuses in them
(s3_bodies), their policy (post_policies). S3 API reference: "POST Object".
"""

import contextlib
import io
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Form:
    """The fields of an upload, names in lower case, and what its file is called, how many bytes it has, and they.

    `size` is -1 where there is no file.
    """

    fields: Mapping[str, str]
    file_name: str
    size: int
    content: bytes = b""

    @property
    def key(self) -> str:
        """Under which key the file is to be stored."""
        return self.fields.get("key", "").replace("${filename}", self.file_name)


def read_form(kind: str, data: bytes) -> Form:
    """The form in a body of this Content-Type. Raises ValueError where it is none."""
    from werkzeug.formparser import FormDataParser
    from werkzeug.http import parse_options_header

    name, options = parse_options_header(kind)
    _, fields, files = FormDataParser(silent=False).parse(io.BytesIO(data), name, len(data), options)
    named = {name.lower(): value for name, value in fields.items()}
    text = named.get("file")
    with contextlib.ExitStack() as closing:
        for name, each in files.items(multi=True):
            closing.callback(each.close)
            if name.lower() != "file":  # some clients give every field a file name
                named.setdefault(name.lower(), each.read().decode("utf-8", "replace"))
        if (file := files.get("file")) is not None:
            content = file.read()
            return Form(named, file.filename or "", len(content), content)
    content = (text or "").encode()
    return Form(named, "", -1 if text is None else len(content), content)
