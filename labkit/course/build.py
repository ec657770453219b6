"""From the student's files as edited to what AWS takes: user data, Lambda module, embedded template.

What belongs here: a pure function over texts, the limits of AWS, and the errors that name file and line. What
does not: deploying (labkit.deploy), the student's folder (labkit.course.workspace).

A line that holds only `#include FILE` is replaced by that file's lines, moved to the line's own indentation.
In the boot script, `@S3_BUCKET@` and the like stand for values that only the deployment knows: templatefile()
fills them in for Terraform, Fn::Sub for CloudFormation, and both give the same bytes.
"""

import hashlib
import io
import re
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from labkit.base import state
from labkit.base.errors import TemplateError
from labkit.course.variant import Variant

FOLDER = "build"
BOOT, APP, FUNCTION = "flask_server_startup.sh", "flask_app.py", "lambda_function.py"
TEMPLATE = "cloudformation-template.yaml"
BOOT_TEMPLATE, PACKAGE = f"{BOOT}.tftpl", "lambda.zip"

#: EC2, RunInstances: "limited to 16 KB, in raw form, before it is base64-encoded"
USER_DATA_LIMIT = 16_384
#: CloudFormation quotas: size of a TemplateBody. It keeps inline code far below Lambda's own limit of 4 MB.
TEMPLATE_LIMIT = 51_200

_INCLUDE = re.compile(r"(?P<indent>[ \t]*)#include[ \t]+(?P<file>\S+)[ \t\r]*")
_SETTING = re.compile(r"@([A-Z][A-Z0-9_]*)@")
_HEREDOC = re.compile(r"<<-?\s*(['\"]?)(\w+)\1")
_LONGEST_REGION = "ap-southeast-1"
_BOOT_HASH = "@BOOT_HASH@"


@dataclass(frozen=True)
class Build:
    """What was built: files by their name in build/, warnings for people, SHA-256 of what matters.

    `hashes` has "boot_script" (before values are filled in), "lambda_module" and "template".
    """

    files: Mapping[str, bytes]
    warnings: tuple[str, ...]
    hashes: Mapping[str, str]


def settings(variant: Variant, *, bucket: str, table: str, region: str) -> dict[str, str]:
    """The values that a deployment fills into the boot script, by the names used there."""
    return {
        "AWS_REGION": region,
        "S3_BUCKET": bucket,
        "DYNAMODB_TABLE": table,
        "OBJECT_PREFIX": variant.prefix,
        "LAB_TOKEN": variant.lab_token,
        "PORT": str(variant.port),
    }


def user_data(script: str, values: Mapping[str, str]) -> str:
    """The boot script as an instance gets it: every setting replaced by its value."""
    return _SETTING.sub(lambda match: values[match[1]], script)


def build(files: Mapping[str, bytes], variant: Variant) -> Build:
    """Everything that goes into build/, from the student's `files` by name.

    Pure: the same files give the same bytes. Raises TemplateError, naming file and line, for a file that is
    missing or not UTF-8, an include or setting that does not exist, or a result over AWS's limits. Mistakes
    that AWS would take and that then fail (line ends, no `#!`) are left as they are and told as warnings.
    """
    texts = {name: _text(files, name) for name in (BOOT, APP, FUNCTION, TEMPLATE)}
    _refuse_empty_template(texts[TEMPLATE])
    _refuse_early_end(texts[BOOT], texts[APP])
    script = _with_includes(BOOT, texts[BOOT], {APP: texts[APP].removesuffix("\n")})
    expected = _expected_settings(variant)
    _refuse_unknown_settings(script, expected)
    _refuse_large_user_data(script, expected, texts)
    digest = _sha256(script.encode())
    template = _template(texts, script, digest).encode()
    _refuse_large_template(template, texts)
    return Build(
        files={
            BOOT: script.encode(),
            BOOT_TEMPLATE: for_templatefile(script).encode(),
            PACKAGE: package(texts[FUNCTION].encode()),
            TEMPLATE: template,
        },
        warnings=tuple(_warnings(texts[BOOT])),
        hashes={
            "boot_script": digest,
            "lambda_module": _sha256(texts[FUNCTION].encode()),
            "template": _sha256(template),
        },
    )


def write_build(folder: Path, built: Build) -> None:
    """Write what was built into `folder`, each file in one step; files that are right already are left alone."""
    for name, data in built.files.items():
        path = folder / name
        if not path.is_file() or path.read_bytes() != data:
            state.write_bytes(path, data)


def package(module: bytes) -> bytes:
    """The function's zip: the same module always gives the same bytes, whenever and wherever it is made."""
    buffer = io.BytesIO()
    entry = zipfile.ZipInfo(FUNCTION, date_time=(1980, 1, 1, 0, 0, 0))
    entry.external_attr = 0o644 << 16
    entry.create_system = 3
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr(entry, module)
    return buffer.getvalue()


def for_templatefile(script: str) -> str:
    """The script as Terraform's templatefile() wants it: its own ${ and %{ escaped, settings as variables.

    Terraform: "String Templates", escape sequences `$${` and `%%{`. Dollar signs right before a setting
    would make such a sequence, so they are written as a text of their own: `${"$"}`.
    """

    def variable(match: re.Match[str]) -> str:
        dollars = f'${{"{match[1]}"}}' if match[1] else ""
        return f"{dollars}${{{match[2].lower()}}}"

    escaped = re.sub(r"([$%])\{", r"\1\1{", script)
    return re.sub(rf"(\$*){_SETTING.pattern}", variable, escaped)


def for_sub(script: str) -> str:
    """The script as CloudFormation's Fn::Sub wants it: its own ${ escaped, settings as variables.

    CloudFormation: Fn::Sub, "To write a dollar sign and curly braces literally, add an exclamation point".
    """
    return _SETTING.sub(r"${\1}", script.replace("${", "${!"))


# ---- Reading and including ----------------------------------------------------------------------


def _text(files: Mapping[str, bytes], name: str) -> str:
    if name not in files:
        raise TemplateError(f"{name} is missing.", hint="Make it again:  ./lab generate")
    try:
        return files[name].decode("utf-8")
    except UnicodeDecodeError as error:
        line = files[name].count(b"\n", 0, error.start) + 1
        raise TemplateError(
            f"{name}, line {line}: this is not text in UTF-8.", hint="Save the file as UTF-8."
        ) from error


def _with_includes(name: str, text: str, available: Mapping[str, str]) -> str:
    """`text` with each include line replaced; what is included is not looked into again."""
    result: list[str] = []
    for number, line in enumerate(text.split("\n"), 1):
        match = _INCLUDE.fullmatch(line)
        if match is None:
            result.append(line)
            continue
        if match["file"] not in available:
            raise TemplateError(
                f"{name}, line {number}: {match['file']} can't be included here.",
                hint=f"What can be included here: {', '.join(sorted(available))}",
            )
        _include(result, match["indent"], available[match["file"]])
    return "\n".join(result)


def _include(result: list[str], indent: str, text: str) -> None:
    """Add `text` to the lines; quoted on one line where a YAML block scalar would change its bytes."""
    scalar = re.fullmatch(r"(.*\S\s+)\|[ \t\r]*", result[-1]) if result else None
    if scalar and not _fits_block(text):
        result[-1] = scalar[1] + _quoted(text)
        return
    lines = text.removesuffix("\n").split("\n") if scalar else text.split("\n")
    result.extend(indent + line if line else line for line in lines)


def _fits_block(text: str) -> bool:
    """Whether YAML's `|` keeps the text as it is: YAML 1.1 folds line ends and knows no control characters."""
    plain = re.fullmatch(
        r"[\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]*", text
    )
    ends_once = text.endswith("\n") and not text.endswith("\n\n") and text.strip("\n") != ""
    first = text.lstrip("\n")[:1]
    return bool(plain) and ends_once and first not in (" ", "\t")


def _quoted(text: str) -> str:
    """`text` as a YAML double-quoted scalar on one line."""

    def escaped(match: re.Match[str]) -> str:
        special = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
        return special.get(match[0]) or f"\\u{ord(match[0]):04x}"

    return '"' + re.sub(r'[\x00-\x1f"\\\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]', escaped, text) + '"'


def _template(texts: Mapping[str, str], script: str, digest: str) -> str:
    available = {FUNCTION: texts[FUNCTION], BOOT: for_sub(script)}
    named = texts[TEMPLATE].replace(_BOOT_HASH, digest[:12])
    return _with_includes(TEMPLATE, named, available)


# ---- What AWS would refuse, or take and then fail -------------------------------------------------


def _expected_settings(variant: Variant) -> dict[str, str]:
    """Values as long as they can become, to judge the size of the user data."""
    bucket = f"{variant.name}-lab-images-{'0' * 12}-{_LONGEST_REGION}"
    return settings(variant, bucket=bucket, table=f"{variant.name}-lab-images", region=_LONGEST_REGION)


def _refuse_unknown_settings(script: str, known: Mapping[str, str]) -> None:
    for match in _SETTING.finditer(script):
        if match[1] not in known:
            line = script.count("\n", 0, match.start()) + 1
            raise TemplateError(
                f"build/{BOOT}, line {line}: nothing is known under the name {match[0]}.",
                hint=f"What can be filled in: {', '.join(f'@{name}@' for name in known)}",
            )


def _refuse_empty_template(template: str) -> None:
    if not template.strip():
        raise TemplateError(f"{TEMPLATE} is empty.", hint="Delete it, then make it again:  ./lab generate")


def _refuse_early_end(script: str, app: str) -> None:
    """The application stands in a here-document, which ends at the first line that is its terminator."""
    before = script.partition(f"#include {APP}")[0]
    opened = _HEREDOC.search(before.rstrip("\n").rpartition("\n")[2])
    if opened is None:
        return
    for number, line in enumerate(app.split("\n"), 1):
        if line == opened[2]:
            raise TemplateError(
                f"{APP}, line {number}: {line!r} alone on a line ends the here-document in {BOOT} too early.",
                hint="Change this line.",
            )


def _refuse_large_user_data(script: str, values: Mapping[str, str], texts: Mapping[str, str]) -> None:
    size = len(user_data(script, values).encode())
    if size > USER_DATA_LIMIT:
        parts = ", ".join(f"{name} has {len(texts[name].encode()):,}" for name in (BOOT, APP))
        raise TemplateError(
            f"The user data would be {size:,} bytes, and EC2 takes {USER_DATA_LIMIT:,}: {parts}.",
            hint=f"Shorten {APP} by {size - USER_DATA_LIMIT:,} bytes or more.",
        )


def _refuse_large_template(template: bytes, texts: Mapping[str, str]) -> None:
    if len(template) > TEMPLATE_LIMIT:
        parts = ", ".join(f"{name} has {len(text.encode()):,}" for name, text in texts.items())
        raise TemplateError(
            f"build/{TEMPLATE} would be {len(template):,} bytes, and CloudFormation takes "
            f"{TEMPLATE_LIMIT:,}: {parts}.",
            hint=f"Shorten them by {len(template) - TEMPLATE_LIMIT:,} bytes or more.",
        )


def _warnings(script: str) -> list[str]:
    found = []
    if not script.startswith("#!"):
        found.append(f"{BOOT}, line 1: it does not begin with #!, so cloud-init will not run it.")
    if "\r\n" in script and not script.partition("\n")[0].endswith("\r"):  # else cloud-init mends them all
        line = script.count("\n", 0, script.index("\r")) + 1
        found.append(
            f"{BOOT}, line {line}: the line ends with a carriage return (Windows), which bash takes for text."
        )
    return found


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
