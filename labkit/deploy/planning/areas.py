"""One picture of a plan, the same for both engines: by area, as a tree of lines and as SVG.

What belongs here: which resource belongs where, and drawing. What does not: making a plan.
"""

import re
from collections.abc import Iterator, Mapping
from html import escape

from labkit.deploy.model import Action, Change, Plan

#: sign of each action, also for people who see no colours
SIGNS: Mapping[Action, str] = {"create": "+", "update": "~", "replace": "±", "delete": "-"}
COLOURS = {"+": "#1a7f37", "~": "#9a6700", "±": "#bc4c00", "-": "#cf222e", "": "#57606a"}

#: area → what its resources' types look like in either engine; the first that fits
_AREAS: Mapping[str, str] = {
    "Doors": r"security_?group",
    "Rights": r"iam",
    "Logs": r"log_?group",
    "Function": r"lambda",
    "Server": r"aws_instance|EC2::Instance",
    "Bucket": r"s3",
    "Table": r"dynamodb",
    "Network": r"vpc|subnet|route|gateway|eip|nacl",
}
#: the order in which people read them
ORDER = ("Network", "Doors", "Rights", "Bucket", "Table", "Server", "Function", "Logs", "Other")


def area(change: Change) -> str:
    """Where a resource belongs."""
    return next(
        (name for name, pattern in _AREAS.items() if re.search(pattern, change.type, re.IGNORECASE)), "Other"
    )


def by_area(plan: Plan) -> Mapping[str, tuple[Change, ...]]:
    """The plan's changes by area, in reading order; areas without changes are left out."""
    found = {name: tuple(change for change in plan.changes if area(change) == name) for name in ORDER}
    return {name: changes for name, changes in found.items() if changes}


def tree(plan: Plan) -> Iterator[str]:
    """The plan as lines."""
    for name, changes in by_area(plan).items():
        yield name
        for change in changes:
            because = f"   because of {', '.join(change.because)}" if change.because else ""
            type_ = "" if change.name.startswith(change.type) else f"  ({change.type})"
            yield f"  {SIGNS[change.action]} {change.name}{type_}{because}"


def sign(changes: tuple[Change, ...]) -> str:
    """One sign for an area: that of its hardest change, "" for none."""
    for action in ("replace", "delete", "create", "update"):
        if any(change.action == action for change in changes):
            return SIGNS[action]
    return ""


#: area → x, y, width, height
_BOXES: Mapping[str, tuple[int, int, int, int]] = {
    "Network": (20, 60, 440, 250), "Doors": (40, 130, 400, 160), "Function": (60, 195, 160, 80),
    "Server": (260, 195, 160, 80), "Bucket": (520, 60, 180, 70), "Table": (520, 150, 180, 70),
    "Rights": (520, 240, 180, 70), "Logs": (60, 330, 160, 60), "Other": (260, 330, 160, 60),
}  # fmt: skip
#: area → what it is on AWS
_WHAT: Mapping[str, str] = {
    "Network": "VPC, subnet, routes, internet gateway", "Doors": "security groups", "Function": "AWS Lambda",
    "Server": "EC2, with Flask", "Bucket": "S3: the images", "Table": "DynamoDB: their rows",
    "Rights": "IAM: who may do what", "Logs": "CloudWatch Logs", "Other": "",
}  # fmt: skip
#: who calls whom
_ARROWS = (
    ((220, 235), (258, 235)),
    ((420, 215), (518, 100)),
    ((420, 235), (518, 185)),
    ((140, 275), (140, 328)),
)


def svg(plan: Plan) -> str:
    """The lab as a picture: one box for each area, with the sign of its hardest change.

    The same for both engines, which cut the same lab into different resources.
    """
    areas = by_area(plan)
    shown = {name: place for name, place in _BOXES.items() if name in areas or name != "Other"}
    boxes = "\n".join(_box(name, place, areas.get(name, ())) for name, place in shown.items())
    arrows = "\n".join(
        f'<path d="M{a},{b} L{c},{d}" stroke="#57606a" marker-end="url(#tip)"/>' for (a, b), (c, d) in _ARROWS
    )
    legend = "".join(
        f'<tspan dx="{18 if number else 0}" fill="{COLOURS[sign]}">{sign} {action}</tspan>'
        for number, (action, sign) in enumerate(SIGNS.items())
    )
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 720 410" font-family="sans-serif" font-size="14">\n'
        '<defs><marker id="tip" orient="auto" markerWidth="8" markerHeight="8" refX="6" refY="3">'
        '<path d="M0,0 L6,3 L0,6 z" fill="#57606a"/></marker></defs>\n'
        f'<title>Your lab as planned</title>\n<rect width="720" height="410" fill="#ffffff"/>\n'
        f'<text x="20" y="36">{legend}</text>\n{boxes}\n{arrows}\n</svg>\n'
    )


def _box(name: str, place: tuple[int, int, int, int], changes: tuple[Change, ...]) -> str:
    x, y, width, height = place
    mark = sign(changes)
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" stroke="{COLOURS[mark]}" '
        f'stroke-width="{2 if changes else 1}"/>'
        f'<text x="{x + 12}" y="{y + 24}" fill="{COLOURS[mark]}">{escape(f"{mark} {name}".strip())}</text>'
        f'<text x="{x + 12}" y="{y + 44}" fill="#57606a" font-size="12">{escape(_WHAT[name])}</text>'
    )
