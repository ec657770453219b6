"""Launch templates: what one gives to RunInstances, all of it.

What belongs here: reading a version of a template, and running instances from it; plain moto takes five of a
template's parameters and ignores the rest. What does not: RunInstances' own checks (ec2_run).

AWS: Amazon EC2 API reference, RunInstances, LaunchTemplate: "Any parameters that you specify in RunInstances
override the same parameters in the launch template."
"""

from collections.abc import Iterator, Mapping
from typing import Any

from labkit.cloud.moto_seam.errors import ec2_error
from labkit.cloud.moto_seam.replacing import Replacements

#: moto gives an instance a template's tags itself
_LEFT_TO_MOTO = {"TagSpecifications", "BlockDeviceMappings"}


def correct_launch_templates(replacements: Replacements) -> None:
    """Have RunInstances take every parameter of the launch template that it names."""
    from moto.ec2.responses.instances import InstanceResponse

    replacements.around(InstanceResponse, "run_instances")(_run_instances)


def _run_instances(original: Any, self: Any) -> Any:
    wanted = self.params.get("LaunchTemplate")
    if wanted:
        data = template_data(self.ec2_backend, wanted)
        given = {name: value for name, value in data.items() if value and name not in _LEFT_TO_MOTO}
        if "UserData" in given:
            given["UserData"] = str(given["UserData"])  # moto's own kind of text, not read a second time
        self.params = given | self.params
    return original(self)


def template_data(ec2: Any, wanted: Mapping[str, str]) -> Mapping[str, Any]:
    """The LaunchTemplateData of a LaunchTemplateSpecification: id or name, and version ("$Default" without one).

    Raises EC2's errors for a template or a version that does not exist.
    """
    if "LaunchTemplateId" in wanted:
        template = ec2.get_launch_template(wanted["LaunchTemplateId"])
    elif "LaunchTemplateName" in wanted:
        template = ec2.get_launch_template_by_name(wanted["LaunchTemplateName"])
    else:
        raise ec2_error(
            "MissingParameter", "Either 'LaunchTemplateId' or 'LaunchTemplateName' must be provided."
        )
    try:
        data: Mapping[str, Any] = template.get_version(wanted.get("Version", "$Default")).data
    except ValueError:
        raise ec2_error(
            "InvalidParameterValue",
            f"Invalid value '{wanted['Version']}' for Version. Specify a number, $Latest or $Default.",
        ) from None
    return data


def flat(value: object, name: str = "") -> Iterator[tuple[str, str]]:
    """The leaves of a parameter, named as the query protocol names them ("IamInstanceProfile.Name")."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from flat(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list):
        for number, inner in enumerate(value, 1):
            yield from flat(inner, f"{name}.{number}")
    elif value is not None:
        yield name, str(value)
