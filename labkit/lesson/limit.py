"""What a lab may cost an hour on AWS at the most: the course's limit, or the student's own.

What belongs here: comparing before anything costs. What does not: prices (labkit.deploy.planning.prices), the word AWS (agreeing).
"""

from labkit.base.errors import UsageError
from labkit.deploy.planning import prices
from labkit.lesson.context import Context
from labkit.lesson.steps.plan import instance_type

OPTION = "cost-limit"


def of(context: Context) -> float:
    """US dollars an hour; 0 for no limit."""
    asked = context.options.extra.get(OPTION)
    return context.manifest.cost_limit_cents / 100 if asked is None else float(asked)


def exceeded(context: Context) -> str:
    """Why what the files state may not be deployed; "" when it may."""
    limit, kind = of(context), instance_type(context, context.wanted_engine)
    cost = prices.cost(kind)
    if not limit or (cost is not None and cost.hour <= limit):
        return ""
    costs = "has no known price" if cost is None else f"would cost {cost.hour:.4f} USD an hour"
    return f"A lab with a server of the type {kind or 'that is not stated'} {costs}; the limit is {limit:g}."


def refuse(context: Context) -> None:
    """Return when the lab stays within the limit. Raises UsageError before anything is begun."""
    if why := exceeded(context):
        raise UsageError(
            why,
            hint="Nothing was started. Choose a smaller type in your file, or a limit of your own, in USD an hour (0: none):\n"
            "  ./lab deploy --cost-limit 0.10",
        )
