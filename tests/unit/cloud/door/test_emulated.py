"""What is refused by name, and what asks for nothing: Terraform's provider sends blocks in which everything is off."""

import pytest

from labkit.cloud.door import emulated
from labkit.cloud.door.reading import Asked
from labkit.cloud.door.refusals import Refused


def run_instances(**parameters: object) -> Asked:
    return Asked(
        "ec2",
        "ec2",
        "RunInstances",
        "ap-south-1",
        {"ImageId": "ami-1", "MinCount": "1", "MaxCount": "1", **parameters},
    )


@pytest.mark.parametrize(
    "parameters",
    [
        {"CreditSpecification.CpuCredits": "unlimited"},
        {
            "HibernationOptions.Configured": "false",
            "EnclaveOptions.Enabled": "false",
            "Monitoring.Enabled": "false",
        },
        {"DisableApiTermination": "false"},
    ],
)
def test_what_terraform_always_sends_for_an_instance_is_taken(parameters: dict[str, object]) -> None:
    """AWS provider, aws_instance: credits of t3 are unlimited, unless said; hibernation, enclaves and monitoring are off."""
    emulated.check(run_instances(**parameters))


@pytest.mark.parametrize(
    ("parameters", "name"),
    [
        ({"HibernationOptions.Configured": "true"}, "HibernationOptions"),
        ({"CreditSpecification.CpuCredits": "endless"}, "CreditSpecification"),
        ({"Monitoring.Enabled": "true"}, "Monitoring"),
    ],
)
def test_what_nothing_stands_behind_is_refused_by_name(parameters: dict[str, object], name: str) -> None:
    with pytest.raises(Refused) as refused:
        emulated.check(run_instances(**parameters))
    assert f"{name} of RunInstances" in refused.value.message
