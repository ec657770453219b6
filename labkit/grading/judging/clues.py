"""What a text of somebody's program, log or stack says went wrong: its one telling line, and what to try next.

What belongs here: finding the line of a traceback, a journal, a boot log, an event that names the failure, and the
table of failures that are known by name. What does not: where the texts come from (the probes), judging (the checks).
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from labkit.grading.judging.naming import cut


@dataclass(frozen=True)
class Clue:
    """A failure known by name: `name` in the words of whoever reports it, `hint` the next thing to do."""

    name: str
    hint: str


_ROLE = "compare what was asked for with what the role's policy allows: which action, on which ARN?"
_KEYS = "take access keys out of the code: the role gives the server its own, by the metadata service"
_CODE = (
    "the line names the value that it choked on: where does that come from?  ./lab logs server has the whole"
)
_REGION = "where is a region typed into a file? Take it from AWS_REGION"
_NETWORK = "follow the hops:  ./lab wire"
_UNIT = "compare the unit and the environment that it gives:  ./lab logs server"
_DATABASE = "the table refused the request itself: names in expressions (reserved words need #), the key's name and type"

#: (what it is known by, its name, the next thing to do); the first that fits
_KNOWN: tuple[tuple[str, str, str], ...] = (
    (r"gap [a-z-]{1,40} is not written yet|not written yet", "not written yet", "the answer names a gap: write it, deploy again"),
    (r"UnrecognizedClientException", "UnrecognizedClientException", _KEYS),
    (r"InvalidClientTokenId", "InvalidClientTokenId", _KEYS),
    (r"InvalidAccessKeyId", "InvalidAccessKeyId", _KEYS),
    (r"SignatureDoesNotMatch", "SignatureDoesNotMatch", _KEYS),
    (r"NoCredentialsError|Unable to locate credentials", "NoCredentialsError", "has the server an instance profile, and does its role trust ec2.amazonaws.com?"),
    (r"explicit deny", "an explicit deny", "which statement denies it: of the role, of the bucket?"),
    (r"AccessDenied|[Nn]ot authorized|UnauthorizedOperation", "AccessDenied", _ROLE),
    (r"ResourceNotFoundException", "ResourceNotFoundException", "which name does the service use, and which is in your outputs? In which region?"),
    (r"NoSuchBucket", "NoSuchBucket", "which bucket does the service use, and which is in your outputs?"),
    (r"BucketNotEmpty|bucket you tried to delete is not empty", "BucketNotEmpty", "a bucket is emptied by the kit when its name begins with your lab's own"),
    (r"PermanentRedirect|AuthorizationHeaderMalformed|IllegalLocationConstraint|NoRegionError", "another region", _REGION),
    (r"is a reserved (?:key)?word|reserved keyword", "a reserved word", _DATABASE),
    (r"ValidationException", "ValidationException", _DATABASE),
    (r"TooManyRequestsException|Rate Exceeded", "TooManyRequestsException", "what limits how many run at once (ReservedConcurrentExecutions)?"),
    (r"Task timed out|Sandbox\.Timedout", "Task timed out", "the function's own time-out came first: which of your time-outs is the shortest, and which should be?"),
    (r"ModuleNotFoundError|No module named", "ModuleNotFoundError", "the function and the server have what their runtime brings and what the boot script installs, no more"),
    (r"ImportError", "ImportError", "the function and the server have what their runtime brings and what the boot script installs, no more"),
    (r"does not have it|is none: this service", "a variable is missing", "the service's own environment lacks a variable (gap unit)"),
    (r"start-limit-hit|Start request repeated too quickly", "start-limit-hit", "systemd gave up: the program ends at once, each time. Why, says its journal:  ./lab logs server"),
    (r"[Aa]ddress already in use", "Address already in use", "two programs want the same port: which one is the service?"),
    (r"Failed to load environment files?|EnvironmentFile", "EnvironmentFile", "is the file that EnvironmentFile names still there after a boot? /run and /tmp are empty then"),
    (r"Unknown command verb", "Unknown command verb", "that verb of systemctl is not imitated here, or does not exist: put it into the unit itself"),
    (r"command not found", "command not found", "which package has this command, and is it installed before it is called?"),
    (r"No such file or directory|FileNotFoundError", "No such file or directory", "which step makes that file or folder, and does it come before?"),
    (r"Permission denied|PermissionError", "Permission denied", "as whom does it run, and who may do that?"),
    (r"IndentationError", "IndentationError", _CODE),
    (r"SyntaxError|syntax error", "a syntax error", _CODE),
    (r"unexpected end of file|unbound variable", "a shell error", _CODE),
    (r"invalid literal for int|ValueError", "ValueError", _CODE),
    (r"NameError", "NameError", "the name is defined nowhere that this program sees: inside the gap, or imported?"),
    (r"UnboundLocalError", "UnboundLocalError", _CODE),
    (r"AttributeError", "AttributeError", _CODE),
    (r"TypeError", "TypeError", _CODE),
    (r"KeyError", "KeyError", _CODE),
    (r"IndexError", "IndexError", _CODE),
    (r"UnicodeDecodeError", "UnicodeDecodeError", "an image is bytes: where is it taken for text?"),
    (r"JSONDecodeError", "JSONDecodeError", _CODE),
    (r"RecursionError", "RecursionError", _CODE),
    (r"MemoryError", "MemoryError", _CODE),
    (r"ConnectTimeoutError|ConnectTimeout|[Cc]onnect(?:ion)? timed? ?out", "a time-out while connecting", _NETWORK),
    (r"ReadTimeoutError|[Rr]ead timed? ?out", "a time-out while waiting for the answer", "the packet arrived: what does the server wait for?  ./lab logs server"),
    (r"[Cc]onnection refused", "Connection refused", "the packet arrived, and nobody listens there: is the service running, and on which address?"),
    (r"EndpointConnectionError|MaxRetryError|NewConnectionError", "no connection", _NETWORK),
    (r"not emulated", "not emulated", "on AWS this exists; the local cloud does not have it"),
    (r"InvalidAMIID|InvalidAMI", "InvalidAMIID", "an image id is of one region: take it from the parameter that the template has"),
    (r"DependencyViolation", "DependencyViolation", "what still uses it, and is it deleted before?"),
    (r"does not exist in the template|Unresolved (?:resource )?dependenc|undeclared resource|Unresolved reference", "an unknown reference", "the reference leads to nothing in the same file"),
    (r"Template format error|ValidationError", "ValidationError", "./lab plan names the line"),
    (r"InvalidParameter(?:Value|Combination)?|InvalidInput", "an invalid parameter", "read what AWS says of the value, then the resource's card:  ./lab what"),
    (r"no answer \(", "no answer", "does the service run?  ./lab logs server"),
)  # fmt: skip
_PATTERNS = tuple((re.compile(pattern), Clue(name, hint)) for pattern, name, hint in _KNOWN)

_FARTHEST = 20_000

#: lines that say nothing of the failure: cloud-init's own, commands that the shell repeats, a traceback's frames
_NOISE = re.compile(
    r"Cloud-init v\. |cloud-init\[|ci-info|^\++ |^Traceback \(most recent|^\s+File \"|^\s{2,}|^\s*$|^Created symlink|^Hint: |"
    r"^During handling of|^The above exception|util\.py\[|cc_scripts_user|Failed to run module scripts-user|Running module"
)
#: what stands before the words of a program in a journal: time, host, program and number
_JOURNAL = re.compile(
    r"^(?:[A-Z][a-z]{2} +\d{1,2} [\d:.]{5,15}|\d{4}-\d\d-\d\d[T ][\d:.,+Z-]{5,24}) (?:\S{1,80} )?[\w.@-]{1,80}(?:\[[^\]]{1,12}\])?: "
)
_SAYS = re.compile(
    r"^\s*[\w.]{0,80}(?:Error|Exception|Timeout)\b|\b[Ee]rror\b|\bERROR\b|[Ff]ailed|[Uu]nknown|[Ii]nvalid|usage:|Usage:|not found|cannot|can't|denied|refused"
)


def clue(text: str) -> Clue | None:
    """The failure that `text` names, when it is a known one."""
    return next((found for pattern, found in _PATTERNS if pattern.search(text, 0, _FARTHEST)), None)


def next_thing(text: str, otherwise: str = "") -> str:
    """What to try next after `text`; `otherwise` where nothing better is known."""
    found = clue(text)
    return found.hint if found else otherwise


def is_said(line: str) -> bool:
    """Whether a line is a program's own words: not cloud-init's, no repeated command, no frame of a traceback."""
    return not _NOISE.search(_JOURNAL.sub("", line))


def telling(lines: Iterable[str], limit: int = 160) -> str:
    """The one line that says what failed, of the program that failed; "" where nothing was said.

    Of several the last with a known failure in it, else the last that sounds like one, else the last at all. Lines of
    cloud-init, repeated commands and frames of a traceback say nothing; what a journal puts before a line is left out.
    """
    said = [_JOURNAL.sub("", line) for line in lines if is_said(line)]
    known = [line for line in said if clue(line)]
    failures = [line for line in said if _SAYS.search(line)]
    last = (known or failures or said or [""])[-1]
    return cut(last.strip(), limit)
