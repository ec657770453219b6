"""A student's own values: reproducible, different, and never from an id that could do harm."""

import ipaddress
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labkit.base.errors import UsageError
from labkit.course.variant import make_variant, student_id

ids = st.from_regex(r"[a-z0-9][a-z0-9._+-]{0,30}(@[a-z0-9.-]{1,20})?", fullmatch=True).filter(
    lambda text: not text.endswith(".solution") and text != "current"
)


def test_the_same_course_and_student_give_the_same_values() -> None:
    assert make_variant("course", "ada@uni.edu") == make_variant("course", " Ada@Uni.EDU ")


def test_known_values_stay_what_they_are() -> None:
    variant = make_variant("hybrid-lab/1", "ada@uni.edu")
    assert (variant.code, variant.vpc_cidr, variant.subnet_cidr, variant.port, variant.lab_token) == (
        "irt3pb", "10.30.0.0/16", "10.30.1.0/24", 5760, "12d0e43e6ff2f525f381",
    )  # fmt: skip
    assert (variant.name, variant.prefix) == ("hybrid-irt3pb", "irt3pb")


@pytest.mark.slow
@given(ids)
def test_values_are_legal_for_aws(student: str) -> None:
    variant = make_variant("course", student)
    assert re.fullmatch(r"[a-z2-7]{4,6}", variant.code)
    assert 5001 <= variant.port <= 5999
    assert ipaddress.ip_network(variant.subnet_cidr).subnet_of(ipaddress.ip_network(variant.vpc_cidr))
    assert re.fullmatch(r"[a-z][a-z0-9-]+", variant.name)
    assert variant.tags()["lab:variant"] == variant.code
    assert all(isinstance(value, str) and value for value in variant.values().values())


@pytest.mark.parametrize("attribute", ["code", "name", "lab_token", "prefix"])
def test_a_class_differs(attribute: str) -> None:
    variants = [make_variant("course", f"student{n}") for n in range(300)]
    assert len({getattr(v, attribute) for v in variants}) == 300


def test_another_course_gives_other_values() -> None:
    one, other = make_variant("2026", "ada"), make_variant("2027", "ada")
    assert one.code != other.code
    assert one.lab_token != other.lab_token


@pytest.mark.parametrize(
    "text",
    [
        "", " ", ".", "..", "../ada", "a/b", "/etc", "a\\b", "-ada", "_ada", "ada ada", "ada\n.", "ada@", "a@b@c",
        "äda", "ada\x00", "$(id)", "{{7*7}}", "x" * 65, "ada.solution", "ADA.Solution", "current",
    ],
)  # fmt: skip
def test_an_illegal_id_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(UsageError, match="can't be a student id") as refused:
        student_id(text)
    assert "--student ada@uni.edu" in refused.value.hint
    assert refused.value.exit_status == 2


@given(st.text(max_size=70))
def test_any_text_is_refused_or_a_safe_folder_name(text: str) -> None:
    try:
        name = student_id(text)
    except UsageError:
        return
    assert re.fullmatch(r"[a-z0-9][a-z0-9._+@-]{0,63}", name)
    assert not name.endswith(".solution")
