"""Grading a class: each verdict is in the ledger as it comes, done ones are skipped, a kill costs what was under way."""

import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from labkit.base.errors import LabError, StateError, UsageError
from labkit.base.events import Event
from labkit.classroom import engine, grading, rules, standing
from labkit.classroom.grading import Outcome, Plan, Wanted
from labkit.classroom.handins import HandIn
from labkit.classroom.ledger import Key, Ledger, Override, ProseMark
from labkit.classroom.marks import Late
from labkit.classroom.roster import Person, Roster
from labkit.grading.grade import Request
from labkit.grading.model import Result, Verdict
from tests.conftest import wait_until
from tests.unit.classroom.rosters import COURSE, LAB, ROOT, RUBRIC, result

KEY = b"k" * 32
WANTED = Wanted(ROOT, RUBRIC, "course", KEY)
PLAIN = rules.of_course(COURSE, LAB)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(tmp_path / "class" / "ledger.sqlite") as opened:
        yield opened


def handed_in(*names: str) -> list[HandIn]:
    return [
        HandIn(Path(f"{name}.zip"), f"{name}.zip", name, name, "cloudformation", "1", "2027-01-31T22:00:00+00:00", "test", f"hash-{name}")
        for name in names
    ]  # fmt: skip


def judged(request: Request) -> Result:
    """What a grading would say: all lines hold."""
    only = request.only
    made = result(request.student, submission=f"hash-{request.student}", only=list(only))
    for line in made.all if only else ():
        if line.id not in only:
            made = made.with_line(line.id, Verdict(reason="not asked for"))
    return made


def by(pool: ThreadPoolExecutor, grade_one: Callable[[Request], Result]) -> engine.Submit:
    return lambda work: pool.submit(engine.one, work, grade_one)


def carry(
    plan: Plan,
    ledger: Ledger,
    grade_one: Callable[[Request], Result] = judged,
    heard: list[Event] | None = None,
) -> Outcome:
    with ThreadPoolExecutor(3) as pool:
        return grading.carry_out(
            plan, ledger, by(pool, grade_one), 3, (heard if heard is not None else []).append
        )


def stand(ledger: Ledger, found: list[HandIn], how: rules.Rules = PLAIN) -> dict[str, float | None]:
    ledger.see(found, {})
    return {each.person.id: each.mark.final for each in standing.of_class(ledger, how, {})}


def test_everything_is_graded_once_and_skipped_afterwards(ledger: Ledger) -> None:
    found, heard = handed_in("a", "b", "c", "d"), []
    outcome = carry(grading.plan(found, ledger, WANTED), ledger, heard=heard)
    assert len(outcome.judged) == 4
    assert [event.data["done"] for event in heard] == [1, 2, 3, 4]
    assert stand(ledger, found) == dict.fromkeys("abcd", 100)
    again = grading.plan(found, ledger, WANTED)
    assert (again.works, len(again.done)) == ((), 4)


def test_what_changed_is_graded_and_the_rest_stays(ledger: Ledger) -> None:
    found = handed_in("a", "b")
    carry(grading.plan(found, ledger, WANTED), ledger)
    changed = [found[0], replace(found[1], sha256="hash-new")]
    assert [work.label for work in grading.plan(changed, ledger, WANTED).works] == ["b.zip"]


@pytest.mark.parametrize("other", [{"key": b"o" * 32}, {"course": "other"}])
def test_another_key_or_other_faults_are_another_question(ledger: Ledger, other: dict[str, object]) -> None:
    found = handed_in("a")
    carry(grading.plan(found, ledger, WANTED), ledger)
    assert len(grading.plan(found, ledger, replace(WANTED, **other)).works) == 1


def test_a_look_without_the_key_asks_for_nothing_that_a_mark_answers(ledger: Ledger) -> None:
    found = handed_in("a")
    carry(grading.plan(found, ledger, WANTED), ledger)
    assert not grading.plan(found, ledger, Wanted(ROOT, RUBRIC, "course")).works


def test_an_older_kits_verdicts_stay_until_they_are_asked_for_again(ledger: Ledger) -> None:
    found = handed_in("a")
    carry(grading.plan(found, ledger, replace(WANTED, kit="0.9")), ledger)
    plan = grading.plan(found, ledger, WANTED)
    assert (len(plan.works), len(plan.older)) == (0, 1)
    newer = grading.plan(found, ledger, replace(WANTED, newer_kit=True))
    carry(newer, ledger, lambda request: replace(result(lost={"door-open": 0}), about=judged(request).about))
    assert stand(ledger, found) == {"a": 97}
    assert len(ledger.verdicts()) == 2  # nothing was rewritten


def test_one_line_is_judged_again_and_stands_on_top(ledger: Ledger) -> None:
    found = handed_in("a")
    carry(
        grading.plan(found, ledger, WANTED),
        ledger,
        lambda request: result(lost={"door-open": 0}, submission="hash-a"),
    )
    plan = grading.plan(found, ledger, replace(WANTED, again=("door-open",)))
    assert plan.works[0].request.only == ("door-open",)
    assert stand(ledger, found) == {"a": 97}
    carry(plan, ledger)
    assert stand(ledger, found) == {"a": 100}


def test_what_could_not_be_judged_is_no_mark_and_is_tried_again(ledger: Ledger) -> None:
    def breaks(request: Request) -> Result:
        if request.student == "a":
            raise LabError("the disk is full")
        if request.student == "b":
            raise RuntimeError("a mistake of ours")
        return judged(request).with_line("door-open", Verdict(reason="our trouble"))

    found = handed_in("a", "b", "c")
    outcome = carry(grading.plan(found, ledger, WANTED), ledger, breaks)
    assert {each.work.label: each.error for each in outcome.failed} == {
        "a.zip": "the disk is full", "b.zip": "RuntimeError: a mistake of ours", "c.zip": "",
    }  # fmt: skip
    assert stand(ledger, found) == dict.fromkeys("abc")
    assert len(grading.plan(found, ledger, WANTED).works) == 3


def test_a_submission_that_changed_meanwhile_is_no_verdict(ledger: Ledger) -> None:
    outcome = carry(
        grading.plan(handed_in("a"), ledger, WANTED), ledger, lambda request: result(submission="another")
    )
    assert len(outcome.failed) == 1
    assert not ledger.verdicts()


def test_the_seed_comes_from_the_key_and_the_submission(ledger: Ledger) -> None:
    one, two = (work.request for work in grading.plan(handed_in("a", "b"), ledger, WANTED).works)
    assert len({one.seed, two.seed, ""}) == 3
    assert KEY.decode() not in WANTED.key_id


def test_two_instructors_share_the_work_and_do_nothing_twice(tmp_path: Path) -> None:
    path, found = tmp_path / "ledger.sqlite", handed_in(*"abcdefgh")
    done: list[str] = []

    def notes(request: Request) -> Result:
        done.append(request.student)
        return judged(request)

    def instructor(_: int) -> None:
        with Ledger(path) as own:
            carry(grading.plan(found, own, WANTED), own, notes)

    with ThreadPoolExecutor(2) as both:
        list(both.map(instructor, range(2)))
    assert sorted(done) == list("abcdefgh")


def test_what_somebody_else_is_at_is_left_to_them(ledger: Ledger) -> None:
    plan = grading.plan(handed_in("a", "b"), ledger, WANTED)
    ledger.take(plan.works[0].key, "another-host:1:1:x", {}, 100)
    outcome = carry(plan, ledger)
    assert [work.label for work in outcome.judged] == ["b.zip"]
    assert list(outcome.elsewhere) == ["a.zip"]


@pytest.mark.processes
def test_a_kill_costs_what_was_under_way(tmp_path: Path) -> None:
    """Killed with -9 while two are graded and one is waiting; the next run grades these three and no others."""
    path = tmp_path / "ledger.sqlite"
    code = (
        "import sys, time; from pathlib import Path; from concurrent.futures import Future, ThreadPoolExecutor\n"
        "from tests.unit.classroom import test_class_grading as t\n"
        "def slow(request):\n"
        "    if request.student in 'cde':\n"
        "        Path(sys.argv[1], request.student).touch(); time.sleep(600)\n"
        "    return t.judged(request)\n"
        "with t.Ledger(Path(sys.argv[1]) / 'ledger.sqlite') as ledger, ThreadPoolExecutor(2) as pool:\n"
        "    t.grading.carry_out(t.grading.plan(t.handed_in(*'abcde'), ledger, t.WANTED), ledger, t.by(pool, slow), 2, lambda _: None)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], cwd=ROOT)
    wait_until(
        lambda: (tmp_path / "d").exists() and (tmp_path / "c").exists(),
        seconds=60,
        what="two gradings under way",
    )
    process.send_signal(signal.SIGKILL)
    process.wait()
    with Ledger(path) as ledger:
        plan = grading.plan(handed_in(*"abcde"), ledger, WANTED)
        assert [work.label for work in plan.works] == ["c.zip", "d.zip", "e.zip"]
        assert len(carry(plan, ledger).judged) == 3  # nobody waits for the dead one


def test_a_ledger_of_another_version_is_refused_in_words(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 0")
    with pytest.raises(StateError, match="an older kit") as error:
        Ledger(path)
    assert "Nothing was changed" in error.value.hint
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE t (x)")
    with pytest.raises(StateError, match="no ledger of a class"):
        Ledger(other)
    (tmp_path / "text").write_text("no database at all, but long enough to look like something" * 20)
    with pytest.raises(StateError, match="can't be used"):
        Ledger(tmp_path / "text")


def test_a_full_disk_is_said_and_what_was_there_stays(tmp_path: Path) -> None:
    path = tmp_path / "ledger.sqlite"
    with Ledger(path) as ledger:
        carry(grading.plan(handed_in("a"), ledger, WANTED), ledger)
        ledger._db.execute(
            f"PRAGMA max_page_count = {ledger._db.execute('PRAGMA page_count').fetchone()[0] + 4}"
        )
        with pytest.raises(StateError, match="full"):
            carry(grading.plan(handed_in("a", "b", "c", "d"), ledger, WANTED), ledger)
    with Ledger(path) as ledger:
        assert stand(ledger, handed_in("a")) == {"a": 100}
        assert len(carry(grading.plan(handed_in("a", "b", "c", "d"), ledger, WANTED), ledger).failed) == 0


def test_it_is_for_its_owner_alone(ledger: Ledger) -> None:
    assert ledger.path.stat().st_mode & 0o077 == 0


def test_a_roster_has_the_missing_and_they_have_no_mark(ledger: Ledger) -> None:
    ledger.enroll(Roster((Person("a", "A", {"email": "a"}), Person("z", "Z", {"email": "z"}))))
    carry(grading.plan(handed_in("a"), ledger, WANTED), ledger)
    assert stand(ledger, handed_in("a")) == {"a": 100, "z": None}


def test_of_several_hand_ins_the_best_counts(ledger: Ledger) -> None:
    first, second = (
        handed_in("a")[0],
        replace(handed_in("a")[0], label="later.zip", sha256="hash-2", at="2027-02-01T10:00:00+00:00"),
    )
    grade = {"hash-a": 1.0, "hash-2": 0.0}
    with ThreadPoolExecutor(1) as pool:
        plan = grading.plan([first, second], ledger, WANTED)
        by_seed = {work.request.seed: work.key.sha256 for work in plan.works}
        grading.carry_out(
            plan, ledger,
            by(pool, lambda r: result("a", lost={"door-open": grade[by_seed[r.seed]]}, submission=by_seed[r.seed])), 1, lambda _: None,
        )  # fmt: skip
    assert stand(ledger, [first, second]) == {"a": 100}


def test_groups_share_a_mark_and_one_of_them_may_have_another(ledger: Ledger) -> None:
    ledger.enroll(
        Roster((Person("a", "A", {}, "red"), Person("b", "B", {}, "Red"), Person("c", "C", {}, "blue")))
    )
    found = [replace(handed_in("a")[0], person="red")]
    carry(grading.plan(found, ledger, WANTED), ledger)
    ledger.override([Override("b", "mark", 50, "did not take part", "ta", "2027-02-02T00:00:00+00:00")])
    ledger.see(found, {})
    marks = {each.person.id: each.mark.final for each in standing.of_class(ledger, PLAIN, {}, groups=True)}
    assert marks == {"a": 100, "b": 50, "c": None}


def test_words_of_people_stand_beside_and_can_be_taken_back(ledger: Ledger) -> None:
    found = handed_in("a")
    carry(
        grading.plan(found, ledger, WANTED),
        ledger,
        lambda r: result("a", lost={"door-open": 0}, submission="hash-a"),
    )
    ledger.override([Override("a", "door-open", 1.5, "nearly", "ta", "2027-02-02T00:00:00+00:00")])
    assert stand(ledger, found) == {"a": 98.5}
    ledger.override([Override("a", "door-open", None, "my mistake", "ta", "2027-02-03T00:00:00+00:00")])
    assert stand(ledger, found) == {"a": 97}
    assert len(ledger.overrides()) == 2


def test_the_newest_mark_for_an_answer_counts(ledger: Ledger) -> None:
    found = handed_in("a")
    carry(grading.plan(found, ledger, WANTED), ledger)
    for mark in (0, 2):
        ledger.mark_prose([ProseMark("a", "1", mark, "", "ta", "2027-02-02T00:00:00+00:00")])
    assert stand(ledger, found, replace(PLAIN, prose=10, prose_questions=("1",))) == {"a": 110}


def test_lateness_is_by_the_hand_ins_own_time(ledger: Ledger) -> None:
    due = datetime(2027, 1, 31, 12, tzinfo=UTC)
    found = handed_in("a")
    carry(grading.plan(found, ledger, WANTED), ledger)
    late = replace(PLAIN, due=due, grace=timedelta(), late=Late(10, 3))
    assert stand(ledger, found, late) == {"a": 90}
    own = standing.of_class(ledger, late, {"a": due + timedelta(days=1)})
    assert own[0].mark.final == 100


def test_who_is_forgotten_is_in_no_table(ledger: Ledger) -> None:
    ledger.enroll(Roster((Person("a", "A", {}), Person("b", "B", {}))))
    found = handed_in("a", "b")
    carry(grading.plan(found, ledger, WANTED), ledger)
    ledger.see(found, {})
    ledger.override([Override("a", "mark", 50, "x", "ta", "2027")])
    assert ledger.forget("a", []) >= 4
    assert b"hash-a" not in ledger.path.read_bytes()
    assert stand(ledger, found[1:]) == {"b": 100}


def test_what_a_machine_bears_hangs_on_cores_and_memory() -> None:
    assert engine.at_once(cores=2, free_mb=100_000) == 8
    assert engine.at_once(cores=16, free_mb=4 * engine.GRADING_MB) == 4
    assert engine.at_once(cores=2, free_mb=10) == 1


def test_nothing_begins_beside_others_while_memory_is_short() -> None:
    """With no memory free the gradings go one by one, and none waits for ever."""
    running, most = [0], [0]

    def counts(request: Request) -> Result:
        running[0] += 1
        most[0] = max(most[0], running[0])
        running[0] -= 1
        return judged(request)

    patient = engine._patient(counts, lambda: 0)
    works = grading_works("abc")
    with ThreadPoolExecutor(3) as pool:
        assert len(list(engine.run(works, by(pool, patient), 3))) == 3
    assert most[0] == 1


def grading_works(names: str) -> list[engine.Work]:
    return [
        engine.Work(Key(f"hash-{name}", name, "cloudformation", "1", "r", "c", "k"), name, Request(ROOT, name, Path(name)))
        for name in names
    ]  # fmt: skip


def test_extensions_are_checked_row_by_row(tmp_path: Path) -> None:
    path, people = (
        tmp_path / "extensions.csv",
        Roster((Person("ada@uni.edu", "Ada", {"email": "ada@uni.edu"}),)),
    )
    how = replace(PLAIN, due=datetime(2027, 1, 31, tzinfo=UTC))

    def read(text: str) -> dict[str, datetime]:
        path.write_text(text)
        return rules.extensions(path, how, COURSE, people)

    assert read("id,until,why\nADA@uni.edu,2027-02-02T23:59+00:00,ill\n") == {
        "ada@uni.edu": datetime(2027, 2, 2, 23, 59, tzinfo=UTC)
    }
    for text, words in (
        ("who,when\na,b\n", "needs the columns"), ("id,until,why\nadda@uni.edu,2027-02-02,ill\n", "not in the roster"),
        ("id,until,why\nada@uni.edu,2027-01-02,ill\n", "no later than"), ("id,until,why\nada@uni.edu,soon,ill\n", "no time"),
        ("id,until,why\nada@uni.edu,2027-02-02,\n", "no reason"),
        ("id,until,why\nada@uni.edu,2027-02-02,x\nada@uni.edu,2027-02-03,y\n", "twice"),
    ):  # fmt: skip
        with pytest.raises(UsageError, match=words):
            read(text)


def test_a_stop_by_hand_keeps_what_is_judged_and_the_same_plan_goes_on(ledger: Ledger) -> None:
    found = handed_in("a", "b", "c")

    def stops_at_b(work: engine.Work) -> "Future[engine.Done]":
        if work.label == "b.zip":
            raise KeyboardInterrupt
        done: Future[engine.Done] = Future()
        done.set_result(engine.one(work, judged))
        return done

    with pytest.raises(KeyboardInterrupt):
        grading.carry_out(grading.plan(found, ledger, WANTED), ledger, stops_at_b, 1, lambda _: None)
    left = grading.plan(found, ledger, WANTED)
    assert ([each.label for each in left.works], [each.label for each in left.done]) == (
        ["b.zip", "c.zip"],
        ["a.zip"],
    )
    assert len(carry(left, ledger).judged) == 2
