"""Of a mixture with the reference's text nothing is told but the grader's own sentences, whatever a program prints."""

import ast
import base64
import random
import sys
import zlib
from pathlib import Path

import pytest

import labkit
from labkit.grading.judging.own_words import OwnWords
from labkit.grading.judging.session import SPEAKING
from labkit.grading.model import Verdict

ROOT = Path(labkit.__file__).resolve().parents[1]
CHECKS = sorted((ROOT / "grader").glob("*/check_*.py"))
SHARED = [
    *sorted((ROOT / "grader" / "support").glob("*.py")),
    *(Path(str(sys.modules[name].__file__)) for name in SPEAKING),
]
SECRET = (
    (ROOT / "solution" / "app" / "flask_app.py").read_text() if (ROOT / "solution").is_dir() else "x" * 9000
)
PACKED = base64.b64encode(zlib.compress(SECRET.encode(), 9)).decode()
FORMS = {
    "plain": SECRET[:400], "packed": PACKED[:480], "hexadecimal": SECRET[:200].encode().hex(),
    "numbers": " ".join(str(ord(c)) for c in SECRET[:120]), "binary": "".join(f"{ord(c):08b}" for c in SECRET[:50]),
    "error line": f"ERROR L0:{PACKED[:480]}:", "exception": f"KeyError: {PACKED[:300]}", "status": f"500 {PACKED[:200]}",
    "words of the grader": "; ".join(["no answer", "your service did not come back after stop and start"] * 8),
    "blanks": "".join(" \t"[int(b)] for c in SECRET[:40] for b in f"{ord(c):08b}"), "arn": f"arn:aws:s3:::{PACKED[:200]}",
}  # fmt: skip


def words(check: str) -> OwnWords:
    file = next(path for path in CHECKS if path.stem == f"check_{check}")
    return OwnWords.of([file, *SHARED], ["hybrid-abc123", "5417", "10.30.0.0/16"])


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_nothing_of_what_a_program_wrote_is_told(form: str) -> None:
    """In every place of a verdict, and behind every sentence, with the words of all checks at once."""
    own = OwnWords.of([*CHECKS, *SHARED], ["5417"])
    for reason in (
        form,
        f"your boot script ended with 3: {form}",
        f"your server did not process a good image: {form}",
        f"a; {form}",
    ):
        told = own.quiet(Verdict("failed", 0.0, reason, form, form, form, (form,) * 12, "alone"))
        assert (told.hint, told.expected, told.found, told.evidence) == ("", "", "", ())
        pieces = {form[place : place + 12] for place in range(0, max(1, len(form) - 12), 4)}
        shown = [piece for piece in pieces if piece in told.reason]
        assert len(told.reason) < 200
        assert not shown or form is FORMS["words of the grader"]


@pytest.mark.slow
def test_a_program_chooses_among_few_reasons_only() -> None:
    """A thousand different outputs, and hardly more different reasons than there are known failures."""
    rng, own = random.Random(7), words("boot_clean")
    texts = ["".join(rng.choices(PACKED, k=200)) for _ in range(1000)]
    told = {
        own.quiet(Verdict("failed", reason=f"your boot script ended with 1: {text}")).reason for text in texts
    }
    assert told == {"your boot script ended with 1"} or len(told) < 5


@pytest.mark.parametrize(
    ("check", "reason", "told"),
    [
        ("door_open", "the packet from your function to port 5417 was dropped: rule sg-1 says so", "the packet from your function to port 5417 was dropped"),
        ("row_types", "the row is not as in the contract: file_size is S, not N", "the row is not as in the contract"),
        ("key_and_type", "your server did not process a good image: 500 An error occurred (AccessDenied) when", "your server did not process a good image (AccessDenied)"),
        ("bucket_kept", "an overwritten object has no older version; your code does not state that versions are kept", "an overwritten object has no older version; your code does not state that versions are kept"),
        ("bucket_kept", "with your text the reference system does not deploy: Resource x: Value y is invalid", "with your text the reference system does not deploy"),
        ("row_each", "zlib.error: Error -3", "it does not hold"),
    ],
)  # fmt: skip
def test_what_is_told_says_what_failed(check: str, reason: str, told: str) -> None:
    assert words(check).quiet(Verdict("failed", reason=reason)).reason == told


def test_the_hint_of_a_known_failure_is_told_and_no_other() -> None:
    own = words("eight_at_once")
    from labkit.grading.judging.clues import next_thing

    known = Verdict(
        "failed",
        reason="an image was not processed: ModuleNotFoundError",
        hint=next_thing("ModuleNotFoundError"),
    )
    assert own.quiet(known).hint == known.hint
    assert own.quiet(Verdict("failed", reason="x", hint=f"look at: {PACKED[:60]}")).hint == ""


def test_trouble_of_ours_is_named_by_its_kind_alone() -> None:
    told = words("row_each").quiet(
        Verdict(reason=f"KeyError: {PACKED[:100]}", evidence=("check_row_each.py:3 check: x",))
    )
    assert (told.reason, told.outcome) == ("KeyError", "not judged")


def test_every_reason_begins_with_words_of_the_check() -> None:
    """Else nothing could be told of it alone: no value comes first, but a file's name where nothing is judged alone."""
    for path in [*CHECKS, *(ROOT / "grader" / "support").glob("*.py")]:
        for node in ast.walk(ast.parse(path.read_text())):
            match node:
                case ast.Call(
                    func=ast.Name(id="Failed" | "Untried"),
                    args=[ast.JoinedStr(values=[ast.FormattedValue(value=first), *_]), *_],
                ):
                    assert ast.unparse(first) in ("name", "FILE", "who", "what", "wrong"), (
                        f"{path.name}:{node.lineno}"
                    )


def test_a_second_sentence_is_told_and_no_third() -> None:
    own = words("comes_back")
    told = "your service did not come back after stop and start; systemd did not start it"
    assert own.quiet(Verdict("failed", reason=told)).reason == told
    assert own.quiet(Verdict("failed", reason=f"{told}; systemd did not start it")).reason == f"{told}; …"
    assert (
        own.quiet(
            Verdict("failed", reason="your service stayed dead after kill −9; it failed: ValueError: x")
        ).reason
        == "it does not hold (ValueError)"
    )


FAILED = Verdict("failed", 0.0, "it does not hold", way="alone")


def test_what_was_seen_both_ways_is_told_as_it_was_seen_as_submitted() -> None:
    """That system holds the student's text only; so its words can't tell the reference's."""
    own = words("boot_clean")
    before = Verdict(
        "failed",
        0.0,
        "your boot script ended with 1: pip3: command not found",
        "h",
        "e",
        "f",
        ("log",),
        "as submitted",
    )
    alone = own.quiet(
        Verdict("failed", 0.0, "your boot script ended with 1: pip3: command not found", way="alone")
    )
    assert alone.reason == "your boot script ended with … (command not found)"
    assert own.alone(before, alone, ()) == before
    other = own.quiet(Verdict("failed", 0.0, "your boot script never ran", way="alone"))
    assert own.alone(before, other, ()).evidence == (f"as submitted: {before.reason}",)
    better = own.quiet(Verdict("failed", 0.5, before.reason, way="alone"))
    assert own.alone(before, better, ()).way == "alone"
    blocked = Verdict("failed", reason="it can't be tried as a whole until this holds: path-health (x)")
    assert own.alone(blocked, FAILED, ()) == FAILED
    assert own.alone(Verdict(), FAILED, ()) == FAILED


def test_a_helper_outside_the_gap_is_named_and_a_pass_stays_one() -> None:
    own, passed = words("answer_ok"), Verdict("passed", 1.0, way="alone")
    told = own.alone(Verdict(), FAILED, ("write_row",))
    assert "outside it: write_row" in told.reason
    assert "inside" in told.hint
    assert own.alone(Verdict(), passed, ("write_row",)) == passed


def test_of_a_note_only_own_words_are_told() -> None:
    words = OwnWords.of([ROOT / "grader" / "support" / "rights.py"], ())
    note = "it can't be told by reading on what your server's role may do this: s3:GetObject on arn:secret"
    told = words.quiet(Verdict("passed", 1.0, notes=(note, "secret")))
    assert told.notes == ("it can't be told by reading on what …",)
