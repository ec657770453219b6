"""Moto's state as a graph: what comes back is equal, large values are told apart, and what can't be written is refused."""

import importlib
import pickle
import secrets
from collections import defaultdict
from typing import Any

import pytest

from labkit.aws.addresses import ACCOUNT_ID
from labkit.cloud.moto_seam import saving
from labkit.cloud.moto_seam.backends import backend, forget_everything
from labkit.cloud.moto_seam.functions.lambda_records import code_zip, functions
from tests.aws.live import zipped

CODE = "def lambda_handler(event, context):\n    return 1\n"


def nothing() -> None:
    """Nobody else collects anything."""


def test_what_is_put_back_answers_as_before(aws: Any) -> None:
    def look() -> Any:
        function = aws.lambda_.get_function(FunctionName="f")["Configuration"]
        parameter = aws.ssm.get_parameter(Name="/p")["Parameter"]
        vpcs = aws.ec2.describe_vpcs()["Vpcs"]
        function.pop("ResponseMetadata", None)
        return function, parameter, vpcs, aws.instance(instance)

    aws.lambda_.create_function(
        FunctionName="f",
        Runtime="python3.13",
        Role=aws.role(),
        Handler="m.f",
        Code={"ZipFile": zipped({"m.py": CODE})},
    )
    aws.ssm.put_parameter(Name="/p", Type="String", Value="v")
    instance = aws.run()["InstanceId"]
    before, written = look(), saving.write(nothing)
    forget_everything()
    saving.put_back(saving.read(written)[0])
    assert look() == before
    aws.lambda_.create_alias(FunctionName="f", Name="live", FunctionVersion="$LATEST")


def test_code_that_is_large_is_told_apart_each_once(aws: Any) -> None:
    code = zipped({"m.py": CODE + f"# {secrets.token_hex(saving.LARGE)}"})
    made = {"Runtime": "python3.13", "Role": aws.role(), "Handler": "m.f", "Code": {"ZipFile": code}}
    aws.lambda_.create_function(FunctionName="f", **made)
    aws.lambda_.publish_version(FunctionName="f")
    written = saving.write(nothing)
    assert len(written.data) < saving.LARGE
    assert code in written.large
    assert len(written.large) == len(set(map(id, written.large)))
    forget_everything()
    saving.put_back(saving.read(written)[0])
    (found,) = [each for each in functions() if each.version == "1"]
    assert code_zip(found.arn.removesuffix(":1"), "1") == code


def test_a_function_that_holds_variables_is_refused_not_left_out(aws: Any) -> None:
    held = 1
    backend("ssm", "us-east-1").lab = defaultdict(lambda: held)
    with pytest.raises(pickle.PicklingError, match="holds variables"):
        saving.write(nothing)


@pytest.mark.parametrize("spec", ["SYMMETRIC_DEFAULT", "RSA_2048", "ECC_NIST_P256"])
def test_keys_of_kms_come_back(aws: Any, spec: str) -> None:
    from moto.kms.models import kms_backends

    keys = kms_backends[ACCOUNT_ID]["us-east-1"]
    made = keys.create_key(None, "ENCRYPT_DECRYPT", spec, "mine", [])
    found = saving.read(saving.write(nothing))[0]["moto.kms.models:kms_backends"]["us-east-1"].keys[made.id]
    assert found.description == "mine"
    assert vars(found).keys() == vars(made).keys()


@pytest.mark.parametrize("service", ["events", "cloudwatch", "organizations", "resourcegroups", "account"])
def test_every_service_that_answers_can_be_written(aws: Any, service: str) -> None:
    table = getattr(importlib.import_module(f"moto.{service}.models"), f"{service}_backends")
    account = table[ACCOUNT_ID]
    account["us-east-1" if "us-east-1" in account.regions else "aws"]
    assert f"moto.{service}.models:{service}_backends" in saving.read(saving.write(nothing))[0]


def test_a_page_that_was_under_way_has_expired(aws: Any) -> None:
    """Resource Groups Tagging API reference, PaginationTokenExpiredException."""
    from moto.resourcegroupstaggingapi.models import resourcegroupstaggingapi_backends as table

    table[ACCOUNT_ID]["us-east-1"]._pages["token"] = {"gen": iter(each for each in ()), "misc": None}
    found = saving.read(saving.write(nothing))[0]
    assert (
        found["moto.resourcegroupstaggingapi.models:resourcegroupstaggingapi_backends"]["us-east-1"]._pages
        == {}
    )


def test_what_others_tell_comes_back_beside_it(aws: Any) -> None:
    assert saving.read(saving.write(nothing, lambda: {"mine": [1]}))[1] == {"mine": [1]}
