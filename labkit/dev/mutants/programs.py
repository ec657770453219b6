"""Operators on Python programs: each makes changes of one kind, at the exact place of a node.

What belongs here: the operators. What does not: configuration, scripts.
"""

import ast
import itertools
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labkit.dev.mutants.model import Change, removal

_COMPARISONS = {
    ast.Eq: ("==", ("!=",)), ast.NotEq: ("!=", ("==",)), ast.Lt: ("<", ("<=", ">")), ast.LtE: ("<=", ("<",)),
    ast.Gt: (">", (">=", "<")), ast.GtE: (">=", (">", "<")), ast.In: ("in", ("not in",)),
    ast.NotIn: ("not in", ("in",)), ast.Is: ("is", ("is not",)), ast.IsNot: ("is not", ("is",)),
}  # fmt: skip
_ARITHMETIC = {ast.Add: ("+", "-"), ast.Sub: ("-", "+"), ast.Mult: ("*", "+"), ast.Div: ("/", "*"), ast.BitOr: ("|", "&")}  # fmt: skip
_STATUSES = {200: (201, 500), 400: (500, 200), 500: (400, 502), 501: (500,), 504: (500, 502)}
_SIMPLE = (ast.Assign, ast.AnnAssign, ast.AugAssign, ast.Expr)
_KEPT = (ast.FunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom, ast.Pass)
_MODULE = "module"


def changes(text: str) -> Iterator[Change]:
    """All changes of one program, in the order of its nodes."""
    starts = tuple(itertools.accumulate(map(len, text.splitlines(keepends=True)), initial=0))
    return _Program(text, starts).changes()


@dataclass(frozen=True)
class _Program:
    text: str
    line_starts: tuple[int, ...]

    def changes(self) -> Iterator[Change]:
        yield from self._below(ast.parse(self.text), _MODULE)

    def _below(self, node: ast.AST, place: str) -> Iterator[Change]:
        if isinstance(node, ast.FunctionDef | ast.ClassDef):
            place = node.name if place == _MODULE else f"{place}.{node.name}"
        yield from self._of(node, place)
        for child in ast.iter_child_nodes(node):
            yield from self._below(child, place)

    def _of(self, node: ast.AST, place: str) -> Iterator[Change]:
        for body in (getattr(node, name, None) for name in ("body", "orelse", "finalbody")):
            if isinstance(body, list):
                yield from self._statements(body, place)
        match node:
            case ast.Compare():
                yield from self._comparison(node, place)
            case ast.BoolOp():
                yield from self._boolean(node, place)
            case ast.BinOp():
                yield from self._between(node.left, node.right, _ARITHMETIC.get(type(node.op)), place)
            case ast.Constant():
                yield from self._constant(node, place)
            case ast.JoinedStr():
                yield from self._formatted(node, place)
            case ast.Call():
                yield from self._call(node, place)
            case ast.Dict():
                yield from self._keys(node, place)
            case ast.ExceptHandler():
                yield from self._handler(node, place)
            case ast.FunctionDef():
                yield from self._decorators(node, place)
            case ast.With():
                yield from self._with(node, place)
            case ast.Return(value=ast.expr() as value) if not _is_none(value):
                yield self._replaced("return-changed", place, value, "None")
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            yield self._replaced("condition-negated", place, node.test, f"(not ({self._source(node.test)}))")

    # -- places -----------------------------------------------------------------------------------------------

    def _offset(self, line: int, column: int) -> int:
        """Python counts columns in bytes of UTF-8."""
        start, end = self.line_starts[line - 1 : line + 1]
        return start + len(self.text[start:end].encode()[:column].decode())

    def _span(self, node: ast.expr | ast.stmt | ast.keyword | ast.ExceptHandler) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self._offset(node.lineno, node.col_offset), self._offset(node.end_lineno, node.end_col_offset)

    def _source(self, node: ast.expr | ast.stmt | ast.keyword) -> str:
        start, end = self._span(node)
        return self.text[start:end]

    def _replaced(self, operator: str, place: str, node: ast.expr | ast.stmt, new: str) -> Change:
        start, end = self._span(node)
        before = " ".join(self.text[start:end].split())
        return Change(operator, place, start, end, new, f"{before[:24]}->{new}")

    def _cut(self, operator: str, place: str, start: int, end: int) -> Change:
        """Without this element of a list of things between commas."""
        cut_start, cut_end = removal(self.text, start, end)
        return Change(operator, place, cut_start, cut_end, "", " ".join(self.text[start:end].split()))

    # -- operators --------------------------------------------------------------------------------------------

    def _statements(self, body: Sequence[ast.AST], place: str) -> Iterator[Change]:
        statements = [each for each in body if isinstance(each, ast.stmt)]
        for statement in statements:
            if not isinstance(statement, _KEPT) and not _is_text(statement):
                yield self._replaced("statement-deleted", place, statement, "pass")
        for first, second in itertools.pairwise(statements):
            if isinstance(first, _SIMPLE) and isinstance(second, _SIMPLE) and not _is_text(first):
                (start, middle), (behind, end) = self._span(first), self._span(second)
                swapped = self.text[behind:end] + self.text[middle:behind] + self.text[start:middle]
                yield Change(
                    "statements-swapped", place, start, end, swapped, " ".join(self._source(first).split())
                )

    def _comparison(self, node: ast.Compare, place: str) -> Iterator[Change]:
        known, others = _COMPARISONS[type(node.ops[0])]
        for other in others:
            for change in self._between(node.left, node.comparators[0], (known, other), place):
                yield Change(**{**vars(change), "operator": "comparison-changed"})

    def _between(
        self, left: ast.expr, right: ast.expr, words: tuple[str, str] | None, place: str
    ) -> Iterator[Change]:
        """The operator between two expressions becomes another."""
        if words is None:
            return
        start, end = self._span(left)[1], self._span(right)[0]
        at = self.text.index(words[0], start, end)
        detail = f"{self._source(left)[-20:]} {words[0]}->{words[1]}"
        yield Change("arithmetic-changed", place, at, at + len(words[0]), words[1], detail)

    def _boolean(self, node: ast.BoolOp, place: str) -> Iterator[Change]:
        words = ("and", "or") if isinstance(node.op, ast.And) else ("or", "and")
        for left, right in itertools.pairwise(node.values):
            for change in self._between(left, right, words, place):
                yield Change(**{**vars(change), "operator": "condition-changed"})
        for number in range(len(node.values)):
            rest = [self._source(each) for n, each in enumerate(node.values) if n != number]
            joined = f" {words[0]} ".join(rest)
            yield self._replaced("operand-dropped", place, node, f"({joined})" if len(rest) > 1 else joined)

    def _constant(self, node: ast.Constant, place: str) -> Iterator[Change]:
        value = node.value
        if isinstance(value, bool):
            yield self._replaced("boolean-flipped", place, node, str(not value))
        elif isinstance(value, int):
            yield from self._number(node, value, place)
        elif isinstance(value, str | bytes) and value and (isinstance(value, bytes) or " " not in value):
            yield from self._longer(node, place)

    def _number(self, node: ast.Constant, value: int, place: str) -> Iterator[Change]:
        start, end = self.line_starts[node.lineno - 1 : node.lineno + 1]
        if value in _STATUSES:
            yield from (
                self._replaced("status-changed", place, node, str(other)) for other in _STATUSES[value]
            )
        elif re.search("seconds|timeout", self.text[start:end], re.IGNORECASE):
            others = sorted({1, value * 10} - {value})
            yield from (self._replaced("time-out-changed", place, node, str(other)) for other in others)
        else:
            others = sorted({value + 1, 0} - {value})
            yield from (self._replaced("constant-changed", place, node, str(other)) for other in others)

    def _longer(self, node: ast.expr, place: str) -> Iterator[Change]:
        """A text with one letter more; words for people, which have blanks, are nobody's promise."""
        source = self._source(node)
        if "\n" not in source and not source.endswith('"""'):
            yield self._replaced("text-changed", place, node, f"{source[:-1]}x{source[-1]}")

    def _formatted(self, node: ast.JoinedStr, place: str) -> Iterator[Change]:
        words = "".join(str(each.value) for each in node.values if isinstance(each, ast.Constant))
        if " " not in words:
            yield from self._longer(node, place)

    def _call(self, node: ast.Call, place: str) -> Iterator[Change]:
        arguments: list[ast.expr | ast.keyword] = [*node.args, *node.keywords]
        for argument in arguments:
            if len(arguments) > 1 or isinstance(argument, ast.keyword):
                yield self._cut("argument-dropped", place, *self._span(argument))
        if isinstance(node.func, ast.Attribute) and not arguments:
            yield self._replaced("call-dropped", place, node, self._source(node.func.value))
        elif isinstance(node.func, ast.Name) and node.args and node.func.id in ("str", "round"):
            yield self._replaced("call-dropped", place, node, self._source(node.args[0]))

    def _keys(self, node: ast.Dict, place: str) -> Iterator[Change]:
        for key, value in zip(node.keys, node.values, strict=True):
            if key is not None:
                yield self._cut("key-dropped", place, self._span(key)[0], self._span(value)[1])

    def _handler(self, node: ast.ExceptHandler, place: str) -> Iterator[Change]:
        if node.type is None:
            return
        if self._source(node.type) != "Exception":
            yield self._replaced("except-broadened", place, node.type, "Exception")
        if isinstance(node.type, ast.Tuple):
            for element in node.type.elts:
                yield self._cut("except-narrowed", place, *self._span(element))

    def _decorators(self, node: ast.FunctionDef, place: str) -> Iterator[Change]:
        for decorator in node.decorator_list:
            start, end = self._span(decorator)
            yield self._cut("decorator-dropped", place, start - 1, end)

    def _with(self, node: ast.With, place: str) -> Iterator[Change]:
        if all(item.optional_vars is None for item in node.items):
            start, end = self._span(node)[0], self._span(node.items[-1].context_expr)[1]
            yield Change("with-dropped", place, start, end, "if True", self.text[start:end])


def _is_none(node: ast.expr) -> bool:
    return isinstance(node, ast.Constant) and node.value is None


def _is_text(statement: ast.stmt) -> bool:
    """Whether this is a docstring."""
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
