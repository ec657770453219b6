"""Every handler against its type's schema."""

import json
import subprocess
import sys

import pytest

from labkit.cloud.cloudformation import schema
from labkit.cloud.cloudformation.resources.registry import HANDLERS, attribute_problem

REGION = "ap-south-1"


@pytest.mark.parametrize("type_name", HANDLERS)
def test_every_emulated_property_is_in_the_schema(type_name: str) -> None:
    properties = set(schema.load(type_name, REGION).document["properties"])
    assert HANDLERS[type_name].emulated <= properties


@pytest.mark.parametrize("type_name", HANDLERS)
def test_required_properties_are_emulated(type_name: str) -> None:
    required = set(schema.load(type_name, REGION).document.get("required") or [])
    assert required <= HANDLERS[type_name].emulated


@pytest.mark.parametrize("type_name", sorted(set(HANDLERS) - {"AWS::DynamoDB::Table"}))
def test_every_emulated_property_can_be_changed_or_means_replacement(type_name: str) -> None:
    handler = HANDLERS[type_name]
    left = handler.unchangeable(set(handler.emulated))
    assert left - handler.replaces - schema.load(type_name, REGION).create_only == set()


def test_index_changes_of_a_table_are_refused_by_name() -> None:
    handler = HANDLERS["AWS::DynamoDB::Table"]
    create_only = schema.load(handler.type_name, REGION).create_only
    left = handler.emulated - handler.updatable - handler.replaces - create_only
    assert left == {"AttributeDefinitions", "GlobalSecondaryIndexes", "LocalSecondaryIndexes"}


def test_attributes_that_exist_but_are_not_emulated_are_named() -> None:
    assert "Arn" in attribute_problem("AWS::EC2::VPC", "Arn", REGION)
    assert "is not emulated" in attribute_problem("AWS::EC2::VPC", "Ipv6CidrBlocks", REGION)
    assert attribute_problem("AWS::EC2::VPC", "CidrBlock", REGION) == ""


def test_a_region_without_a_list_gets_the_default() -> None:
    assert schema.known("AWS::EC2::VPC", "xx-nowhere-1")
    assert not schema.known("AWS::EC2::Vpc", REGION)


@pytest.mark.processes
def test_schemas_are_read_without_importing_cfn_lint() -> None:
    program = (
        "import sys, json\n"
        "from labkit.cloud.cloudformation import schema\n"
        "schema.load('AWS::EC2::Instance', 'ap-south-1')\n"
        "print(json.dumps('cfnlint' in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True, text=True)
    assert json.loads(done.stdout) is False
