"""course.toml: what fits is explained in sentences, what does not is refused by its key."""

import shutil
from pathlib import Path

import pytest

import labkit
from labkit.errors import ManifestError
from labkit.lesson import course
from labkit.manifest import Manifest, load

ROOT = Path(labkit.__file__).parent.parent


@pytest.fixture
def manifest(tmp_path: Path) -> Manifest:
    shutil.copy(ROOT / "lab.toml", tmp_path)
    return load(tmp_path)


def write(manifest: Manifest, text: str) -> course.Course:
    (manifest.root / course.NAME).write_text(text)
    return course.load(manifest)


def explained(manifest: Manifest, text: str) -> str:
    return " ".join(course.explain(manifest, write(manifest, text)))


def test_without_a_file_the_whole_lab_holds(manifest: Manifest) -> None:
    assert course.load(manifest) == course.Course()
    assert "100 points" in course.explain(manifest, course.Course())[0]


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
        ("[hints]\ntiers = 4\n", "tiers"),
        ("[hints]\ntiers = 'all'\n", "wrong kind"),
        ("[points]\nno-such-line = 3\n", "no-such-line"),
        ("[lab\n", "can't be read"),
    ],
)
def test_what_does_not_fit_is_refused_by_its_key(manifest: Manifest, text: str, words: str) -> None:
    with pytest.raises(ManifestError) as error:
        write(manifest, text)
    assert words in error.value.message
    assert error.value.hint
