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
    "Network": (20, 50, 420, 250), "Doors": (40, 100, 380, 180), "Function": (60, 150, 160, 100),
    "Server": (240, 150, 160, 100), "Bucket": (480, 50, 160, 70), "Table": (480, 140, 160, 70),
    "Rights": (480, 230, 160, 70), "Logs": (60, 320, 160, 50),
}  # fmt: skip
_ARROWS = (
    ((220, 200), (240, 200)),
    ((400, 180), (480, 90)),
    ((400, 200), (480, 175)),
    ((140, 250), (140, 320)),
)


def svg(plan: Plan) -> str:
    """The lab as a picture: one box for each area, with the sign of its hardest change."""
    areas = by_area(plan)
    boxes = "\n".join(_box(name, place, areas.get(name, ())) for name, place in _BOXES.items())
    arrows = "\n".join(
        f'<path d="M{a},{b} L{c},{d}" stroke="#57606a" marker-end="url(#tip)"/>' for (a, b), (c, d) in _ARROWS
    )
    legend = "  ".join(f"{sign} {action}" for action, sign in SIGNS.items())
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 660 390" font-family="sans-serif" font-size="14">\n'
        '<defs><marker id="tip" orient="auto" markerWidth="8" markerHeight="8" refX="6" refY="3">'
        '<path d="M0,0 L6,3 L0,6 z" fill="#57606a"/></marker></defs>\n'
        f'<title>Your lab as planned</title>\n<text x="20" y="30">{escape(legend)}</text>\n'
        f"{boxes}\n{arrows}\n</svg>\n"
    )


def _box(name: str, place: tuple[int, int, int, int], changes: tuple[Change, ...]) -> str:
    x, y, width, height = place
    mark = sign(changes)
    label = f"{mark} {name}".strip()
    return (
        f'<rect x="{x}" y="{y}" width="{width}" height="{height}" rx="8" fill="none" stroke="{COLOURS[mark]}" '
        f'stroke-width="{2 if changes else 1}"/>'
        f'<text x="{x + 10}" y="{y + 22}" fill="{COLOURS[mark]}">{escape(label)}</text>'
    )
