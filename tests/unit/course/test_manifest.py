"""lab.toml is read whole, and whatever is wrong in it is named with its line and key."""

from pathlib import Path

import PIL.Image
import pytest

import labkit
from labkit.base.errors import ManifestError
from labkit.course.manifest import load, parse

ROOT = Path(labkit.__file__).resolve().parent.parent
TEXT = (ROOT / "lab.toml").read_text()


def test_the_kits_own_manifest() -> None:
    manifest = load(ROOT)
    assert [step.number for step in manifest.steps] == sorted(step.number for step in manifest.steps)
    assert {"doctor", "generate", "deploy", "wire", "process", "break", "measure", "destroy", "submit"} <= {
        step.name for step in manifest.steps
    }
    assert len(manifest.gaps) == 10
    assert [gap.order for gap in manifest.gaps] == list(range(1, 11))
    assert manifest.region == "ap-south-1"


def test_everything_that_it_names_exists() -> None:
    manifest = load(ROOT)
    for source in manifest.files:
        assert (ROOT / "templates" / source).is_file()
    for image in manifest.images:
        with PIL.Image.open(image) as picture:
            picture.verify()
    known = {step.number for step in manifest.steps}
    assert all(set(step.needs) <= known for step in manifest.steps)


def test_a_gap_is_found_by_name() -> None:
    manifest = load(ROOT)
    assert manifest.gap("server-door").block == "server_door"
    assert manifest.gap("unit").files["terraform"] == "flask_server_startup.sh"
    with pytest.raises(KeyError):
        manifest.gap("other")


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ('region = "ap-south-1"', "region = 7", ("line 4", "'region'", "text")),
        ('region = "ap-south-1"', "", ("'region'", "missing")),
        ('title = "Delete everything and prove it"', "", ("[[step]] number", "'title'", "missing")),
        ('number = "03"', 'number = "01"', ("[[step]] number", "'number'", "used twice")),
        ('number = "03"', "number = 3", ("'number'", "text")),
        ('number = "03"', 'number = "3"', ("'number'", "two digits")),
        ('name = "unit"', 'name = "Unit 4"', ("[[gap]] number 6", "'name'", "lower-case")),
        ('name = "unit"', 'name = "store"', ("'name'", "used twice")),
        ("minutes = 60", "minutes = true", ("[[step]] number", "'minutes'")),
        ("minutes = 60", 'minutes = "long"', ("'minutes'", "whole number")),
        ('terraform = "flask_app.py"', 'terraform = "other.py"', ("'files'", "terraform and cloudformation")),
        ('images = ["images/hills.jpg"', 'images = [1, "images/hills.jpg"', ("'images'", "list of texts")),
        ("[files]", "[fils]", ("'files'", "missing")),
        ("[[gap]]", "[[gap", ("TOML", "line")),
    ],
)
def test_what_is_wrong_is_named(old: str, new: str, words: tuple[str, ...]) -> None:
    assert old in TEXT
    with pytest.raises(ManifestError) as refused:
        parse(TEXT.replace(old, new, 1), ROOT)
    for word in ("lab.toml", *words):
        assert word in refused.value.message
    assert refused.value.hint


def test_the_line_is_the_line_of_the_key() -> None:
    broken = TEXT.replace("minutes = 60", "minutes = -1")
    line = broken.splitlines().index("minutes = -1") + 1
    with pytest.raises(ManifestError, match=f"line {line}: "):
        parse(broken, ROOT)


def test_a_missing_or_unreadable_manifest(tmp_path: Path) -> None:
    with pytest.raises(ManifestError, match=r"lab\.toml can't be read: No such file"):
        load(tmp_path)
    (tmp_path / "lab.toml").write_bytes(b"title = '\xff'\n")
    with pytest.raises(ManifestError, match="UTF-8"):
        load(tmp_path)
