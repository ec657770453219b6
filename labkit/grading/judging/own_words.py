"""What may be told where somebody else's secret is near: sentences of the grader's own, and nothing else.

Where the student's text was judged in the reference system, everything that comes out of that system may hold the
reference's text, packed or spelt in any way; where hidden lines were tried before, it may hold their inputs. Comparing
can't find that. So of such a verdict only what stands in the grader's own source is told: a sentence may have values in
it, and those are the student's own (name, port …) or words of the same source file. At most two sentences, and the
name of a known failure (clues): whatever a program does, it chooses among these.

What belongs here: that filter. What does not: when it is used (session).
"""

import ast
import functools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from labkit.grading.judging.clues import clue
from labkit.grading.model import Verdict

_SENTENCES = 2
_NAMED, _NOT_TRIED = 3, "it can't be tried"
_INSIDE = "what a gap needs belongs inside it; what stands outside counts where the whole works"
#: the longest word of a source file that may stand for a value, and the least of a sentence that is told cut off
_LONGEST_WORD, _LEAST = 60, 8
_BOUNDARY = ("; ", ": ", " (")


@dataclass(frozen=True)
class _Sentence:
    """One text in a source file: what is fixed, with None for each value; and the words that may be values."""

    parts: tuple[str | None, ...]
    words: tuple[str, ...]

    def match(self, text: str, place: int, values: Sequence[str]) -> tuple[int, bool]:
        """Where this sentence, begun at `place` of `text`, ends or stops to fit (-1: it never did), and whether all is there."""
        value_at = -1
        for part in self.parts:
            if part is None:
                value_at = place
                fits = (each for each in (*values, *self.words) if text.startswith(each, place))
                place += len(max(fits, key=len, default=""))
                if place == value_at:
                    return place, False
            elif text.startswith(part, place):
                place += len(part)
            else:
                return value_at, False
        return (place, True) if _is_boundary(text, place) else (value_at, False)


@dataclass(frozen=True)
class OwnWords:
    """The sentences of some source files, with the values that may stand in any of them."""

    sentences: tuple[_Sentence, ...]
    values: tuple[str, ...] = ()

    @classmethod
    def of(cls, files: Iterable[Path], values: Iterable[str]) -> "OwnWords":
        """Those of these Python files. Raises OSError, SyntaxError for files that can't be read."""
        found = tuple(sentence for file in files for sentence in _sentences(file))
        return cls(found, tuple(sorted({each for each in values if each}, key=len, reverse=True)))

    def beginning(self, text: str) -> str:
        """The longest beginning of `text` that is the grader's own, "…" where something is left out; "" for none."""
        place = 0
        for number in range(_SENTENCES):
            end, whole = self._longest(text, place)
            if end <= place:
                return f"{text[: place - 2]}; …" if number else ""
            if not whole and not text.startswith("; ", end - 2):
                return _cut_off(text[:end])
            end -= 0 if whole else 2
            if end == len(text):
                return text
            if not text.startswith("; ", end):
                return text[:end] if text.startswith(": ", end) else f"{text[:end]} …"
            place = end + 2
        return f"{text[: place - 2]}; …"

    def whole(self, text: str) -> str:
        """`text` when all of it is the grader's own, else ""."""
        return text if self.beginning(text) == text else ""

    def quiet(self, verdict: Verdict) -> Verdict:
        """The verdict without anything that is not the grader's own; who reads a failure learns the known one it names."""
        verdict = replace(verdict, notes=tuple(filter(None, map(self.beginning, verdict.notes))))
        if verdict.outcome == "passed":
            return verdict
        if verdict.outcome == "not judged":
            return replace(verdict, reason=verdict.reason.partition(":")[0], hint="", expected="", found="")
        seen = (verdict.reason, verdict.found, *verdict.evidence)
        known = next((found for text in seen if (found := clue(text))), None)
        own = self.beginning(verdict.reason) or "it does not hold"
        reason = f"{own} ({known.name})" if known and known.name not in own else own
        return replace(
            verdict,
            reason=reason,
            hint=self.whole(verdict.hint),
            expected=self.whole(verdict.expected),
            found="",
            evidence=(),
        )

    def alone(self, before: Verdict, verdict: Verdict, helpers: Sequence[str]) -> Verdict:
        """A quiet verdict alone, with what may be told besides: `helpers` of the student's text outside the gap, without
        which it was judged, and what was seen `before` as submitted, in a system that holds the student's text only.

        Where both saw the same, that is the attempt as submitted itself.
        """
        if verdict.outcome != "failed":
            return verdict
        if helpers:
            names = ", ".join(helpers[:_NAMED])
            reason = (
                f"{verdict.reason}; judged without what your gap uses and what stands outside it: {names}"
            )
            return replace(verdict, reason=reason, hint=_INSIDE)
        if before.outcome != "failed" or before.reason.startswith(_NOT_TRIED):
            return verdict
        if before.fraction == verdict.fraction and self.quiet(before).reason == verdict.reason:
            return before
        return replace(verdict, evidence=(f"as submitted: {before.reason}",))

    def _longest(self, text: str, place: int) -> tuple[int, bool]:
        """The end of the longest sentence at `place`, and whether it is whole; (place, False) for none."""
        matches = (sentence.match(text, place, self.values) for sentence in self.sentences)
        return max(
            ((end, whole) for end, whole in matches if whole or end - place >= _LEAST), default=(place, False)
        )


def _is_boundary(text: str, place: int) -> bool:
    return place == len(text) or text.startswith(_BOUNDARY, place)


def _cut_off(text: str) -> str:
    """A sentence that ends before a value that is not told."""
    bare = text.rstrip(" '\"`(")
    return bare.rstrip(":") if bare.endswith(":") else f"{bare} …"


@functools.cache
def _sentences(file: Path) -> tuple[_Sentence, ...]:
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    with_values = [node for node in nodes if isinstance(node, ast.JoinedStr)]
    not_alone = {id(part) for node in with_values for part in node.values}
    not_alone |= {id(node.value) for node in nodes if isinstance(node, ast.Expr)}  # docstrings
    texts = {node.value for node in nodes if isinstance(node, ast.Constant) and id(node) not in not_alone}
    fixed = sorted(text for text in texts if isinstance(text, str) and re.search(r"\w", text))
    words = tuple(text for text in fixed if len(text) <= _LONGEST_WORD)
    return (
        *(_Sentence((text,), ()) for text in fixed if len(text) >= _LEAST),
        *(_Sentence(tuple(_parts(node)), words) for node in with_values),
    )


def _parts(node: ast.JoinedStr) -> Iterator[str | None]:
    for part in node.values:
        yield part.value if isinstance(part, ast.Constant) and isinstance(part.value, str) else None
