"""What deployments made is remembered, whatever was changed by hand between them."""

from labkit.deploy.inventory import document
from labkit.deploy.parity import compare
from labkit.lesson.drift import carried

DEPLOYED = {
    "bucket images": {"Policy": {"Statement": [{"Effect": "Deny"}]}, "Versioning": "Enabled"},
    "function f": {"Timeout": 60, "Variables": {"A": "1"}},
    "route table": {"Routes": [{"To": "a"}, {"To": "b"}]},
}


def changed(**roles: object) -> dict[str, object]:
    return {**DEPLOYED, **{name.replace("_", " "): value for name, value in roles.items()}}


def test_a_deployment_that_changes_nothing_leaves_a_change_by_hand_as_far_from_the_files_as_it_was() -> None:
    by_hand = changed(bucket_images={"Policy": None, "Versioning": "Enabled"})
    assert carried(DEPLOYED, by_hand, by_hand) == DEPLOYED
    assert compare(carried(DEPLOYED, by_hand, DEPLOYED), DEPLOYED) == [], "put back is as deployed"


def test_what_a_deployment_changes_is_deployed_and_what_hands_changed_beside_it_is_not() -> None:
    before = changed(
        route_table={"Routes": [{"To": "a"}]}, function_f={"Timeout": 3, "Variables": {"A": "1"}}
    )
    after = {**before, "function f": {"Timeout": 3, "Variables": {"A": "2"}}, "new": {}}
    known = carried(DEPLOYED, before, after)
    assert known["function f"] == {"Timeout": 60, "Variables": {"A": "2"}}
    assert known["new"] == {}
    assert [d.role for d in compare(known, after)] == ["function f", "route table"]


def test_entries_of_lists_come_and_go_with_the_deployment() -> None:
    before = {"g": {"Rules": [{"Port": 1}, {"Port": 9}]}}
    after = {"g": {"Rules": [{"Port": 2}, {"Port": 9}]}}
    assert carried({"g": {"Rules": [{"Port": 1}]}}, before, after) == {"g": {"Rules": [{"Port": 2}]}}
    assert carried({"old": {}, "g": {}}, {"old": {}, "g": {}}, {"g": {}}) == {"g": {}}


def test_a_policy_that_is_put_back_in_other_words_is_the_same() -> None:
    mine = {
        "Version": "2012-10-17",
        "Statement": {"Sid": "A", "Effect": "Deny", "Principal": {"AWS": "*"}, "Action": ["s3:*"], "Resource": "r",
                      "Condition": {"Bool": {"aws:SecureTransport": False}}},
    }  # fmt: skip
    other = {
        "Version": "2012-10-17",
        "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:*", "Resource": ["r"],
                       "Condition": {"Bool": {"aws:SecureTransport": ["false"]}}}],
    }  # fmt: skip
    assert document(mine) == document(other)
