"""Comparing two inventories, without any cloud."""

import pytest

from labkit.deploy.parity import ABSENT, Difference, compare, in_words, table

ONE = {
    "VPC main": {"CidrBlock": "10.1.0.0/16", "Tags": {"a": "1"}},
    "group": {"Rules": [{"Port": 80, "Peer": "<x>"}, {"Port": 22, "Peer": "y"}]},
}


def test_the_same_is_the_same() -> None:
    assert compare(ONE, ONE) == []
    assert len(table([], "left", "right")) == 1


@pytest.mark.parametrize(
    ("role", "value", "difference", "words"),
    [
        ("VPC main", None, Difference("VPC main", "", "exists", ABSENT), "VPC main is gone"),
        ("new", {}, Difference("new", "", ABSENT, "exists"), "new was added"),
        ("VPC main", {"CidrBlock": "10.2.0.0/16", "Tags": {"a": "1"}},
         Difference("VPC main", "CidrBlock", "10.1.0.0/16", "10.2.0.0/16"), "is 10.2.0.0/16, deployed was 10.1.0.0/16"),
        ("VPC main", {"CidrBlock": "10.1.0.0/16", "Tags": {}},
         Difference("VPC main", "Tags.a", "1", ABSENT), "it was 1"),
        ("group", {"Rules": [{"Port": 80, "Peer": "<x>"}]},
         Difference("group", "Rules", "Port 22, Peer y", ABSENT), "group: Rules is gone (it was Port 22, Peer y)"),
    ],
)  # fmt: skip
def test_each_kind_of_difference(role: str, value: dict, difference: Difference, words: str) -> None:
    other = {**ONE, role: value}
    if value is None:
        del other[role]
    assert compare(ONE, other) == [difference]
    assert words in in_words(difference)
    assert [d.role for d in compare(other, ONE)] == [role]


def test_the_table_has_both_sides_and_stays_narrow() -> None:
    lines = table([Difference("role", "Text", "a" * 500, "b")], "CloudFormation", "Terraform")
    assert "CloudFormation" in lines[0]
    assert "role: Text" in lines[1]
    assert len(lines[1]) < 120
