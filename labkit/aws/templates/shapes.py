"""What a function of a template gives before any value is known: a text, or a list.

What belongs here: that alone. What does not: values (intrinsics), what a reference leads to (references).
AWS: CloudFormation template reference, "Intrinsic functions", "Pseudo parameters".
"""

from typing import Any, Literal

from labkit.aws.templates.references import function_of
from labkit.aws.templates.template import Template

#: "" where it can't be said: a map's value, an attribute, one of a list's
Shape = Literal["string", "array", ""]

_SHAPES: dict[str, Shape] = {
    "Fn::Base64": "string", "Fn::ImportValue": "string", "Fn::Join": "string", "Fn::Sub": "string",
    "Fn::Cidr": "array", "Fn::GetAZs": "array", "Fn::Split": "array",
}  # fmt: skip
_PSEUDO: dict[str, Shape] = {"AWS::NotificationARNs": "array", "AWS::NoValue": ""}


def shape_of(value: Any, template: Template) -> Shape:
    """The shape of what a function gives; "" for what is no function."""
    function = function_of(value)
    if function == "Ref":
        return _of_reference(str(value[function]), template)
    return _SHAPES.get(function or "", "")


def _of_reference(name: str, template: Template) -> Shape:
    """A resource's id and a pseudo parameter are texts; parameters are what their type says."""
    if name not in template.parameters:
        return _PSEUDO.get(name, "string")
    kind = str(template.parameters[name].get("Type", ""))
    return "array" if kind == "CommaDelimitedList" or "List<" in kind else "string"
