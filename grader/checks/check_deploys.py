"""Line deploys."""

from labkit.deploy.model import OUTPUTS
from labkit.grading.api import Failed, Lab


def check(lab: Lab) -> None:
    """One command makes everything from nothing, and tells all outputs.

    Infrastructure as code means: the files are enough. Nobody has to click anything.
    """
    standing = lab.system.deployment
    if standing.status != "complete":
        raise Failed(
            f"your files do not deploy into an empty cloud: {standing.reason or standing.status}",
            hint="mend what is named first; what comes after it was only cancelled",
            expected="complete", found=standing.status,
        )  # fmt: skip
    missing = [name for name in OUTPUTS if not lab.outputs.get(name)]
    if missing:
        raise Failed(
            f"your deployment tells no {', no '.join(missing)}",
            hint="compare the outputs of your template with those of a fresh one",
            expected=", ".join(OUTPUTS), found=", ".join(name for name in OUTPUTS if name not in missing),
        )  # fmt: skip
    functions = lab.aws(
        lab.clients.client("lambda").get_function, FunctionName=lab.output("LambdaFunctionName")
    )
    if not isinstance(functions, dict) or functions["Configuration"]["FunctionArn"] != lab.output(
        "LambdaFunctionArn"
    ):
        raise Failed(
            "your outputs name a function that does not exist",
            hint="LambdaFunctionName and LambdaFunctionArn refer to the same function",
            expected=lab.output("LambdaFunctionArn"), found=lab.output("LambdaFunctionName"),
        )  # fmt: skip


#: it only reads
live = check
