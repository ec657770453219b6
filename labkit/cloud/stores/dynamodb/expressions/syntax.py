"""The expressions of DynamoDB, read into trees: one grammar for all five kinds, each text parsed once and kept.

What belongs here: tokens and grammar. What does not: the trees (trees), what #names and :values stand for (binding),
and what a tree means for an item (conditions, updates, projections).

AWS: developer guide, "Expressions in DynamoDB"; "Service quotas" (4 KB, 300 operators, 100 members of IN).
"""

import functools
import re
from collections.abc import Callable
from typing import TypeVar

from labkit.cloud.stores.dynamodb.errors import DynamoError, invalid
from labkit.cloud.stores.dynamodb.expressions.trees import (
    Call,
    Clause,
    Comparison,
    Condition,
    Logical,
    Operand,
    Path,
    Placeholder,
    Sum,
)

LONGEST = 4096
_OPERATORS, _MEMBERS, _DEPTH, _LEVELS = 300, 100, 160, 32
_TOKENS = re.compile(r"\s*(?:([A-Za-z][A-Za-z0-9_]*|[#:][A-Za-z0-9_]+|[0-9]+|<>|<=|>=|[=<>(),.\[\]+-])|(\S))")
_WORDS = frozenset({"AND", "OR", "NOT", "BETWEEN", "IN", "SET", "REMOVE", "ADD", "DELETE"})
_COMPARATORS = frozenset({"=", "<>", "<", "<=", ">", ">="})
#: functions by the number of their operands
PREDICATES = {
    "attribute_exists": 1,
    "attribute_not_exists": 1,
    "attribute_type": 2,
    "begins_with": 2,
    "contains": 2,
}
VALUES = {"size": 1}
UPDATES = {"if_not_exists": 2, "list_append": 2}
#: which functions may be an operand of a function
_INSIDE = {
    "begins_with": VALUES,
    "contains": VALUES,
    "if_not_exists": UPDATES,
    "list_append": {"if_not_exists": 2},
}


Tree = TypeVar("Tree")


@functools.lru_cache(maxsize=4096)
def parse_condition(kind: str, text: str) -> Condition:
    """The tree of a ConditionExpression, FilterExpression or KeyConditionExpression. Raises DynamoError."""
    return _parse(kind, text, _Parser.condition)


@functools.lru_cache(maxsize=4096)
def parse_update(kind: str, text: str) -> tuple[Clause, ...]:
    """The clauses of an UpdateExpression. Raises DynamoError."""
    return _parse(kind, text, _Parser.update)


@functools.lru_cache(maxsize=4096)
def parse_projection(kind: str, text: str) -> tuple[Path, ...]:
    """The paths of a ProjectionExpression. Raises DynamoError."""
    return _parse(kind, text, _Parser.projection)


def _parse(kind: str, text: str, rule: "Callable[[_Parser], Tree]") -> Tree:
    if not text.strip():
        raise invalid(f"Invalid {kind}: The expression can not be empty;")
    size = len(text.encode())
    if size > LONGEST:
        raise invalid(
            f"Invalid {kind}: Expression size has exceeded the maximum allowed size; expression size: {size}"
        )
    parser = _Parser(kind, text)
    tree = rule(parser)
    if parser.token:
        raise parser.syntax_error()
    return tree


def _joined(word: str, conditions: list[Condition]) -> Condition:
    return conditions[0] if len(conditions) == 1 else Logical(word, tuple(conditions))


class _Parser:
    """Reads one expression from left to right."""

    def __init__(self, kind: str, text: str) -> None:
        self._kind = kind
        self._text = text
        self._found = list(_TOKENS.finditer(text))
        self._at = 0
        self._operators = 0
        self._depth = 0
        self._grouped: Condition | None = None  # the newest condition that stands in parentheses

    # -- tokens --------------------------------------------------------------------------------------------

    @property
    def token(self) -> str:
        """The next token, "" at the end."""
        return self._peek(0)

    def _peek(self, ahead: int) -> str:
        place = self._at + ahead
        return self._found[place].group().strip() if place < len(self._found) else ""

    @property
    def _word(self) -> str:
        """The next token as a keyword."""
        return self.token.upper()

    def _next(self) -> str:
        token = self.token
        self._at += 1
        return token

    def _take(self, token: str) -> bool:
        if self._word != token:
            return False
        self._at += 1
        return True

    def _expect(self, token: str) -> None:
        if not self._take(token):
            raise self.syntax_error()

    def syntax_error(self) -> DynamoError:
        """The next token can't stand where it stands."""
        first, last = max(0, self._at - 1), min(len(self._found) - 1, self._at + 1)
        near = self._text[self._found[first].start() : self._found[last].end()].strip() if self._found else ""
        return self.error(f'Syntax error; token: "{self.token or "<EOF>"}", near: "{near}"')

    def error(self, words: str) -> DynamoError:
        """What is wrong with this expression."""
        return invalid(f"Invalid {self._kind}: {words}")

    def _count(self) -> None:
        self._operators += 1
        if self._operators > _OPERATORS:
            words = "The expression contains too many operators; operator count:"
            raise self.error(f"{words} {self._operators}")

    # -- conditions ----------------------------------------------------------------------------------------

    def condition(self) -> Condition:
        """Anything that is true or false; OR binds least. (One function: each level of parentheses costs a few frames.)"""
        alternatives: list[Condition] = []
        while not alternatives or self._take_operator("OR"):
            together = [self._negation()]
            while self._take_operator("AND"):
                together.append(self._negation())
            alternatives.append(_joined("AND", together))
        return _joined("OR", alternatives)

    def _take_operator(self, word: str) -> bool:
        taken = self._take(word)
        if taken:
            self._count()
        return taken

    def _negation(self) -> Condition:
        negations = 0
        while self._take_operator("NOT"):
            negations += 1
        condition = self._in_parentheses() if self.token == "(" else self._comparison()
        for _ in range(negations):
            condition = Logical("NOT", (condition,))
        return condition

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > _DEPTH:
            raise self.error("The expression is nested too deeply;")

    def _comparison(self) -> Condition:
        operand = self._operand()
        comparator = self._word
        if comparator in _COMPARATORS:
            self._next()
            self._count()
            return Comparison(comparator, (operand, self._operand()))
        if self._take("BETWEEN"):
            self._count()
            low = self._operand()
            self._expect("AND")
            return Comparison("BETWEEN", (operand, low, self._operand()))
        if self._take("IN"):
            self._count()
            return Comparison("IN", (operand, *self._members()))
        if isinstance(operand, Call) and operand.function in PREDICATES:
            return operand
        if isinstance(operand, Call):
            raise self._misused(operand.function)
        raise self.syntax_error()

    def _in_parentheses(self) -> Condition:
        self._expect("(")
        self._deeper()
        condition = self.condition()
        self._expect(")")
        self._depth -= 1
        if condition is self._grouped:
            raise self.error("The expression has redundant parentheses;")
        self._grouped = condition
        return condition

    def _members(self) -> list[Operand]:
        self._expect("(")
        members = [self._operand()]
        while self._take(","):
            members.append(self._operand())
        self._expect(")")
        if len(members) > _MEMBERS:
            words = "The IN operator is provided with too many operands; number of operands:"
            raise self.error(f"{words} {len(members)}")
        return members

    def _misused(self, function: str) -> DynamoError:
        return self.error(
            f"The function is not allowed to be used this way in an expression; function: {function}"
        )

    # -- operands ------------------------------------------------------------------------------------------

    def _operand(self) -> Operand:
        token = self.token
        if token.startswith(":") and len(token) > 1:
            return Placeholder(self._next())
        if token == "(":
            return self._operand_in_parentheses()
        if self._peek(1) == "(" and self._is_name(token):
            return self._call()
        return self._path()

    def _operand_in_parentheses(self) -> Operand:
        self._expect("(")
        self._deeper()
        operand = self._sum() if self._kind == "UpdateExpression" else self._operand()
        self._depth -= 1
        self._expect(")")
        return operand

    @staticmethod
    def _is_name(token: str) -> bool:
        return token[:1].isalpha() and token.upper() not in _WORDS

    def _call(self) -> Call:
        name = self._next()
        self._expect("(")
        self._deeper()
        operands = [self._operand()] if self.token != ")" else []
        while self._take(","):
            operands.append(self._operand())
        self._expect(")")
        self._depth -= 1
        self._count()
        self._check_call(name, operands)
        return Call(name, tuple(operands))

    def _check_call(self, name: str, operands: list[Operand]) -> None:
        known = {**PREDICATES, **VALUES, **UPDATES}
        if name not in known:
            raise self.error(f"Invalid function name; function: {name}")
        updating = self._kind == "UpdateExpression"
        if updating != (name in UPDATES):
            where = "an update expression" if updating else "a condition expression"
            raise self.error(f"The function is not allowed in {where}; function: {name}")
        if len(operands) != known[name]:
            words = "Incorrect number of operands for operator or function; operator or function:"
            raise self.error(f"{words} {name}, number of operands: {len(operands)}")
        inner = _INSIDE.get(name, {})
        for each in operands:
            if isinstance(each, Call) and each.function not in inner:
                raise self._misused(each.function)

    def _path(self) -> Path:
        elements: list[str | int] = [self._path_name()]
        while self.token in (".", "["):
            if self._take("."):
                elements.append(self._path_name())
            else:
                self._expect("[")
                if not (self.token.isascii() and self.token.isdigit()):
                    raise self.syntax_error()
                elements.append(self._index(self._next()))
                self._expect("]")
        if len(elements) > _LEVELS:
            words = "The document path has too many nesting levels; nesting levels:"
            raise self.error(f"{words} {len(elements)}")
        return Path(tuple(elements))

    def _index(self, digits: str) -> int:
        index = int(digits)
        if index >= 1 << 31:
            raise self.error(f"List index is not within the allowable range; index: [{digits}]")
        return index

    def _path_name(self) -> str:
        token = self.token
        if not (self._is_name(token) or (token.startswith("#") and len(token) > 1)):
            raise self.syntax_error()
        return self._next()

    # -- updates and projections ---------------------------------------------------------------------------

    def update(self) -> tuple[Clause, ...]:
        """SET, REMOVE, ADD, DELETE, each at most once."""
        clauses: list[Clause] = []
        seen: set[str] = set()
        while self.token:
            section = self._word
            if section not in ("SET", "REMOVE", "ADD", "DELETE"):
                raise self.syntax_error()
            if section in seen:
                words = f'The "{section}" section can only be used once in an update expression;'
                raise self.error(words)
            seen.add(section)
            self._next()
            clauses += self._clauses(section)
        return tuple(clauses)

    def _clauses(self, section: str) -> list[Clause]:
        clauses = [self._clause(section)]
        while self._take(","):
            clauses.append(self._clause(section))
        return clauses

    def _clause(self, section: str) -> Clause:
        path = self._path()
        if section == "REMOVE":
            return Clause(section, path)
        if section == "SET":
            self._expect("=")
            return Clause(section, path, self._sum())
        if not self.token.startswith(":"):
            raise self.syntax_error()
        return Clause(section, path, Placeholder(self._next()))

    def _sum(self) -> Operand:
        left = self._operand()
        if self.token not in ("+", "-"):
            return left
        self._count()
        return Sum(self._next(), left, self._operand())

    def projection(self) -> tuple[Path, ...]:
        """Paths, one or more."""
        paths = [self._path()]
        while self._take(","):
            paths.append(self._path())
        return tuple(paths)
