"""Step 10: delete everything and prove it by listing.

What belongs here: this step's work and checks. What does not: how a stack is deleted (labkit.deploy).
"""

from labkit.deploy import survivors
from labkit.lesson.context import Context
from labkit.lesson.model import CheckResult, StepResult


def run(context: Context) -> StepResult:
    """Empty the lab's buckets, delete the stack, list what is left."""
    variant = context.workspace.variant
    for bucket in survivors.buckets_named(context.clients, variant.name):
        count = survivors.empty_bucket(context.clients, bucket)
        if count:
            context.note(f"emptied the bucket {bucket}: {count} objects and versions")
    context.engine.destroy()
    _delete_late_log_groups(context, variant.name)
    context.workspace.save_deployed(engine="cloudformation", target="local", outputs={})
    return check(context)


def check(context: Context) -> StepResult:
    """Nothing of this lab is left: looked for by name and by tag, in every service it used."""
    variant = context.workspace.variant
    left = survivors.find(context.clients, prefix=variant.name, tag_value=variant.code)
    found = "; ".join(f"{s.kind} {s.identifier} (by {s.found_by})" for s in left)
    return StepResult(
        (
            CheckResult(
                "nothing is left", not left, f"still there: {found}" if left else "",
                hint="Run the step again:  ./lab destroy" if left else "", expected="nothing", found=found,
            ),
        )
    )  # fmt: skip


def _delete_late_log_groups(context: Context, prefix: str) -> None:
    """Lambda makes a missing log group by itself, also after the stack's own was deleted."""
    logs = context.clients.client("logs")
    for page in logs.get_paginator("describe_log_groups").paginate(
        logGroupNamePrefix=f"/aws/lambda/{prefix}"
    ):
        for group in page["logGroups"]:
            logs.delete_log_group(logGroupName=group["logGroupName"])
            context.note(f"deleted the log group {group['logGroupName']}")
