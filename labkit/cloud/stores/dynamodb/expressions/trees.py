"""What the expressions of DynamoDB say, as trees.

What belongs here: the trees. What does not: reading them out of text (syntax), and what they mean for an item
(conditions, updates, projections).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Path:
    """A document path: names (or their placeholders, with #) and list indexes; the first is a name."""

    elements: tuple[str | int, ...]


@dataclass(frozen=True)
class Placeholder:
    """A value's placeholder, with its colon."""

    name: str


@dataclass(frozen=True)
class Call:
    """A function and its operands."""

    function: str
    operands: tuple["Operand", ...]


@dataclass(frozen=True)
class Sum:
    """The addition (+) or subtraction (-) of two operands."""

    operator: str
    left: "Operand"
    right: "Operand"


Operand = Path | Placeholder | Call | Sum


@dataclass(frozen=True)
class Comparison:
    """Operands with a comparator, BETWEEN or IN between the first and the rest."""

    operator: str
    operands: tuple[Operand, ...]


@dataclass(frozen=True)
class Logical:
    """AND, OR of several conditions, NOT of one."""

    operator: str
    conditions: tuple["Condition", ...]


Condition = Comparison | Logical | Call


@dataclass(frozen=True)
class Clause:
    """One action of an update expression; REMOVE has no operand."""

    section: str
    path: Path
    operand: Operand | None = None
