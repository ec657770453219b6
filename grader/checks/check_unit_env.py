"""Line unit-env."""

from collections.abc import Mapping

from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """The running service sees region, bucket, table, token and port.

    systemd gives a program an environment of its own: what the boot script exported does not reach it.
    """
    application = lab.server.application()
    if application is None:
        raise Failed(
            f"no program listens on port {lab.variant.port} of your server", hint="./lab logs server",
            expected=f"a service on port {lab.variant.port}", found="nobody", evidence=lab.server.journal(lines=6),
        )  # fmt: skip
    seen = application.environment
    missing = [name for name, values in _wanted(lab).items() if not _sees(seen, name, values)]
    if missing:
        raise Failed(
            f"the service does not see {', '.join(missing)}",
            hint="gap unit: where does a unit get its environment from?",
            expected=", ".join(_wanted(lab)), found=f"the service sees {' '.join(sorted(seen))}",
        )  # fmt: skip


def _wanted(lab: Lab) -> Mapping[str, str]:
    return {
        "AWS_REGION": lab.region, "S3_BUCKET": lab.output("BucketName"), "DYNAMODB_TABLE": lab.output("TableName"),
        "LAB_TOKEN": lab.variant.lab_token, "PORT": str(lab.variant.port),
    }  # fmt: skip


def _sees(seen: Mapping[str, str], name: str, value: str) -> bool:
    names = (name, "AWS_DEFAULT_REGION") if name == "AWS_REGION" else (name,)
    return any(seen.get(each) == value for each in names)
