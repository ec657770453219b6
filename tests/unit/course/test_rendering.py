"""Templates become files in which nothing of the template is left, and errors name template and line."""

from pathlib import Path

import pytest

from labkit.base.errors import TemplateError
from labkit.course.rendering import Renderer

TEMPLATE = """\
#!/bin/bash
name="{@ name @}" length=${#name} {{x}} {%y%} {#z#}

  # >>> gap door
  #> block door
  closed
  #> endblock
  # <<< gap door

end
"""
SOLUTION = '#> extends "templates/a.sh"\n#> block door\n  open to {@ name @}\n#> endblock\n'


@pytest.fixture
def kit(tmp_path: Path) -> Path:
    for folder, text in (("templates", TEMPLATE), ("solution", SOLUTION)):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.sh").write_text(text)
    return tmp_path


def render(kit: Path, *, solution: bool = False, **values: str) -> str:
    return Renderer(kit, {"a.sh": "mine.sh"}).render(values, solution=solution)["mine.sh"]


def test_the_starter_keeps_markers_and_foreign_braces(kit: Path) -> None:
    assert render(kit, name="ada").splitlines() == [
        "#!/bin/bash", 'name="ada" length=${#name} {{x}} {%y%} {#z#}', "",
        "  # >>> gap door", "  closed", "  # <<< gap door", "", "end",
    ]  # fmt: skip
    assert render(kit, name="ada").endswith("end\n")


def test_the_solution_differs_in_its_gaps_only(kit: Path) -> None:
    assert render(kit, solution=True, name="ada") == render(kit, name="ada").replace("closed", "open to ada")


def test_a_file_without_gaps_is_the_same_for_both(kit: Path) -> None:
    (kit / "solution" / "a.sh").unlink()
    assert render(kit, solution=True, name="ada") == render(kit, name="ada")


def test_a_hand_out_has_no_solution(kit: Path) -> None:
    assert Renderer(kit, {}).has_solution
    (kit / "solution" / "a.sh").unlink()
    (kit / "solution").rmdir()
    assert not Renderer(kit, {}).has_solution


def test_an_undefined_name_is_an_error_with_its_line(kit: Path) -> None:
    with pytest.raises(TemplateError, match=r"templates/a\.sh, line 2: 'name' is undefined"):
        render(kit)
    (kit / "solution" / "a.sh").write_text(SOLUTION.replace("name", "who"))
    with pytest.raises(TemplateError, match=r"solution/a\.sh, line 3: 'who' is undefined"):
        render(kit, solution=True, name="ada")


def test_broken_syntax_is_an_error_with_its_line(kit: Path) -> None:
    (kit / "templates" / "a.sh").write_text("one\n#> block a\ntwo\n")
    with pytest.raises(TemplateError, match=r"templates/a\.sh, line [23]: "):
        render(kit, name="ada")


def test_a_missing_template_is_named(kit: Path) -> None:
    (kit / "templates" / "a.sh").unlink()
    with pytest.raises(TemplateError, match=r"there is no template templates/a\.sh"):
        render(kit, name="ada")


def test_a_template_reaches_nothing_beyond_its_values(kit: Path) -> None:
    (kit / "templates" / "a.sh").write_text("{@ name.__class__.__mro__ @}\n")
    with pytest.raises(TemplateError, match="unsafe"):
        render(kit, name="ada")
