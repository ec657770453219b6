"""The word AWS: typed once for an account, before anything there costs.

What belongs here: what is said before, and when it is not asked again. What does not: reading the keyboard (labkit.cli).
"""

from collections.abc import Iterator

from labkit.base.errors import UsageError
from labkit.deploy.planning import prices
from labkit.lesson import aws, limit, preflight
from labkit.lesson.context import Context
from labkit.lesson.steps.plan import instance_type

WORD = "AWS"


def agree(context: Context) -> None:
    """Return when this account may be charged: agreed to before, now, or by `--yes`; and remember where this is.

    What would fail there is said first.

    Raises UsageError when it would cost more than the limit, another word is typed, or nobody is there.
    """
    limit.refuse(context)
    arrival, workspace = context.arrival, context.workspace
    preflight.warn(context)
    if not (context.options.yes or aws.has_agreed(workspace, arrival.holder)):
        typed = context.ask(list(words(context)))
        if typed.strip() != WORD:
            raise UsageError(
                f"Nothing was started: that was not the word {WORD}.",
                hint="At home it costs nothing:  --target local",
            )
    aws.remember(workspace, arrival)


def words(context: Context) -> Iterator[str]:
    """Whose account, until when, and for how much."""
    holder = context.arrival.holder
    yield f"From here on it is {context.target_words}: account …{holder.account[-4:]}."
    yield f"  session   {aws.left(holder)}"
    cost = prices.cost(instance_type(context, context.wanted_engine))
    told = "its type of instance is not in the price table: look it up"
    if cost is not None:
        told = f"about {cost.hour:.4f} USD an hour, {cost.week:.2f} USD for a forgotten week"
    yield f"  costs     {told}"
    yield f"            (list prices of {prices.DATE} in {prices.REGION}; until  ./lab destroy  has said that nothing is left)"
    yield f"Type {WORD} to go on:"
