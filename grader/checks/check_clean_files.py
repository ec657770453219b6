"""Line clean-files."""

import re
from collections.abc import Iterator

from labkit.grading.api import Failed, Lab

_CODE = (".tf", ".yaml", ".yml", ".py", ".sh", ".toml", ".json.tpl")
_SECRETS = (
    ("an access key", r"\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"),
    ("a secret key", r"(?i)aws_secret_access_key\s*[:=]\s*[\"']?[A-Za-z0-9/+]{40}\b"),
    ("a session token", r"(?i)aws_session_token\s*[:=]\s*[\"']?[A-Za-z0-9/+=]{60,}"),
    ("a private key", r"-----BEGIN (?:[A-Z]+ )?PRIVATE KEY-----"),
)
_ACCOUNT = r"(?<![\w.-])\d{12}(?![\w.-])|(?<=:)\d{12}(?=:)"


def check(lab: Lab) -> None:
    """Your files hold no keys, no account number, and nobody else's values.

    A key in a file is a key on the internet; an account number ties the template to one account.
    """
    if not any(name.endswith(_CODE) for name in lab.files):
        raise Failed(
            "no files were handed in",
            hint="pack your work:  ./lab submit",
            expected="your files",
            found="none",
        )
    for name, text in sorted(lab.files.items()):
        for number, line in enumerate(text.splitlines(), 1):
            found = next(_findings(lab, name, line), "")
            if found:
                raise Failed(
                    f"{name}, line {number} holds {found}", hint="take it out, and let AWS fill it in (a reference, "
                    "a role, AWS::AccountId)", expected="none", found=f"{found} in {name}, line {number}",
                )  # fmt: skip


def _findings(lab: Lab, name: str, line: str) -> Iterator[str]:
    yield from (what for what, pattern in _SECRETS if re.search(pattern, line))
    if not name.endswith(_CODE):
        return
    if re.search(_ACCOUNT, line):
        yield "an account number"
    if any(code != lab.variant.code for code in re.findall(r"\bhybrid-([a-z2-7]{6})\b", line)):
        yield "another student's name"
    if any(token != lab.variant.lab_token for token in re.findall(r"\b[0-9a-f]{20}\b", line)):
        yield "another student's token"
