"""Results as the tests of reports need them: one of each kind of line, with text that would like to escape."""

from labkit.course.rubric import Line, Rubric
from labkit.grading.model import Result, Verdict, empty

RUBRIC = Rubric(
    (
        Line(
            "door-open", "a packet <b>reaches</b> your port", 60, "04", "server-door", alone=("server-door",)
        ),
        Line("row-hash", "the hash is right", 30, "05", "record", hidden=True),
        Line("deploys", "it deploys", 10, "03", whole=True),
    ),
    (Line("parity", "both <i>engines</i> make the same", 5, "08"),),
)

ABOUT = {
    "student": "ada@uni.edu", "variant": "abc123", "engine": "cloudformation", "kit": "1.0", "target": "fresh",
    "only": [], "gap": "", "rubric": "ff", "reference": True, "self_check": True, "submission": "00", "seed": "11",
}  # fmt: skip
HOSTILE = "<script>alert(1)</script> \x1b[31m \u202e @everyone [x](http://evil) `a` | ```"


def nothing() -> Result:
    return empty(RUBRIC, ABOUT)


def mixed() -> Result:
    """A failure with hostile text, a hidden failure with part of its points, a pass by the gap alone."""
    failed = Verdict(
        "failed", 0.0, f"dropped {HOSTILE}", f"try {HOSTILE}", f"open {HOSTILE}", HOSTILE, (HOSTILE,), "alone"
    )
    hidden = Verdict(
        "failed", 0.5, "the secret input was 4711", "secret hint", "4711", "4712", ("4711",), "as submitted"
    )
    from dataclasses import replace

    result = nothing().with_line("door-open", failed, why="A packet reaches it.\n\nWhy it matters <i>.")
    result = result.with_line("row-hash", hidden).with_line(
        "deploys", Verdict("passed", 1.0, way="as submitted")
    )
    return replace(result, complete=True).with_line("parity", Verdict("failed", 0.4, f"differs {HOSTILE}"))
