"""course.toml: what fits is explained in sentences, what does not is refused by its key."""

import json
import re
import shutil
from pathlib import Path

import pytest

import labkit
from labkit.base.errors import ManifestError
from labkit.course import course, course_file, course_words
from labkit.course.manifest import Manifest, load

ROOT = Path(labkit.__file__).parent.parent


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    """A kit that has the solution: the instructor's."""
    shutil.copy(ROOT / "lab.toml", tmp_path)
    (tmp_path / "solution").mkdir()
    return load(tmp_path)


def write(manifest: Manifest, text: str) -> course.Course:
    (manifest.root / course_file.NAME).write_text(text)
    return course.load(manifest)


def explained(manifest: Manifest, text: str) -> str:
    return " ".join(course_words.explain(manifest, write(manifest, text)))


def test_without_a_file_the_whole_lab_holds(manifest: Manifest) -> None:
    assert course.load(manifest) == course.Course()
    assert "100 points" in course_words.explain(manifest, course.Course())[0]


def test_a_preset_gives_the_other_gaps(manifest: Manifest) -> None:
    text = explained(manifest, '[lab]\npreset = "taster"\n')
    assert "3 of 10 gaps" in text
    assert "server-door, unit, server-policy" in text
    assert "leave the rubric" in text


def test_a_given_gap_takes_its_lines_along(manifest: Manifest) -> None:
    text = explained(manifest, '[lab]\ngiven = ["bucket-protection"]\n')
    for line in course.rubric(manifest):
        if line.gaps == ("bucket-protection",):
            assert line.id in text
    assert "scaled to 100" in text


def test_other_points_are_named_and_must_fit(manifest: Manifest) -> None:
    lines = course.rubric(manifest)
    one = lines[0]
    with pytest.raises(ManifestError, match="sums to"):
        write(manifest, f"[points]\n{one.id} = {one.points + 5}\n")
    text = explained(manifest, f"[points]\nscale_to = 100\n{one.id} = {one.points + 5}\n")
    assert f"{one.id} counts {one.points + 5} points instead of {one.points}" in text


def test_the_deadline_the_hints_and_the_faults_are_told(manifest: Manifest) -> None:
    text = explained(
        manifest,
        "[dates]\ndue = 2027-01-31T23:59:00\n[hints]\ncost = 0.5\n[break]\npool = ['key-type', 'route-gone']\n",
    )
    assert "31 January 2027" in text
    assert "0.5 points each" in text
    assert "key-type, route-gone" in text


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[lap]\n", "no table [lap]"),
        ("[lab]\npresett = 1\n", "presett"),
        ("[lab]\npreset = 'huge'\n", "huge"),
        ("[lab]\ngiven = ['no-such']\n", "no-such"),
        ("[lab]\nengines = []\n", "engines is empty"),
        ("[lab]\nengines = ['pulumi']\n", "pulumi"),
        ("[break]\npool = ['meteor']\n", "meteor"),
        ("[break]\nhow_many = 99\n", "how_many"),
        ("[break]\nhow_many = 1\n", "[break] how_many = 1 must be 2 to 10"),  # the rubric marks two
        ("[break]\npool = ['key-type']\n", "how_many"),
        ("[break]\npool = ['key-type', 'route-gone', 'key-type']\n", "names 'key-type' twice"),
        ("[break]\npool = 'key-type'\n", "must be a list"),
        ("[hints]\ntiers = 4\n", "tiers"),
        ("[hints]\ntiers = 'all'\n", "wrong kind"),
        ("[course]\ntimezone = 'Mars/Olympus'\n", "no time zone"),
        ("[lab]\ntargets = ['aws']\n", "is not taken"),
        ("[uploads]\nper_day = 10\n", "the platform counts uploads"),
        ("[variants]\non = false\n", "own values"),
        ("[variants]\nreuse_across_semesters = false\n", "change `salt`"),
        ("[grading]\nmode = 'deployed'\n", "fresh cloud"),
        ("[lms]\ngradescope_total = 50\n", "scale_to = 50"),
        ("[lms]\nroster_id = 'shoe size'\n", "email, login"),
        ("[points]\nbonus = 'doubled'\n", "apart, added, capped"),
        ("[dates]\ngrace = 'a bit'\n", "30 min"),
        ("[dates]\nlate = 'much'\n", "10 % a day, 3 days"),
        ("[dates]\nrelease = 2027-02-01\ndue = 2027-01-01\n", "release is not before due"),
        ("[dates]\nextensions = 'none.csv'\n", "none.csv"),
        ("[dates]\nextensions = '../own.csv'\n", "not inside the lab's folder"),
        ("[texts]\nlogo = '/etc/hostname'\n", "not inside the lab's folder"),
        ("[texts]\nfolder = '.'\n", "not inside the lab's folder"),
        ("[questions]\nfile = '../../own.toml'\n", "not inside the lab's folder"),
        ("[uploads]\ncounts = 'worst'\n", "best, last"),
        ("[feedback]\nafter_due = 'nothing'\n", "after_due"),
        ("[questions]\nfile = 'none.toml'\n", "none.toml"),
        ("[questions]\nrequired = ['99']\n", "99"),
        ("[variants]\nunit = 'town'\n", "student, group"),
        ("[texts]\nfolder = 'none'\n", "none"),
        ("[grading]\ntier = 'docker'\n", "docker"),
        ("[grading]\ntime_limits = { terraform = 600 }\n", "is not taken"),
        ("[lms]\ngradescope_total = true\n", "gradescope_total"),
        ("[lab]\npreset = 'taster'\ngiven = ['server-door', 'unit', 'server-policy']\n", "no gap to write"),
        ("[points]\nno-such-line = 3\n", "no-such-line"),
        ("[lab\n", "no valid TOML"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(manifest: Manifest, text: str, words: str) -> None:
    with pytest.raises(ManifestError) as error:
        write(manifest, text)
    assert words in error.value.message
    assert error.value.hint


WHOLE = """
[course]
name = "Cloud 2027"
term = "spring"
timezone = "Asia/Kolkata"
contact = "cloud-lab@uni.edu"
language = "de"
[lab]
preset = "session"
given = ["store"]
engines = ["terraform"]
[points]
scale_to = 100
bonus = "capped"
door-narrow = 5
[dates]
release = 2027-01-04
setup_due = 2027-01-10
due = 2027-01-31T23:59:00
grace = "30 min"
late = "10 % a day, 3 days"
extensions = "extensions.csv"
[uploads]
counts = "best"
[hints]
tiers = 3
cost = 0.5
tier3_after = 10
[feedback]
hidden_lines = "name"
after_due = "all"
[questions]
file = "own.toml"
points = 10
required = ["3", "4", "8"]
[break]
pool = ["rule-revoked", "key-type"]
how_many = 2
[variants]
on = true
unit = "group"
[texts]
folder = "own-texts"
logo = "logo.svg"
[grading]
kit_versions = ["1.2"]
mode = "fresh"
tier = "namespaces"
[lms]
gradescope_total = 100
canvas_column = "Lab 3"
roster_id = "email"
"""


@pytest.fixture
def whole(manifest: Manifest) -> str:
    for name in ("extensions.csv", "logo.svg"):
        (manifest.root / name).write_text("x")
    (manifest.root / "own-texts").mkdir()
    (manifest.root / "own-texts" / "step-04.md").write_text("## Step 04: Ours\n\nIn our words.\n")
    shutil.copy(ROOT / "texts" / "questions.toml", manifest.root / "own.toml")
    return WHOLE


def test_every_key_is_taken_and_has_its_sentence(manifest: Manifest, whole: str) -> None:
    text = explained(manifest, whole)
    for words in (
        "Cloud 2027, spring", "cloud-lab@uni.edu", "speaks English", "5 of 10 gaps", "deploy with terraform", "Step 08",
        "up to what is full", "door-narrow counts 5", "04 January 2027 23:59 Asia/Kolkata", "Set-up is due on Sunday",
        "31 January 2027 23:59", "30 min after the deadline", "minus 10 % a day", "extensions.csv", "the best one counts", "0.5 points each",
        "only its name before", "reason and inputs after", "own.toml", "up to 10 points", "3, 4, 8", "2 faults",
        "stands for a group", "step-04.md", "logo.svg", "kit 1.2", "fresh cloud", "sandbox namespaces",
        "total is 100", "column Lab 3", "by email",
    ):  # fmt: skip
        assert words in text, words


def test_no_key_is_without_a_sentence(manifest: Manifest, whole: str) -> None:
    """Taking any table away changes what is said."""
    from labkit.course.course_file import KEYS

    said = explained(manifest, whole)
    tables = {part.partition("]")[0]: f"[{part}" for part in whole.strip().removeprefix("[").split("\n[")}
    assert set(tables) == set(KEYS)
    for name in tables:
        assert explained(manifest, "\n".join(t for n, t in tables.items() if n != name)) != said, name


def test_own_texts_and_questions_take_the_kits_place(manifest: Manifest, whole: str) -> None:
    from labkit.course import answers
    from labkit.lesson.help.texts import Texts

    shutil.copytree(ROOT / "texts", manifest.root / "texts")
    glossary = '[[term]]\nname = "VPC"\nsays = "In our words."\n'
    write(manifest, whole)
    (manifest.root / "own-texts" / "glossary.toml").write_text(glossary)
    assert [term.says for term in Texts(manifest).terms] == ["In our words."]
    assert len(Texts(manifest).hints) > 10
    own = course.load(manifest).questions
    assert own is not None
    own.write_text(own.read_text().replace("What waiting costs", "Waiting"))
    answers.begin(manifest.root, own)
    assert "## 4. Waiting" in (manifest.root / answers.FILE).read_text()
    own.write_text(own.read_text().replace('number = "p99"', ""))
    with pytest.raises(ManifestError, match="question 8"):
        course.load(manifest)


def test_a_hand_out_has_no_list_of_own_deadlines_and_is_not_refused_for_it(
    manifest: Manifest, whole: str
) -> None:
    (manifest.root / "solution").rmdir()
    (manifest.root / "extensions.csv").unlink()
    assert write(manifest, whole).name == "Cloud 2027"


def test_a_text_that_replaces_nothing_is_named(manifest: Manifest, whole: str) -> None:
    (manifest.root / "own-texts" / "hint.toml").write_text("")
    with pytest.raises(ManifestError, match=r"hint\.toml replaces nothing"):
        write(manifest, whole)


def test_what_a_file_manager_hides_among_the_texts_is_no_text(manifest: Manifest, whole: str) -> None:
    (manifest.root / "own-texts" / ".DS_Store").write_bytes(b"\0")
    said = explained(manifest, whole)
    assert "in place of the kit's: step-04.md." in said


def test_a_rubric_without_points_is_refused(manifest: Manifest) -> None:
    lines = course.rubric(manifest)
    nothing = "".join(f"{line.id} = 0\n" for line in lines)
    with pytest.raises(ManifestError, match="leaves no points"):
        write(manifest, f"[points]\nscale_to = 100\n{nothing}")
    taken = next(line for line in lines if line.gaps)
    given = f"[lab]\ngiven = {json.dumps(list(taken.gaps))}\n"
    nothing = "".join(f"{line.id} = {100 * (line == taken)}\n" for line in lines)
    with pytest.raises(ManifestError, match="leaves no points"):
        write(manifest, f"{given}[points]\n{nothing}")


def test_the_contact_is_read_beside_any_error(manifest: Manifest) -> None:
    assert course.contact(manifest.root) == ""
    for text, asked in (("[course]\ncontact = 'a@b'\n", "a@b"), ("[course\n", ""), ("course = 3\n", "")):
        (manifest.root / course_file.NAME).write_text(text)
        assert course.contact(manifest.root) == asked


def test_a_refusal_names_the_line_of_the_key(manifest: Manifest) -> None:
    text = "# ours\n[lab]\npreset = 'full'\n\n[dates]\nrelease = 2027-02-01\ndue = 2027-01-01\n"
    for broken, where in (
        (text, "course.toml line 6: [dates] release"),
        (text.replace("full", "huge"), "course.toml line 3: [lab] preset"),
        (text.replace("[lab]", "[lap]"), "course.toml line 2: there is no table [lap]"),
        (text + "[break]\nhow_many = 99\n", "course.toml line 9: [break] how_many"),
    ):
        with pytest.raises(ManifestError, match=re.escape(where)):
            write(manifest, broken)


def test_questions_of_ones_own_are_refused_by_line(manifest: Manifest, whole: str) -> None:
    own = manifest.root / "own.toml"
    own.write_text('[[question]]\nid = "1"\ntitle = 3\ntext = "Why?"\n')
    with pytest.raises(ManifestError, match=r"own\.toml line 3: \[\[question\]\] number 1, key 'title'"):
        write(manifest, whole)
