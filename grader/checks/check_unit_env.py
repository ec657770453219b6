"""Line unit-env."""

from collections.abc import Mapping

from labkit.grading.api import Failed, Lab, cut
from labkit.grading.judging.clues import next_thing, telling


def check(lab: Lab) -> None:
    """The running service sees region, bucket, table, token and port.

    systemd gives a program an environment of its own: what the boot script exported does not reach it.
    """
    application = lab.server.application()
    if application is None:
        line = telling(lab.server.journal(lines=60))
        raise Failed(
            f"no program listens on port {lab.variant.port} of your server by IPv4" + (f": {line}" if line else ""),
            hint=next_thing(line, "what became of the service?  ./lab logs server"),
            expected=f"a service on port {lab.variant.port}", found="nobody", evidence=lab.server.journal(lines=6),
        )  # fmt: skip
    seen = application.environment
    wrong = [_wrong(seen, name, value) for name, value in _wanted(lab).items()]
    if any(wrong):
        others = any(name in seen for name in _wanted(lab))
        raise Failed(
            "; ".join(each for each in wrong if each),
            hint="gap unit: compare each value, letter for letter, with your outputs" if others
            else "gap unit: where does a unit get its environment from?",
            expected=", ".join(_wanted(lab)), found=f"the service sees {' '.join(sorted(seen))}",
        )  # fmt: skip


def _wrong(seen: Mapping[str, str], name: str, wanted: str) -> str:
    """Why the service does not know this value, "" when it does. AWS_DEFAULT_REGION serves as well as AWS_REGION."""
    names = (name, "AWS_DEFAULT_REGION") if name == "AWS_REGION" else (name,)
    values = [seen[each] for each in names if each in seen]
    if wanted in values:
        return ""
    return (
        f"the service sees another {name}: {cut(values[0], 80)!r}"
        if values
        else f"the service does not see {name}"
    )


def _wanted(lab: Lab) -> Mapping[str, str]:
    return {
        "AWS_REGION": lab.region, "S3_BUCKET": lab.output("BucketName"), "DYNAMODB_TABLE": lab.output("TableName"),
        "LAB_TOKEN": lab.variant.lab_token, "PORT": str(lab.variant.port),
    }  # fmt: skip
