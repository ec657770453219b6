"""A plan as tree and picture: complete, in order, the same picture whatever the engine."""

import xml.etree.ElementTree as ElementTree

from labkit.deploy.model import Change, Plan
from labkit.deploy.planning.areas import ORDER, by_area, svg, tree
from labkit.deploy.planning.prices import WEEK, cost

TERRAFORM = Plan(
    "terraform",
    (
        Change("aws_vpc.main", "aws_vpc", "create"),
        Change("aws_instance.server", "aws_instance", "replace", ("user_data",)),
        Change("aws_vpc_security_group_ingress_rule.server", "aws_vpc_security_group_ingress_rule", "update"),
        Change("aws_iam_instance_profile.server[0]", "aws_iam_instance_profile", "create"),
        Change("aws_cloudwatch_log_group.function", "aws_cloudwatch_log_group", "delete"),
    ),
)
CLOUDFORMATION = Plan(
    "cloudformation",
    (
        Change("Vpc", "AWS::EC2::VPC", "create"),
        Change("Server", "AWS::EC2::Instance", "replace", ("NetworkInterfaces",)),
        Change("ServerGroup", "AWS::EC2::SecurityGroup", "update"),
        Change("ServerProfile", "AWS::IAM::InstanceProfile", "create"),
        Change("FunctionLogs", "AWS::Logs::LogGroup", "delete"),
    ),
)


def test_every_resource_has_its_area_in_both_engines() -> None:
    wanted = ["Network", "Doors", "Rights", "Server", "Logs"]
    assert list(by_area(TERRAFORM)) == list(by_area(CLOUDFORMATION)) == wanted
    assert set(wanted) <= set(ORDER)


def test_the_tree_names_each_resource_once_with_its_sign_and_reason() -> None:
    lines = list(tree(CLOUDFORMATION))
    assert "  ± Server  (AWS::EC2::Instance)   because of NetworkInterfaces" in lines
    assert len(lines) == 5 + len(CLOUDFORMATION.changes)
    assert "  + aws_vpc.main" in tree(TERRAFORM)


def test_what_nobody_knows_is_shown_too() -> None:
    plan = Plan("terraform", (Change("x.y", "aws_sqs_queue", "create"),))
    assert list(by_area(plan)) == ["Other"]
    assert "+ Other" in svg(plan)
    assert "Other" not in svg(TERRAFORM)


def test_the_picture_is_valid_and_the_same_for_both() -> None:
    picture = svg(TERRAFORM)
    assert ElementTree.fromstring(picture).tag.endswith("svg")
    assert picture == svg(CLOUDFORMATION)
    assert "± Server" in picture
    assert "± " not in svg(Plan("terraform")).replace("± replace", "")
    texts = [
        element.text for element in ElementTree.fromstring(picture).iter() if element.tag.endswith("text")
    ]
    assert len(texts) == 1 + 2 * 8, "a legend, and name and service of each area"


def test_the_price_of_a_forgotten_week_is_that_of_its_hours() -> None:
    price = cost("t3.micro")
    assert price is not None
    assert price.week == WEEK * sum(amount for _, amount in price.items)
    assert 1 < price.week < 10
    assert cost("p5.48xlarge") is None
