"""Which hand-ins are alike: a signal for a person to look at, and no verdict.

What belongs here: what is compared (the texts of gaps, own values taken out), candidates, and whose values a file holds. What
does not: fingerprints (the library copydetect: winnowing, after Schleimer, Wilkerson and Aiken), marks.

The starter's text and the reference's are left out, and so is what many of the class have: short gaps have few right answers.
"""

import io
import re
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from labkit.base.errors import LabError
from labkit.base.html import template_beside
from labkit.classroom.handins import HandIn
from labkit.course.manifest import Manifest
from labkit.course.markers import bodies
from labkit.course.rendering import Renderer
from labkit.course.variant import make_variant
from labkit.grading.intake import intake

#: tokens that make a passage, and the window of which one fingerprint is kept: passages of K + WINDOW - 1 are always found
K, WINDOW = 25, 10
#: what more of the class have than this share (and more than three) is common, and tells nothing
_COMMON = 0.1
_MOST_PAIRS = 200
_CODE = re.compile(r"\b[a-z2-7]{6}\b|\b[0-9a-f]{20}\b")


@dataclass(frozen=True)
class Passage:
    """Text that two have alike in a file: each one's own."""

    file: str
    first: str
    second: str


@dataclass(frozen=True)
class Pair:
    """Two hand-ins and the share of each one's own text that the other has, too."""

    first: str
    second: str
    shares: tuple[float, float]
    passages: tuple[Passage, ...]


@dataclass(frozen=True)
class Foreign:
    """Somebody's file holds somebody else's own value."""

    person: str
    of: str
    file: str
    value: str


@dataclass(frozen=True)
class _Text:
    """What somebody wrote into a file's gaps, own values taken out, and its fingerprint."""

    person: str
    file: str
    fingerprint: Any


def alike(found: Sequence[HandIn], lab: Manifest, least: float = 0.5) -> list[Pair]:
    """Pairs of whom one has at least the share `least` of what the other wrote, the most alike first."""
    known = _known(lab)
    texts = [text for each in found if each.is_ready for text in _texts(each, lab, known)]
    by_person: dict[str, dict[str, _Text]] = defaultdict(dict)
    for text in texts:
        by_person[text.person][text.file] = text
    pairs = [_pair(by_person[one], by_person[two]) for one, two in _candidates(texts)]
    return sorted((pair for pair in pairs if max(pair.shares) >= least), key=lambda pair: -max(pair.shares))


def foreign_values(found: Sequence[HandIn], lab: Manifest) -> list[Foreign]:
    """Whose code or token stands in whose files: a copied file tells where it comes from."""
    owner = {}
    for each in found:
        if each.is_ready:
            variant = make_variant(lab.salt, each.student)
            owner.update({variant.code: each, variant.lab_token: each})
    said = []
    for each in found:
        for name, text in _files(each, lab).items() if each.is_ready else ():
            for value in dict.fromkeys(_CODE.findall(text)):
                if (other := owner.get(value)) and other.person != each.person:
                    said.append(Foreign(each.person, other.person, name, value))
    return said


def _files(each: HandIn, lab: Manifest) -> dict[str, str]:
    names = dict.fromkeys(lab.files.values())
    data = {name: intake.said(each.source, name) for name in names}
    return {name: found.decode("utf-8", "replace") for name, found in data.items() if found}


def _texts(each: HandIn, lab: Manifest, known: Mapping[str, frozenset[int]]) -> Iterator[_Text]:
    values = make_variant(lab.salt, each.student).values()
    for name, text in _files(each, lab).items():
        if written := _written(text, values):
            print_ = _fingerprint(name, written, known.get(name, frozenset()))
            if print_.hashes:
                yield _Text(each.person, name, print_)


def _written(text: str, values: Mapping[str, str]) -> str:
    """What stands in the gaps, with the student's own values replaced by their names; "" where the markers are broken."""
    try:
        written = "\n".join(body for _, body in sorted(bodies(text).items()))
    except LabError:
        return ""
    for name, value in sorted(values.items(), key=lambda item: -len(item[1])):
        written = written.replace(value, name)
    return written


def _fingerprint(name: str, text: str, known: frozenset[int]) -> Any:
    """The fingerprint without what is known. The library's own way to leave text out breaks on text that repeats itself."""
    from copydetect import CodeFingerprint
    from copydetect.utils import get_token_coverage

    print_ = CodeFingerprint(name, K, WINDOW, fp=io.StringIO(text))
    print_.hash_idx = {value: places for value, places in print_.hash_idx.items() if int(value) not in known}
    print_.hashes = set(print_.hash_idx)
    print_.token_coverage = (
        get_token_coverage(print_.hash_idx, K, len(print_.filtered_code)) if print_.hashes else 0
    )
    return print_


def _known(lab: Manifest) -> dict[str, frozenset[int]]:
    """Fingerprints of the starter and, where it is there, of the reference, by file."""
    own = make_variant(lab.salt, "reference").values()
    renderer = Renderer(lab.root, lab.files)
    found: dict[str, list[int]] = defaultdict(list)
    for solution in (False, *([True] if (lab.root / "solution").is_dir() else [])):
        for name, text in renderer.render(own, solution=solution).items():
            if written := _written(text, own):
                found[name] += _every(name, written)
    return {name: frozenset(values) for name, values in found.items()}


def _every(name: str, text: str) -> Iterator[int]:
    """All fingerprints of a text, not those of a window alone: what is known must be known wherever it stands."""
    from copydetect.utils import filter_code, hashed_kgrams

    yield from map(int, hashed_kgrams(filter_code(text, name)[0], K))


def _candidates(texts: Sequence[_Text]) -> list[tuple[str, str]]:
    """The pairs that share most fingerprints which few others have."""
    having: dict[tuple[str, int], set[str]] = defaultdict(set)
    for text in texts:
        for value in text.fingerprint.hashes:
            having[text.file, value].add(text.person)
    most = max(3, int(_COMMON * len({text.person for text in texts})))
    counts = Counter(
        pair
        for people in having.values()
        if 1 < len(people) <= most
        for pair in combinations(sorted(people), 2)
    )
    return [pair for pair, _ in counts.most_common(_MOST_PAIRS)]


def _pair(one: Mapping[str, _Text], two: Mapping[str, _Text]) -> Pair:
    from copydetect import compare_files

    shared, passages = [0.0, 0.0], []
    for name in sorted(set(one) & set(two)):
        first, second = one[name].fingerprint, two[name].fingerprint
        _, shares, slices = compare_files(first, second)
        for n, (print_, share) in enumerate(zip((first, second), shares, strict=True)):
            shared[n] += float(share) * print_.token_coverage
        if len(slices[0]):
            passages.append(Passage(name, _cut(first.raw_code, slices[0]), _cut(second.raw_code, slices[1])))
    there = [sum(text.fingerprint.token_coverage for text in texts.values()) for texts in (one, two)]
    shares_ = tuple(
        round(min(1.0, part / whole), 2) if whole else 0.0 for part, whole in zip(shared, there, strict=True)
    )
    names = [next(iter(texts.values())).person for texts in (one, two)]
    return Pair(names[0], names[1], (shares_[0], shares_[1]), tuple(passages))


def _cut(text: str, slices: Any) -> str:
    return "\n…\n".join(text[int(start) : int(end)] for start, end in zip(slices[0], slices[1], strict=True))


def page(pairs: Sequence[Pair], foreign: Sequence[Foreign]) -> str:
    """Both as one HTML page, passages side by side."""
    return template_beside(__file__, "similarity.html.jinja").render(pairs=pairs, foreign=foreign)
