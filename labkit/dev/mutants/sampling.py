"""Choosing some mutants: every operator in every file gets its share.

What belongs here: the draw. What does not: which mutants there are.
"""

import math
import random
from collections.abc import Sequence

from labkit.dev.mutants.model import Mutant


def sample(mutants: Sequence[Mutant], count: int, seed: int) -> list[Mutant]:
    """`count` of them, the same for the same seed, in the order in which they stand.

    A stratum is an operator in a file. Its share grows with the square root of its size, so that hundreds of dropped
    properties leave room for the three ways to widen a rule; a larger sample of the same seed holds a smaller one.
    """
    strata: dict[tuple[str, str], list[Mutant]] = {}
    for mutant in mutants:
        strata.setdefault((mutant.operator, mutant.file), []).append(mutant)
    ranked: list[tuple[float, str]] = []
    for (operator, file), members in strata.items():
        rng = random.Random(f"{seed}/{operator}/{file}")
        drawn = rng.sample(members, len(members))
        weight = math.sqrt(len(members))
        ranked += [((number + rng.random()) / weight, mutant.id) for number, mutant in enumerate(drawn)]
    chosen = {name for _, name in sorted(ranked)[:count]}
    return [mutant for mutant in mutants if mutant.id in chosen]
