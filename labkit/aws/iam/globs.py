"""Sets of texts that policies' patterns describe: is anything left of some when others are taken away?

What belongs here: that question, answered exactly, with a text that proves it. What does not: what the
patterns stand for (analysis), and whether one text matches one pattern (matching).

Each pattern is an automaton whose states are how many of its characters have been read; a set of states is the
bits of a number. The automata are walked side by side, the shortest texts first.
"""

from collections import deque
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from labkit.aws.iam.matching import matches, plain

#: sets of states that are looked at for one question, and for all questions of one searcher, before it gives up
MOST, MOST_OF_ALL = 5_000, 200_000
#: characters that stand for all those which no pattern names, the first that is free
_OTHERS = "xyzabcdefghijklmnopqrstuvw0123456789_"

_Groups = tuple[tuple[str, ...], ...]


class Undecided(Exception):
    """There are too many ways to combine the patterns: no answer within the limits."""


class Searcher:
    """Finds texts between patterns; keeps what it found, and has a limit for all its questions together."""

    def __init__(self) -> None:
        self._left = MOST_OF_ALL
        self._known: dict[tuple[_Groups, tuple[str, ...]], str | None] = {}

    def witness(self, inside: Sequence[Sequence[str]], outside: Sequence[str] = ()) -> str | None:
        """A text that matches some pattern of each group of `inside` and none of `outside`; None: no text does.

        Raises Undecided when that can't be told within the limits.
        """
        guess = next((text for text in _guesses(inside) if _fits(text, inside, outside)), None)
        if guess is not None or "*" in outside:
            return guess
        question = (tuple(map(tuple, inside)), tuple(outside))
        if question not in self._known:
            self._known[question] = self._walk(*question)
        return self._known[question]

    def _walk(self, inside: _Groups, outside: tuple[str, ...]) -> str | None:
        walk = _Walk(inside, outside)
        try:
            return walk.shortest(min(MOST, self._left))
        finally:
            self._left -= len(walk.seen)


def _guesses(inside: Sequence[Sequence[str]]) -> Iterator[str]:
    """The patterns with something simple for each wildcard: mostly that is a text, and the search is spared."""
    other = _OTHERS[0]
    yield from (plain(each.replace("*", other).replace("?", other)) for group in inside for each in group)


def _fits(text: str, inside: Sequence[Sequence[str]], outside: Sequence[str]) -> bool:
    taken = any(matches(each, text) for each in outside)
    return not taken and all(any(matches(each, text) for each in group) for group in inside)


class _Automaton:
    """One pattern. Bit i of a set of states: the first i characters besides * have been read."""

    def __init__(self, pattern: str) -> None:
        self.loops, self.any, self.masks, length = 0, 0, dict[str, int](), 0
        for character in pattern:
            if character == "*":
                self.loops |= 1 << length
                continue
            if character == "?":
                self.any |= 1 << length
            else:
                name = plain(character)
                self.masks[name] = self.masks.get(name, 0) | 1 << length
            length += 1
        self.end = 1 << length

    def step(self, states: int, character: str) -> int:
        return (states & self.loops) | ((states & (self.masks.get(character, 0) | self.any)) << 1)

    def wanted(self, states: int) -> Iterator[str]:
        """The characters that lead on from these states."""
        return (name for name, mask in self.masks.items() if states & mask)


@lru_cache(maxsize=4096)
def _automaton(pattern: str) -> _Automaton:
    return _Automaton(pattern)


class _Walk:
    """All automata of one question, from their beginning."""

    def __init__(self, inside: _Groups, outside: tuple[str, ...]) -> None:
        self._every = [_automaton(each) for group in (*inside, outside) for each in group]
        self._ends = [slice(n - len(g), n) for n, g in zip(accumulate(map(len, inside)), inside, strict=True)]
        self._taken = slice(sum(map(len, inside)), None)
        names = {name for each in self._every for name in each.masks}
        self._other = next((c for c in _OTHERS if c not in names), "\ue0ff")
        self._start = (1,) * len(self._every)
        self.seen = {self._start}

    def shortest(self, most: int) -> str | None:
        """The first text that is found; None when there is none. Raises Undecided after `most` sets of states."""
        queue = deque([(self._start, "")])
        while queue:
            states, text = queue.popleft()
            if self._accepts(states):
                return text
            for character in self._letters(states):
                new = tuple(each.step(s, character) for each, s in zip(self._every, states, strict=True))
                if new not in self.seen and all(any(new[part]) for part in self._ends):
                    self.seen.add(new)
                    queue.append((new, text + character))
            if len(self.seen) > most:
                raise Undecided
        return None

    def _letters(self, states: tuple[int, ...]) -> list[str]:
        leading = {c for each, s in zip(self._every, states, strict=True) if s for c in each.wanted(s)}
        return [*sorted(leading), self._other]

    def _accepts(self, states: tuple[int, ...]) -> bool:
        hit = [bool(s & each.end) for s, each in zip(states, self._every, strict=True)]
        return all(any(hit[part]) for part in self._ends) and not any(hit[self._taken])
