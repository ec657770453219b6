"""The result as JUnit XML, for what shows test results: one test case for each line.

What belongs here: the elements. What does not: their words (words). A line that was not judged is an <error>: no
reader takes that for a pass.
"""

from xml.etree import ElementTree

from labkit.grading.model import LineResult, Result
from labkit.grading.reports import words


def render(result: Result, *, hidden: bool = False) -> str:
    """The document."""
    result = words.told(result, hidden=hidden)
    asked = [line for line in result.lines if words.asked_for(line)]
    failed, unjudged = (
        [line for line in asked if line.verdict.outcome == outcome] for outcome in ("failed", "not judged")
    )
    suite = ElementTree.Element(
        "testsuite",
        name="rubric",
        tests=str(len(asked)),
        failures=str(len(failed)),
        errors=str(len(unjudged)),
        skipped="0",
        time=f"{sum(line.seconds for line in asked):.3f}",
    )
    properties = ElementTree.SubElement(suite, "properties")
    for name, value in (("score", words.points(result.score)), ("total", str(result.total))):
        ElementTree.SubElement(properties, "property", name=name, value=value)
    for line in asked:
        suite.append(_case(line))
    root = ElementTree.Element("testsuites")
    root.append(suite)
    if result.bonus:
        root.append(_bonus(result))
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ElementTree.tostring(root, encoding="unicode") + "\n"


def _bonus(result: Result) -> ElementTree.Element:
    """A suite of its own, in which what was not earned is skipped: nobody has failed in it."""
    unjudged = sum(words.asked_for(line) and line.verdict.outcome == "not judged" for line in result.bonus)
    passed = sum(line.verdict.passed for line in result.bonus)
    suite = ElementTree.Element(
        "testsuite",
        name="bonus",
        tests=str(len(result.bonus)),
        failures="0",
        errors=str(unjudged),
        skipped=str(len(result.bonus) - passed - unjudged),
        time=f"{sum(line.seconds for line in result.bonus):.3f}",
    )
    for line in result.bonus:
        case = _case(line)
        open_line = line.verdict.outcome == "not judged" and words.asked_for(line)
        if not line.verdict.passed and not open_line:
            case[:] = [ElementTree.Element("skipped", message=words.bonus_line(line))]
        suite.append(case)
    return suite


def _case(line: LineResult) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=f"step {line.step}", name=f"{line.id}: {line.title}", time=f"{line.seconds:.3f}"
    )
    verdict = line.verdict
    if verdict.outcome != "passed":
        kind = "failure" if verdict.outcome == "failed" else "error"
        cause = "not emulated" if verdict.lacking else verdict.outcome
        detail = ElementTree.SubElement(case, kind, message=verdict.reason, type=cause)
        detail.text = "\n".join(_details(line))
    if verdict.notes:
        ElementTree.SubElement(case, "system-out").text = "\n".join(verdict.notes)
    return case


def _details(line: LineResult) -> list[str]:
    verdict = line.verdict
    pairs = (
        ("expected", verdict.expected),
        ("found", verdict.found),
        ("try", verdict.hint),
        ("back to", words.back_to(line)),
        ("points", f"{words.points(line.earned)} of {line.points}"),
    )
    return [*(f"{label}: {value}" for label, value in pairs if value), *verdict.evidence]
